// Tables from and to CSV (RFC 4180): a header line, commas, fields in double quotes where needed,
// doubled quotes inside them, lines ended by LF or CRLF. UTF-8; a byte order mark is skipped.
//
// Errors name the input, the line, the column and the expected type, never what a cell holds.
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/value.h"

namespace curia {

struct CsvOptions {
  // The columns there must be, in this order. Without them types are inferred from all rows:
  //   i64     integers in range, without leading zeros or '+',
  //   bool    true and false,
  //   f64     numbers, nan, inf; an empty field among numbers is NaN,
  //   string  everything else: ids such as 007, integers beyond i64, columns without any field.
  std::optional<std::vector<ColumnType>> columns;

  std::int64_t max_bytes = std::int64_t{1} << 36;
  std::int64_t max_line_bytes = 1 << 20;  // of one record, quoted line breaks included
  std::int64_t max_columns = kMaxColumns;
};

// `name` stands for the input in errors. Declared types: integers and floats with surrounding
// spaces allowed, bool true, false, 1 or 0, an empty float NaN. Errors: kInvalid; kQuota beyond
// max_bytes.
Table parse_csv(std::string_view text, std::string_view name, const CsvOptions& options = {});

// Errors: also kNotFound when the file cannot be opened, kFailed when reading fails. A file that is
// cut short while it is read fails; the path is the caller's to have checked.
Table read_csv(const std::string& path, const CsvOptions& options = {});

// Numbers in the shortest form that reads back as the same value; LF line ends. Strings are quoted
// where they hold a comma, quote or line break, or where they would read as nothing.
std::string write_csv(const Table& table);

}  // namespace curia
