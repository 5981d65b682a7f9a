// What Curia uses of an Arrow schema: plain columns, LargeUtf8, and fixed-size lists of numbers.
// Thread: values, so any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/type.h"

namespace curia {

// Custom metadata, in the order of the file.
using ArrowMetadata = std::vector<std::pair<std::string, std::string>>;

// nullptr where there is none of that key.
const std::string* find_arrow_metadata(const ArrowMetadata& metadata, std::string_view key);

inline constexpr std::int64_t kNoList = -1;

struct ArrowField {
  std::string name;
  DType dtype = DType::kF64;         // as stored, of each element; kBool: packed bits
  std::int64_t list_size = kNoList;  // elements of a row of a FixedSizeList
  std::string extension;             // "arrow.bool8", "arrow.fixed_shape_tensor", "": none
  std::string extension_metadata;    // JSON, as the extension wants it
  bool operator==(const ArrowField&) const = default;
};

// Arrow packs booleans into bits; Curia has one byte each, so they are stored as int8.
DType arrow_storage(DType dtype);

inline constexpr std::string_view kArrowMagic = "ARROW1";
inline constexpr std::int64_t kArrowTailBytes = 4 + 6;  // length of the footer, magic
inline constexpr std::int64_t kArrowMarkBytes = 8;      // before a message: a mark and its length

}  // namespace curia
