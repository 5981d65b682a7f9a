#include "protocol/type.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "protocol/error.h"

namespace curia {
namespace {

struct DTypeInfo {
  std::string_view name;
  std::int64_t bytes;
};

constexpr std::array<DTypeInfo, kDTypes> kInfo = {{{"bool", 1},
                                                   {"i8", 1},
                                                   {"i16", 2},
                                                   {"i32", 4},
                                                   {"i64", 8},
                                                   {"u8", 1},
                                                   {"u16", 2},
                                                   {"u32", 4},
                                                   {"u64", 8},
                                                   {"f32", 4},
                                                   {"f64", 8},
                                                   {"string", 0}}};

std::string extent_text(std::int64_t extent) {
  return extent == kUnknown ? "?" : std::to_string(extent);
}

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ",") + extent_text(shape[i]);
  }
  return text + "]";
}

// A cursor over type text, for error messages that name the character.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool done() const { return at_ == text_.size(); }
  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void want(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "'");
  }
  void skip_spaces() {
    while (take(' ')) {
    }
  }
  std::string_view until(std::string_view stops) {
    const std::size_t end = std::min(text_.find_first_of(stops, at_), text_.size());
    const std::string_view piece = text_.substr(at_, end - at_);
    at_ = end;
    return piece;
  }
  std::int64_t extent() {
    if (take('?')) return kUnknown;
    std::int64_t number = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), number);
    if (error != std::errc() || end == begin || number < 0) fail("expected an extent or '?'");
    at_ += static_cast<std::size_t>(end - begin);
    return number;
  }
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(Code::kInvalid, "bad type \"" + std::string(text_.substr(0, 200)) + "\": " + why +
                                    " at character " + std::to_string(at_));
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

TableType parse_table(Cursor& cursor) {
  TableType table;
  cursor.want('[');
  table.rows = cursor.extent();
  cursor.want(']');
  cursor.want('{');
  if (cursor.take('}')) return table;
  do {
    ColumnType column;
    column.name = cursor.until(":");
    check_column_name(column.name);
    cursor.want(':');
    column.dtype = parse_dtype(cursor.until(",}"));
    table.columns.push_back(std::move(column));
  } while (cursor.take(','));
  cursor.want('}');
  return table;
}

Shape parse_shape(Cursor& cursor) {
  Shape shape;
  cursor.want('[');
  if (cursor.take(']')) return shape;
  do {
    shape.push_back(cursor.extent());
    if (static_cast<std::int64_t>(shape.size()) > kMaxRank) cursor.fail("rank above 8");
  } while (cursor.take(','));
  cursor.want(']');
  return shape;
}

TensorType parse_tensor(Cursor& cursor, std::string_view dtype) {
  TensorType tensor;
  tensor.dtype = parse_dtype(dtype);
  if (tensor.dtype == DType::kString) cursor.fail("a tensor cannot hold strings");
  tensor.shape = parse_shape(cursor);
  return tensor;
}

// `head` is what stands before the shape: "secret<fixed,18>".
SecretType parse_secret(Cursor& cursor, std::string_view head) {
  SecretType secret;
  if (head == "secret<bool>") {
    secret.kind = SecretKind::kBool;
  } else if (head == "secret<int>") {
    secret.kind = SecretKind::kInt;
  } else {
    constexpr std::string_view kFixedHead = "secret<fixed,";
    if (!head.starts_with(kFixedHead) || !head.ends_with('>')) {
      cursor.fail("expected secret<bool>, secret<int> or secret<fixed,bits>");
    }
    const std::string_view bits =
        head.substr(kFixedHead.size(), head.size() - kFixedHead.size() - 1);
    const auto [end, error] =
        std::from_chars(bits.data(), bits.data() + bits.size(), secret.fraction_bits);
    if (error != std::errc() || end != bits.data() + bits.size() || secret.fraction_bits < 1 ||
        secret.fraction_bits > kMaxFractionBits) {
      cursor.fail("expected 1 to " + std::to_string(kMaxFractionBits) + " fraction bits");
    }
  }
  secret.shape = parse_shape(cursor);
  for (const std::int64_t extent : secret.shape) {
    if (extent == kUnknown) cursor.fail("a secret has a known shape");
  }
  return secret;
}

}  // namespace

std::int64_t dtype_bytes(DType dtype) { return kInfo.at(static_cast<std::size_t>(dtype)).bytes; }

std::string_view dtype_name(DType dtype) { return kInfo.at(static_cast<std::size_t>(dtype)).name; }

DType parse_dtype(std::string_view name) {
  for (std::size_t i = 0; i < kInfo.size(); ++i) {
    if (kInfo[i].name == name) return static_cast<DType>(i);
  }
  throw Error(Code::kInvalid, "unknown dtype \"" + std::string(name.substr(0, 32)) +
                                  "\"; expected bool, i8..i64, u8..u64, f32, f64 or string");
}

const TensorType& Type::tensor() const {
  if (const auto* tensor = std::get_if<TensorType>(&form)) return *tensor;
  throw Error(Code::kInvalid, "expected a tensor, found " + str());
}

const TableType& Type::table() const {
  if (const auto* table = std::get_if<TableType>(&form)) return *table;
  throw Error(Code::kInvalid, "expected a table, found " + str());
}

const SecretType& Type::secret() const {
  if (const auto* secret = std::get_if<SecretType>(&form)) return *secret;
  throw Error(Code::kInvalid, "expected a secret on a secure device, found " + str());
}

std::string type_text(const TensorType& type) {
  return std::string(dtype_name(type.dtype)) + shape_text(type.shape);
}

std::string type_text(const SecretType& type) {
  switch (type.kind) {
    case SecretKind::kBool:
      return "secret<bool>" + shape_text(type.shape);
    case SecretKind::kInt:
      return "secret<int>" + shape_text(type.shape);
    case SecretKind::kFixed:
      break;
  }
  return "secret<fixed," + std::to_string(type.fraction_bits) + ">" + shape_text(type.shape);
}

std::string type_text(const TableType& type) {
  std::string text = "table[" + extent_text(type.rows) + "]{";
  for (std::size_t i = 0; i < type.columns.size(); ++i) {
    text += (i == 0 ? "" : ",") + type.columns[i].name + ":";
    text += dtype_name(type.columns[i].dtype);
  }
  return text + "}";
}

std::string Type::str() const {
  std::string text = std::visit([](const auto& known) { return type_text(known); }, form);
  if (!device.empty()) text += " @" + device;
  return text;
}

Type parse_type(std::string_view text) {
  Cursor cursor(text);
  Type type;
  const std::string_view head = cursor.until("[");
  if (head == "table") {
    type.form = parse_table(cursor);
  } else if (head.starts_with("secret<")) {
    type.form = parse_secret(cursor, head);
  } else {
    type.form = parse_tensor(cursor, head);
  }
  cursor.skip_spaces();
  if (cursor.take('@')) {
    type.device = cursor.until(" ");
    check_name(type.device, "device");
  }
  if (!cursor.done()) cursor.fail("unexpected text");
  return type;
}

std::int64_t element_count(const Shape& shape) {
  if (static_cast<std::int64_t>(shape.size()) > kMaxRank) {
    throw Error(Code::kInvalid, "expected at most " + std::to_string(kMaxRank) +
                                    " dimensions, found " + std::to_string(shape.size()));
  }
  std::int64_t count = 1;
  bool unknown = false;
  bool zero = false;
  for (const std::int64_t extent : shape) {
    if (extent == kUnknown) {
      unknown = true;
      continue;
    }
    if (extent < 0) {
      throw Error(Code::kInvalid, "negative extent " + std::to_string(extent) + " in a shape");
    }
    if (extent == 0) {
      zero = true;
      continue;
    }
    if (extent > kMaxElements / count) {
      throw Error(Code::kInvalid,
                  "a shape has more than " + std::to_string(kMaxElements) + " elements");
    }
    count *= extent;
  }
  if (unknown) return kUnknown;
  return zero ? 0 : count;
}

std::int64_t byte_count(const TensorType& type) {
  const std::int64_t count = element_count(type.shape);
  return count == kUnknown ? kUnknown : count * dtype_bytes(type.dtype);
}

std::int64_t part_bytes(const SecretType& type) {
  constexpr std::int64_t kBlockBits = 512;
  const std::int64_t count = element_count(type.shape);
  if (type.kind != SecretKind::kBool) return count * 8;
  return (count + kBlockBits - 1) / kBlockBits * (kBlockBits / 8);
}

TensorType clear_type(const SecretType& type) {
  switch (type.kind) {
    case SecretKind::kBool:
      return {DType::kBool, type.shape};
    case SecretKind::kInt:
      return {DType::kI64, type.shape};
    case SecretKind::kFixed:
      break;
  }
  return {DType::kF64, type.shape};
}

bool accepts(const Type& declared, const Type& found) {
  if (declared.device != found.device) return false;
  if (declared.form.index() != found.form.index()) return false;
  if (declared.is_secret()) return declared == found;
  if (declared.is_table()) {
    const auto& want = declared.table();
    const auto& have = found.table();
    return want.columns == have.columns && (want.rows == kUnknown || want.rows == have.rows);
  }
  const auto& want = declared.tensor();
  const auto& have = found.tensor();
  if (want.dtype != have.dtype || want.shape.size() != have.shape.size()) return false;
  for (std::size_t i = 0; i < want.shape.size(); ++i) {
    if (want.shape[i] != kUnknown && want.shape[i] != have.shape[i]) return false;
  }
  return true;
}

void check_name(std::string_view name, std::string_view what) {
  if (name.empty() || static_cast<std::int64_t>(name.size()) > kMaxNameBytes) {
    throw Error(Code::kInvalid, "expected a " + std::string(what) + " name of 1 to " +
                                    std::to_string(kMaxNameBytes) + " characters, found " +
                                    std::to_string(name.size()));
  }
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '.' || c == '-';
    if (!good) {
      throw Error(Code::kInvalid, "character " + std::to_string(i) + " of a " + std::string(what) +
                                      " name is not one of [A-Za-z0-9_.-]");
    }
  }
}

void check_column_name(std::string_view name) {
  bool good = !name.empty() && static_cast<std::int64_t>(name.size()) <= kMaxNameBytes;
  for (const char c : name) {
    good = good && c >= 0x20 && c < 0x7f &&
           std::string_view("\"\\,{}:").find(c) == std::string_view::npos;
  }
  if (!good) {
    throw Error(Code::kInvalid,
                "a column name has 1 to 128 printable ASCII characters but none of \" \\ , { } :");
  }
}

}  // namespace curia
