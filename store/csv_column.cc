#include "store/csv_column.h"

#include <charconv>
#include <limits>
#include <type_traits>

#include "protocol/utf8.h"

namespace curia {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

template <class T>
bool parse(std::string_view field, T* value) {
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), *value);
  if (error == std::errc::result_out_of_range && std::is_floating_point_v<T>) return false;
  return error == std::errc() && end == field.data() + field.size();
}

// 007, and -007: an id, not a number.
bool leading_zero(std::string_view field) {
  const std::size_t first = !field.empty() && field[0] == '-' ? 1 : 0;
  return field.size() > first + 1 && field[first] == '0' && digit(field[first + 1]);
}

// An integer too large for i64 would lose digits as a float.
bool huge_integer(std::string_view field) {
  if (field.size() < 19 || field.find_first_not_of("0123456789", 1) != std::string_view::npos) {
    return false;
  }
  std::int64_t value;
  return !parse(field, &value);
}

}  // namespace

CsvKind csv_kind(std::string_view field) {
  if (field.empty()) return kCsvEmpty;
  if (field == "true" || field == "false") return kCsvBool;
  if (leading_zero(field) || huge_integer(field)) return kCsvText;
  std::int64_t integer;
  if (parse(field, &integer)) return kCsvInt;
  double number;
  return parse(field, &number) ? kCsvFloat : kCsvText;
}

DType csv_dtype(std::uint8_t kinds) {
  if (kinds == kCsvInt) return DType::kI64;
  if (kinds == kCsvBool) return DType::kBool;
  const bool numbers = (kinds & (kCsvInt | kCsvFloat)) != 0;
  return numbers && (kinds & (kCsvBool | kCsvText)) == 0 ? DType::kF64 : DType::kString;
}

template <class T>
bool CsvColumn::add_number(std::string_view field) {
  T value;
  if (std::is_floating_point_v<T> && field.empty()) {
    value = std::numeric_limits<T>::has_quiet_NaN ? std::numeric_limits<T>::quiet_NaN() : T{};
  } else {
    if (inferred_) {
      if (leading_zero(field) || (std::is_floating_point_v<T> && huge_integer(field))) return false;
    } else {
      while (!field.empty() && (field.front() == ' ' || field.front() == '\t')) {
        field.remove_prefix(1);
      }
      while (!field.empty() && (field.back() == ' ' || field.back() == '\t'))
        field.remove_suffix(1);
      const bool plus = field.size() > 1 && field[0] == '+' && (digit(field[1]) || field[1] == '.');
      if (plus) field.remove_prefix(1);
    }
    if (!parse(field, &value)) return false;
  }
  const auto* begin = reinterpret_cast<const std::uint8_t*>(&value);
  bytes_.insert(bytes_.end(), begin, begin + sizeof(T));
  return true;
}

bool CsvColumn::add_bool(std::string_view field) {
  const bool yes = field == "true" || (!inferred_ && field == "1");
  const bool no = field == "false" || (!inferred_ && field == "0");
  if (yes || no) bytes_.push_back(yes ? 1 : 0);
  return yes || no;
}

bool CsvColumn::add_text(std::string_view field) {
  if (!valid_utf8(field)) return false;
  bytes_.insert(bytes_.end(), field.begin(), field.end());
  offsets_.push_back(static_cast<std::int64_t>(bytes_.size()));
  return true;
}

bool CsvColumn::add(std::string_view field) {
  switch (type_.dtype) {
    case DType::kBool:
      return add_bool(field);
    case DType::kI8:
      return add_number<std::int8_t>(field);
    case DType::kI16:
      return add_number<std::int16_t>(field);
    case DType::kI32:
      return add_number<std::int32_t>(field);
    case DType::kI64:
      return add_number<std::int64_t>(field);
    case DType::kU8:
      return add_number<std::uint8_t>(field);
    case DType::kU16:
      return add_number<std::uint16_t>(field);
    case DType::kU32:
      return add_number<std::uint32_t>(field);
    case DType::kU64:
      return add_number<std::uint64_t>(field);
    case DType::kF32:
      return add_number<float>(field);
    case DType::kF64:
      return add_number<double>(field);
    case DType::kString:
      return add_text(field);
  }
  return false;
}

Column CsvColumn::finish() {
  const Slice bytes = Slice::copy_of(bytes_);
  if (type_.dtype == DType::kString) {
    const Slice offsets = Slice::copy_of(
        {reinterpret_cast<const std::uint8_t*>(offsets_.data()), offsets_.size() * 8});
    return {type_.name, StringColumn{offsets, bytes}};
  }
  const std::int64_t rows = bytes.size / dtype_bytes(type_.dtype);
  return {type_.name, Tensor{type_.dtype, {rows}, bytes}};
}

}  // namespace curia
