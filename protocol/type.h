// What a value is, before there is one: dtype, shape, columns, and the party that holds it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace curia {

// The numbers are part of the wire format.
enum class DType : std::uint8_t {
  kBool = 0,  // one byte, 0 or 1
  kI8 = 1,
  kI16 = 2,
  kI32 = 3,
  kI64 = 4,
  kU8 = 5,
  kU16 = 6,
  kU32 = 7,
  kU64 = 8,
  kF32 = 9,
  kF64 = 10,
  kString = 11,  // UTF-8; columns of tables only
};

inline constexpr int kDTypes = 12;

// Bytes of one element; 0 for kString.
std::int64_t dtype_bytes(DType dtype);
// "bool", "i8", ... "f64", "string".
std::string_view dtype_name(DType dtype);
// Errors: kInvalid for anything dtype_name() does not return.
DType parse_dtype(std::string_view name);

inline bool is_float(DType d) { return d == DType::kF32 || d == DType::kF64; }
inline bool is_signed_int(DType d) { return d >= DType::kI8 && d <= DType::kI64; }
inline bool is_unsigned_int(DType d) { return d >= DType::kU8 && d <= DType::kU64; }
inline bool is_int(DType d) { return d >= DType::kI8 && d <= DType::kU64; }
inline bool is_number(DType d) { return d >= DType::kI8 && d <= DType::kF64; }

// Row-major extents. kUnknown stands for `?`: rows after a filter, join or group_by.
using Shape = std::vector<std::int64_t>;
inline constexpr std::int64_t kUnknown = -1;

inline constexpr std::int64_t kMaxRank = 8;
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;
inline constexpr std::int64_t kMaxColumns = 4096;
inline constexpr std::int64_t kMaxNameBytes = 128;

struct TensorType {
  DType dtype = DType::kF64;
  Shape shape;
  bool operator==(const TensorType&) const = default;
};

struct ColumnType {
  std::string name;
  DType dtype = DType::kF64;
  bool operator==(const ColumnType&) const = default;
};

struct TableType {
  std::vector<ColumnType> columns;
  std::int64_t rows = 0;
  bool operator==(const TableType&) const = default;
};

// A placed type: what it is and the name of the party (later: the device) that holds it.
struct Type {
  std::variant<TensorType, TableType> form;
  std::string device;

  bool is_tensor() const { return std::holds_alternative<TensorType>(form); }
  bool is_table() const { return std::holds_alternative<TableType>(form); }
  // Errors: kInvalid, "expected a tensor, found <this>" (or a table).
  const TensorType& tensor() const;
  const TableType& table() const;

  bool operator==(const Type&) const = default;
  // "f64[150,4] @alice", "table[?]{id:string,age:i64} @bob".
  std::string str() const;
};

// "f64[150,4]", "i64[]", "bool[?]".
std::string type_text(const TensorType& type);
std::string type_text(const TableType& type);
// The inverse of Type::str(); "@device" may be left out. Errors: kInvalid, naming the character.
Type parse_type(std::string_view text);

// Product of the extents. Errors: kInvalid for a negative extent other than `?`, rank above
// kMaxRank, or a product above kMaxElements (checked before it can overflow).
// Returns kUnknown if an extent is `?`.
std::int64_t element_count(const Shape& shape);
// element_count times the element size; kUnknown as above.
std::int64_t byte_count(const TensorType& type);
// Whether a value of type `found` may stand where `declared` is expected: equal, or `?` in
// declared.
bool accepts(const Type& declared, const Type& found);

// Party, dataset, column, output names: 1..kMaxNameBytes of [A-Za-z0-9_.-] for parties, datasets
// and outputs. Errors: kInvalid, naming `what` and the bad character.
void check_name(std::string_view name, std::string_view what);
// Column names may hold any printable ASCII but `"`, `\`, `,`, `{`, `}` and `:`.
void check_column_name(std::string_view name);

}  // namespace curia
