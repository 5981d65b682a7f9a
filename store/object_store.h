// A party's objects, dispatched by URI scheme to the backends that were registered at start.
// Thread: any, after the last add().
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "protocol/uri.h"
#include "store/backend.h"

namespace curia {

class ObjectStore {
 public:
  // Owned by the store. Errors: kInvalid for a second backend of the same scheme.
  void add(std::unique_ptr<Backend> backend);

  // Errors: kUnimplemented, naming the schemes there are.
  Backend& backend(std::string_view scheme) const;

  std::int64_t put(const Uri& uri, ValuePtr value, std::shared_ptr<const ObjectMeta> meta,
                   const Expected& expected = 0);
  // `known`: what describe() told of `object`. Errors: as Backend::alias(); kInvalid for names in
  // two stores.
  void alias(const Uri& uri, const Owner& owner, const Uri& object, const Entry& known);
  std::optional<Object> get(const Uri& uri) const;
  bool exists(const Uri& uri) const;
  bool at_hand(const Uri& uri) const;
  std::optional<Entry> describe(const Uri& uri) const;
  bool erase(const Uri& uri);
  bool erase_exactly(const Uri& uri, const Entry& entry);

 private:
  std::map<std::string, std::unique_ptr<Backend>, std::less<>> backends_;
};

}  // namespace curia
