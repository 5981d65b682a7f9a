#include "store/object_store.h"

#include <utility>

#include "protocol/list_text.h"

namespace curia {

void ObjectStore::add(std::unique_ptr<Backend> backend) {
  const std::string scheme(backend->scheme());
  if (!backends_.try_emplace(scheme, std::move(backend)).second) {
    throw Error(Code::kInvalid, "there is a backend for " + scheme + ":// already");
  }
}

Backend& ObjectStore::backend(std::string_view scheme) const {
  const auto found = backends_.find(scheme);
  if (found != backends_.end()) return *found->second;
  const auto with_slashes = [](const auto& backend) { return backend.first + "://"; };
  throw Error(Code::kUnimplemented,
              "no store for " + std::string(scheme) + ":// is configured here; there is " +
                  list_text(backends_, with_slashes) +
                  (scheme == "fs"    ? "; the worker's owner sets fs_root in its configuration"
                   : scheme == "oss" ? "; the worker's owner sets oss in its configuration"
                                     : ""));
}

std::int64_t ObjectStore::put(const Uri& uri, ValuePtr value,
                              std::shared_ptr<const ObjectMeta> meta, const Expected& expected) {
  return backend(uri.scheme())
      .put(std::string(uri.rest()), std::move(value), std::move(meta), expected);
}

void ObjectStore::alias(const Uri& uri, const Owner& owner, const Uri& object, const Entry& known) {
  if (uri.scheme() != object.scheme()) {
    throw Error(Code::kInvalid, "a name in " + std::string(uri.scheme()) +
                                    ":// cannot be an alias of an object in " +
                                    std::string(object.scheme()) + "://; load it in the program");
  }
  backend(uri.scheme()).alias(std::string(uri.rest()), owner, known);
}

std::optional<Object> ObjectStore::get(const Uri& uri) const {
  return backend(uri.scheme()).get(std::string(uri.rest()));
}

bool ObjectStore::exists(const Uri& uri) const {
  return backend(uri.scheme()).exists(std::string(uri.rest()));
}

bool ObjectStore::at_hand(const Uri& uri) const {
  return backend(uri.scheme()).at_hand(std::string(uri.rest()));
}

std::optional<Entry> ObjectStore::describe(const Uri& uri) const {
  return backend(uri.scheme()).describe(std::string(uri.rest()));
}

bool ObjectStore::erase_exactly(const Uri& uri, const Entry& entry) {
  return backend(uri.scheme()).erase_exactly(entry);
}

bool ObjectStore::erase(const Uri& uri) {
  return backend(uri.scheme()).erase(std::string(uri.rest()));
}

}  // namespace curia
