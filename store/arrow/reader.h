// Reads Arrow IPC files of plain columns, LargeUtf8 and fixed-size lists, without copying their
// buffers. Nothing of the file is trusted: every offset and size is checked against it.
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

struct ArrowFooter {
  std::vector<ArrowField> fields;
  ArrowMetadata schema_metadata;
  ArrowMetadata metadata;  // the footer's own
  struct Block {
    std::int64_t offset = 0;
    std::int64_t metadata_bytes = 0;
    std::int64_t body_bytes = 0;
  };
  std::vector<Block> batches;
};

// Bytes of the footer, from the last kArrowTailBytes of a file of `file_bytes`. Errors: kCorrupt
// where this is no Arrow file.
std::int64_t arrow_footer_bytes(std::span<const std::uint8_t> tail, std::int64_t file_bytes);

// Errors: kCorrupt where it is malformed; kUnimplemented for a type that Curia does not read,
// naming the column.
ArrowFooter parse_arrow_footer(std::span<const std::uint8_t> footer);

// Where the value of an entry of the footer's metadata stands in it, in bytes from its begin.
// Errors: kCorrupt where there is none of that key.
std::size_t arrow_metadata_offset(std::span<const std::uint8_t> footer, std::string_view key);

struct ArrowColumn {
  Slice data;     // elements; of strings the text
  Slice offsets;  // of strings: i64[rows + 1]
};

struct ArrowBatch {
  std::int64_t rows = 0;
  std::vector<ArrowColumn> columns;  // one for each field
};

// A record batch; its columns share `file`. Errors: kCorrupt where it does not fit the footer or
// the file; kUnimplemented for compressed buffers and for columns with nulls.
ArrowBatch read_arrow_batch(const Slice& file, const ArrowFooter& footer, std::size_t number);

// The value that a file of arrow_image() holds: a tensor, a table or a share. Errors: kCorrupt
// where the file holds another type.
Value arrow_value(const Slice& file, const ArrowFooter& footer, const Type& type,
                  const Digest& instance);

}  // namespace curia
