#include "worker/find_object.h"

#include <utility>

namespace curia {
namespace {

bool is_callers(const ObjectMeta& meta, const Uri& uri, const Owner& caller) {
  return meta.principal == caller.principal &&
         (uri.scheme() != "mem" || meta.session == caller.session);
}

}  // namespace

std::optional<Entry> describe_object(const ObjectStore& store, const Uri& uri,
                                     const Owner& caller) {
  auto known = store.describe(uri);
  return known && is_callers(*known->meta, uri, caller) ? std::move(known) : std::nullopt;
}

std::optional<Object> find_object(const ObjectStore& store, const Uri& uri, const Owner& caller) {
  // Whose it is comes first: nobody else learns that it cannot be read.
  const auto known = store.describe(uri);
  if (!known || !is_callers(*known->meta, uri, caller)) return std::nullopt;
  try {
    auto object = store.get(uri);
    return object && is_callers(*object->meta, uri, caller) ? std::move(object) : std::nullopt;
  } catch (const Error& error) {
    auto meta = std::make_shared<ObjectMeta>(*known->meta);
    meta->label = std::make_shared<const Label>();
    return Object{std::make_shared<const Value>(error), std::move(meta), known->version, nullptr};
  }
}

}  // namespace curia
