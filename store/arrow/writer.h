// Values as Arrow IPC files with one record batch, whose buffers are the value's own, each at a
// multiple of 64 bytes in the file.
//
//   tensor, 2-d and more   one column "value", arrow.fixed_shape_tensor; rows are the first
//                          dimension
//   tensor, 0-d and 1-d    one plain column "value"; so also where a row is longer than Arrow's
//                          2^31 - 1 elements
//   table                  its columns
//   share                  two columns of u64, "first" and "second"
//   error                  no columns
//
// Thread: any.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/value.h"
#include "store/arrow/field.h"

namespace curia {

// A file from its beginning to its footer.
struct ArrowImage {
  std::vector<ArrowField> fields;
  ArrowMetadata schema_metadata;
  std::vector<Slice> pieces;  // shared with the value
  std::int64_t bytes = 0;     // of them
  struct Block {              // where the record batch is
    std::int64_t offset = 0;
    std::int64_t metadata_bytes = 0;
    std::int64_t body_bytes = 0;
  } batch;
};

// kBytes: a byte each, "arrow.bool8", so that a mapped file is used in place. kBits: Arrow's own
// bool, which every program knows, for plain columns; they are copied.
enum class ArrowBools { kBytes, kBits };

ArrowImage arrow_image(const Value& value, ArrowMetadata schema_metadata,
                       ArrowBools bools = ArrowBools::kBytes);

// What ends the file: the footer, its length, the magic word.
std::string arrow_footer(const ArrowImage& image, const ArrowMetadata& metadata);

}  // namespace curia
