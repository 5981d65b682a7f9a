// Arrow IPC files as other programs write them (pandas, pyarrow, Polars; Feather V2 is the same
// format), and those of Curia, as values.
//
//   int8 .. int64, uint8 .. uint64, float32, float64   the dtype of that name
//   bool, arrow.bool8                                  bool
//   utf8, large_utf8, utf8_view                        string; also where a dictionary holds them
//   what arrow_image() wrote of a tensor               that tensor, by the metadata "curia.type"
//
// Record batches are put together; buffers may be compressed with LZ4. A null among floats is NaN;
// elsewhere nulls are refused. An index that pandas kept as a column is a column.
//
// Nothing of a file is trusted. Errors name the column and the type that was found, never what a
// cell holds.
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/value.h"

namespace curia {

struct ArrowOptions {
  // The columns that are taken, in this order, and the dtypes they must have; others are passed
  // over. Without: all there are.
  std::optional<std::vector<ColumnType>> columns;

  std::int64_t max_bytes = std::int64_t{1} << 36;  // of the file, and of what it takes unpacked
};

// Columns share `file` where nothing is to be converted and all are taken. `name` stands for the
// input in errors. Errors: kCorrupt for a damaged file; kInvalid for another kind of file, columns
// that do not fit, nulls; kUnimplemented for types without a dtype and for other compression;
// kQuota beyond max_bytes.
Value parse_arrow(const Slice& file, std::string_view name, const ArrowOptions& options = {});

}  // namespace curia
