#include "protocol/ops.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

namespace curia::ops {
namespace {

constexpr std::size_t kBriefBytes = 200;
constexpr std::size_t kQuotedBytes = 64;

std::string cut(std::string text) {
  if (text.size() > kBriefBytes) text = text.substr(0, kBriefBytes) + "...";
  return text;
}

void check_secret(const SecretType& secret) {
  if (element_count(secret.shape) == kUnknown) {
    refuse("a secret cannot have an unknown extent; bound the rows with to_tensor's pad_to");
  }
  const int most = secret.kind == SecretKind::kFixed ? kMaxFractionBits : 0;
  const int least = secret.kind == SecretKind::kFixed ? 1 : 0;
  if (secret.fraction_bits < least || secret.fraction_bits > most) {
    refuse("expected " + std::to_string(least) + " to " + std::to_string(most) +
           " fraction bits, found " + std::to_string(secret.fraction_bits));
  }
}

}  // namespace

void refuse(const std::string& message) { throw Error(Code::kInvalid, message); }

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, kQuotedBytes)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out + (text.size() > kQuotedBytes ? "...\"" : "\"");
}

std::string brief(const Type& type) { return cut(type.str()); }
std::string brief(const TensorType& type) { return type_text(type); }

const TensorType& tensor_operand(const OpContext& op, std::size_t i) {
  const Type& type = op.operands[i];
  if (!type.is_tensor()) {
    refuse("expected operand " + std::to_string(i) + " to be a tensor, found " + brief(type) +
           "; to_tensor or column make a tensor of a table");
  }
  return type.tensor();
}

const Shape& shape_operand(const OpContext& op, std::size_t i) {
  const Type& type = op.operands[i];
  return type.is_secret() ? type.secret().shape : tensor_operand(op, i).shape;
}

const TableType& table_operand(const OpContext& op, std::size_t i) {
  const Type& type = op.operands[i];
  if (!type.is_table()) {
    refuse("expected operand " + std::to_string(i) + " to be a table, found " + brief(type) +
           "; make_table makes a table of tensors");
  }
  return type.table();
}

Type placed(const OpContext& op, TensorType type) { return {std::move(type), op.op.device}; }
Type placed(const OpContext& op, TableType type) { return {std::move(type), op.op.device}; }

std::int64_t axis_attr(const OpContext& op, const TensorType& operand) {
  const std::int64_t axis = op.int_attr("axis");
  if (axis < 0 || axis >= rank(operand)) {
    refuse("expected axis to be one of the " + std::to_string(rank(operand)) + " of " +
           brief(operand) + ", counted from 0 at the front; found " + std::to_string(axis));
  }
  return axis;
}

DType dtype_attr(const OpContext& op) {
  const DType dtype = parse_dtype(op.string_attr("dtype"));
  if (dtype == DType::kString) refuse("expected a dtype of numbers or bool, found string");
  return dtype;
}

const Shape& shape_attr(const OpContext& op) {
  const Shape& shape = op.ints_attr("shape");
  if (element_count(shape) == kUnknown) {
    refuse(
        "expected known extents in attribute shape, found `?`; give a bound with to_tensor's "
        "pad_to");
  }
  return shape;
}

std::int64_t int_attr_between(const OpContext& op, std::string_view key, std::int64_t low,
                              std::int64_t high) {
  const std::int64_t value = op.int_attr(key);
  if (value < low || value > high) {
    refuse("expected attribute " + std::string(key) + " from " + std::to_string(low) + " to " +
           std::to_string(high) + ", found " + std::to_string(value));
  }
  return value;
}

std::int64_t same_extent(std::int64_t a, std::int64_t b, const std::string& what) {
  if (a == kUnknown) return b;
  if (b == kUnknown || a == b) return a;
  refuse(what + ", found " + std::to_string(a) + " and " + std::to_string(b));
}

Shape broadcast_shapes(const TensorType& a, const TensorType& b) {
  Shape shape(std::max(a.shape.size(), b.shape.size()));
  for (std::size_t back = 1; back <= shape.size(); ++back) {
    const std::int64_t x = back <= a.shape.size() ? a.shape[a.shape.size() - back] : 1;
    const std::int64_t y = back <= b.shape.size() ? b.shape[b.shape.size() - back] : 1;
    std::int64_t& extent = shape[shape.size() - back];
    if (x == y || y == 1) {
      extent = x;
    } else if (x == 1 || x == kUnknown) {
      extent = y;
    } else if (y == kUnknown) {
      extent = x;
    } else {
      refuse("shapes do not broadcast: " + brief(a) + " and " + brief(b) + " have " +
             std::to_string(x) + " and " + std::to_string(y) + " at dimension " +
             std::to_string(back) + " from the back; expected equal extents or 1");
    }
  }
  return shape;
}

void check_type(const Type& type) {
  if (type.is_tensor()) {
    if (type.tensor().dtype == DType::kString) {
      refuse("a tensor cannot hold strings; keep them in a table");
    }
    element_count(type.tensor().shape);
    return;
  }
  if (type.is_secret()) return check_secret(type.secret());
  const TableType& table = type.table();
  if (table.rows != kUnknown && (table.rows < 0 || table.rows > kMaxElements)) {
    refuse("expected `?` or 0 to " + std::to_string(kMaxElements) + " rows in a table, found " +
           std::to_string(table.rows));
  }
  if (static_cast<std::int64_t>(table.columns.size()) > kMaxColumns) {
    refuse("expected at most " + std::to_string(kMaxColumns) + " columns in a table, found " +
           std::to_string(table.columns.size()));
  }
  std::unordered_set<std::string_view> names;
  for (const ColumnType& column : table.columns) {
    check_column_name(column.name);
    if (!names.insert(column.name).second) {
      refuse("two columns of a table are called " + in_quotes(column.name));
    }
  }
}

std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::int64_t>::max() : sum;
}

std::int64_t saturating_multiply(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<std::int64_t>::max()
                                                : product;
}

}  // namespace curia::ops
