// What a driver may use of the store: objects of its own session, and those that last longer than
// one and are its own.
#pragma once

#include <optional>

#include "protocol/uri.h"
#include "store/object_store.h"

namespace curia {

// Everybody else's objects are as good as none. One that cannot be read any more, because its file
// is damaged, comes as that failure, which depends on nobody's data. Errors: kUnimplemented for a
// scheme without a backend. Reads and checks the whole file of an object on disk. Thread: any.
std::optional<Object> find_object(const ObjectStore& store, const Uri& uri, const Owner& caller);

// What find_object() would find; without reading it.
std::optional<Entry> describe_object(const ObjectStore& store, const Uri& uri, const Owner& caller);

}  // namespace curia
