// One column while a CSV file is read: its type, and its values so far.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/value.h"

namespace curia {

// What fields look like; flags, so that a column can collect them.
enum CsvKind : std::uint8_t {
  kCsvEmpty = 1,
  kCsvInt = 2,    // fits into i64, has no leading zero
  kCsvFloat = 4,  // another number
  kCsvBool = 8,
  kCsvText = 16,
};

CsvKind csv_kind(std::string_view field);
// The dtype of a column whose fields are of these kinds.
DType csv_dtype(std::uint8_t kinds);

class CsvColumn {
 public:
  // `inferred`: the type is a guess. add() then takes only fields that csv_dtype() would have given
  // this type for; without it, also other spellings of the type's values.
  CsvColumn(ColumnType type, bool inferred) : type_(std::move(type)), inferred_(inferred) {}

  const ColumnType& type() const { return type_; }

  // Adds a field; false when it is not one of the column's type. Nothing is added then.
  bool add(std::string_view field);

  // What was added. REQUIRES: called once.
  Column finish();

 private:
  template <class T>
  bool add_number(std::string_view field);
  bool add_bool(std::string_view field);
  bool add_text(std::string_view field);

  ColumnType type_;
  bool inferred_;
  std::vector<std::uint8_t> bytes_;  // elements, or the text of strings
  std::vector<std::int64_t> offsets_{0};
};

}  // namespace curia
