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

// What the elements of a secret-shared tensor mean. The numbers are part of the wire format.
enum class SecretKind : std::uint8_t {
  kBool = 0,   // single bits, shared over Z_2
  kInt = 1,    // i64, shared over Z_2^64
  kFixed = 2,  // real numbers as round(x * 2^fraction_bits), shared over Z_2^64
};

inline constexpr int kDefaultFractionBits = 18;
inline constexpr int kMaxFractionBits = 30;

// A tensor of which every member of a secure device holds a share.
struct SecretType {
  SecretKind kind = SecretKind::kFixed;
  int fraction_bits = 0;  // kFixed: 1..kMaxFractionBits; else 0
  Shape shape;            // no `?`
  bool operator==(const SecretType&) const = default;
};

// A placed type: what it is and the name of the party or secure device that holds it.
struct Type {
  std::variant<TensorType, TableType, SecretType> form;
  std::string device;

  bool is_tensor() const { return std::holds_alternative<TensorType>(form); }
  bool is_table() const { return std::holds_alternative<TableType>(form); }
  bool is_secret() const { return std::holds_alternative<SecretType>(form); }
  // Errors: kInvalid, "expected a tensor, found <this>" (or a table, a secret).
  const TensorType& tensor() const;
  const TableType& table() const;
  const SecretType& secret() const;

  bool operator==(const Type&) const = default;
  // "f64[150,4] @alice", "table[?]{id:string,age:i64} @bob", "secret<fixed,18>[150,4] @abc".
  std::string str() const;
};

// "f64[150,4]", "i64[]", "bool[?]"; "secret<fixed,18>[150,4]", "secret<int>[3]", "secret<bool>[]".
std::string type_text(const TensorType& type);
std::string type_text(const TableType& type);
std::string type_text(const SecretType& type);
// The inverse of Type::str(); "@device" may be left out. Errors: kInvalid, naming the character.
Type parse_type(std::string_view text);

// Product of the extents. Errors: kInvalid for a negative extent other than `?`, rank above
// kMaxRank, or a product above kMaxElements (checked before it can overflow).
// Returns kUnknown if an extent is `?`.
std::int64_t element_count(const Shape& shape);
// element_count times the element size; kUnknown as above.
std::int64_t byte_count(const TensorType& type);
// Bytes of one of the two parts of a party's share (see Share): 8 an element; bits are packed and
// padded to whole blocks of 64 bytes.
std::int64_t part_bytes(const SecretType& type);
// What the secret is in the clear: bool, i64 or f64.
TensorType clear_type(const SecretType& type);
// Whether a value of type `found` may stand where `declared` is expected: equal, or `?` in
// declared.
bool accepts(const Type& declared, const Type& found);

// Party, dataset, column, output names: 1..kMaxNameBytes of [A-Za-z0-9_.-] for parties, datasets
// and outputs. Errors: kInvalid, naming `what` and the bad character.
void check_name(std::string_view name, std::string_view what);
// Column names may hold any printable ASCII but `"`, `\`, `,`, `{`, `}` and `:`.
void check_column_name(std::string_view name);

}  // namespace curia
