// Reading JSON documents with errors that name the place and what was expected there.
//
// Include this in .cc files only: the JSON library is slow to compile.
// Thread: any.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "protocol/op_table.h"

namespace curia::json {

using Json = nlohmann::ordered_json;  // keeps the order of fields

// A place in a document, such as ops[3].in[0]. A chain on the stack, put into words only for an
// error; so a Path outlives those made from it, and so does a key.
class Path {
 public:
  // The whole document; `document` is what errors call it.
  explicit Path(std::string_view document) : document_(document) {}
  Path(const Path& parent, std::string_view key) : parent_(&parent), key_(key) {}
  Path(const Path& parent, std::size_t index) : parent_(&parent), index_(index) {}

  // Throws kInvalid, "<document> at <place>: <why>".
  [[noreturn]] void fail(const std::string& why) const;

 private:
  std::string place() const;

  const Path* parent_ = nullptr;
  std::string_view document_;
  std::string_view key_;
  std::size_t index_ = 0;
};

struct Bounds {
  std::int64_t max_bytes;
  std::int64_t max_depth;
  std::int64_t max_fields;  // of one object
};

// Errors: kInvalid for what is not JSON, passes the bounds, or has a field twice in one object.
Json parse(std::string_view text, const Bounds& bounds, const Path& root);

// "found the number 3", for the end of a message.
std::string found(const Json& json);

// Each returns its argument as what it wants or fails.
const Json& want_object(const Json& json, const Path& path);
const Json& want_list(const Json& json, const Path& path);
const std::string& want_string(const Json& json, const Path& path);
std::int64_t want_int(const Json& json, const Path& path);
Type want_type(const Json& json, const Path& path);
// [low, high], or {"column": [low, high], ...}.
Ranges want_ranges(const Json& json, const Path& path);
Attr want_attr(AttrKind kind, const Json& json, const Path& path);

const Json& field(const Json& object, std::string_view key, const Path& path);
// Fails for a field that is not among the known ones.
void want_fields(const Json& object, const std::vector<std::string_view>& known, const Path& path);

// Runs checks of other files, adding the place to their errors.
template <class F>
auto at(const Path& path, F&& work) {
  try {
    return work();
  } catch (const Error& error) {
    path.fail(error.message());
  }
}

}  // namespace curia::json
