#include "protocol/value_bytes.h"

#include <algorithm>
#include <cstring>

#include "protocol/codec.h"

namespace curia {
namespace {

std::int64_t padded(std::int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// Adds a part and what fills it up to the next multiple of 64.
void add_part(ValueBytes& out, const Slice& part) {
  static const Slice kZeros = [] {
    const std::vector<std::uint8_t> zeros(kAlignment, 0);
    return Slice::copy_of(std::span(zeros));
  }();
  if (part.size > 0) out.body.push_back(part);
  const std::int64_t fill = padded(part.size) - part.size;
  if (fill > 0) out.body.push_back(kZeros.part(0, fill));
  out.bytes += part.size + fill;
}

// Takes consecutive parts of a received body.
class Parts {
 public:
  explicit Parts(const Slice& body) : body_(body) {}

  Slice take(std::int64_t bytes) {
    if (bytes < 0 || bytes > body_.size || padded(bytes) > body_.size - at_) {
      WireReader::refuse("a value's body is shorter than its head says");
    }
    const Slice part = body_.part(at_, bytes);
    at_ += padded(bytes);
    return part;
  }
  void finish() const {
    if (at_ != body_.size) WireReader::refuse("a value's body is longer than its head says");
  }

 private:
  const Slice& body_;
  std::int64_t at_ = 0;
};

Tensor take_tensor(Parts& parts, DType dtype, Shape shape) {
  const std::int64_t bytes = byte_count({dtype, shape});
  Tensor tensor{dtype, std::move(shape), parts.take(bytes)};
  if (dtype == DType::kBool && std::any_of(tensor.data.data, tensor.data.data + tensor.data.size,
                                           [](std::uint8_t byte) { return byte > 1; })) {
    WireReader::refuse("a boolean is neither 0 nor 1");
  }
  return tensor;
}

StringColumn take_strings(Parts& parts, std::int64_t rows, std::int64_t text_bytes) {
  StringColumn column{parts.take((rows + 1) * 8), parts.take(text_bytes)};
  const auto* offsets = reinterpret_cast<const std::int64_t*>(column.offsets.data);
  bool good = offsets[0] == 0 && offsets[rows] == text_bytes;
  for (std::int64_t i = 0; good && i < rows; ++i) good = offsets[i] <= offsets[i + 1];
  if (!good) WireReader::refuse("string offsets are not in order");
  return column;
}

}  // namespace

ValueBytes share_part_bytes(const Share& share) {
  ValueBytes out;
  WireWriter writer(out.head);
  Type type{share.type, ""};
  Digest instance = share.instance;
  writer(type, instance);
  add_part(out, share.first);
  return out;
}

SharePart share_part_from_bytes(std::string_view head, const Slice& body, const Type& declared) {
  WireReader reader(head);
  Type found;
  SharePart out;
  reader(found, out.instance);
  reader.finish();
  found.device = declared.device;
  if (!declared.is_secret() || found != declared) {
    throw Error(Code::kInvalid,
                "expected a share of type " + declared.str() + ", found " + found.str());
  }
  out.type = found.secret();
  Parts parts(body);
  out.part = parts.take(part_bytes(out.type));
  parts.finish();
  return out;
}

ValueBytes value_bytes(const Value& value) {
  value.check();
  expect(!value.is_share(), "expected a plain value, found a share of a secret");
  ValueBytes out;
  WireWriter writer(out.head);
  Type exact = value.type();
  std::vector<std::int64_t> text_bytes;
  if (value.is_tensor()) {
    add_part(out, value.tensor().data);
  } else {
    for (const Column& column : value.table().columns) {
      if (const auto* tensor = std::get_if<Tensor>(&column.data)) {
        add_part(out, tensor->data);
      } else {
        const auto& strings = std::get<StringColumn>(column.data);
        add_part(out, strings.offsets);
        add_part(out, strings.text);
        text_bytes.push_back(strings.text.size);
      }
    }
  }
  writer(exact, text_bytes);
  return out;
}

Value value_from_bytes(std::string_view head, const Slice& body, const Type& declared) {
  WireReader reader(head);
  Type found;
  std::vector<std::int64_t> text_bytes;
  reader(found, text_bytes);
  reader.finish();
  found.device = declared.device;
  if (!accepts(declared, found)) {
    throw Error(Code::kInvalid,
                "expected a value of type " + declared.str() + ", found " + found.str());
  }
  Parts parts(body);
  if (found.is_tensor()) {
    const TensorType& type = found.tensor();
    if (element_count(type.shape) == kUnknown) WireReader::refuse("a value of unknown shape");
    if (!text_bytes.empty()) WireReader::refuse("a tensor has no text");
    Tensor tensor = take_tensor(parts, type.dtype, type.shape);
    parts.finish();
    return tensor;
  }
  if (found.is_secret()) WireReader::refuse("a value that is a secret");
  const TableType& type = found.table();
  if (type.rows < 0) WireReader::refuse("a table of unknown length");
  Table table;
  table.rows = type.rows;
  std::size_t texts = 0;
  for (const ColumnType& column : type.columns) {
    if (column.dtype != DType::kString) {
      table.columns.push_back({column.name, take_tensor(parts, column.dtype, {type.rows})});
      continue;
    }
    if (texts == text_bytes.size()) WireReader::refuse("a text column without its size");
    if (type.rows > body.size) WireReader::refuse("a value's body is shorter than its head says");
    table.columns.push_back({column.name, take_strings(parts, type.rows, text_bytes[texts++])});
  }
  if (texts != text_bytes.size()) WireReader::refuse("more text sizes than text columns");
  parts.finish();
  return table;
}

std::int64_t max_body_bytes(const Type& declared, std::int64_t unknown_limit) {
  if (declared.is_tensor()) {
    const std::int64_t bytes = byte_count(declared.tensor());
    return bytes == kUnknown ? unknown_limit : padded(bytes);
  }
  if (declared.is_secret()) return padded(part_bytes(declared.secret()));
  const TableType& table = declared.table();
  if (table.rows == kUnknown) return unknown_limit;
  std::int64_t total = 0;
  for (const ColumnType& column : table.columns) {
    if (column.dtype == DType::kString) return unknown_limit;
    total += padded(byte_count({column.dtype, {table.rows}}));
  }
  return total;
}

Digest content_digest(const Value& value) {
  const ValueBytes bytes = value_bytes(value);
  Hasher hasher("curia content 1");
  hasher.add(value.type().str());
  hasher.add(bytes.head);
  for (const Slice& part : bytes.body) {
    hasher.add(std::span(part.data, static_cast<std::size_t>(part.size)));
  }
  return hasher.finish();
}

}  // namespace curia
