// What the type rules of the ops_*.cc files share, and the rows each of them adds to the op table.
// Thread: immutable after start, any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/op_table.h"

namespace curia::ops {

// The rows of each family; op_table() joins them.
std::vector<OpSpec> source_ops();
std::vector<OpSpec> elementwise_ops();
std::vector<OpSpec> shape_ops();
std::vector<OpSpec> reduction_ops();
std::vector<OpSpec> table_ops();
std::vector<OpSpec> private_ops();
std::vector<OpSpec> control_ops();
std::vector<OpSpec> secret_ops();

// The row, offered on secure devices too: on secrets of these kinds; as one that only moves
// elements, on secrets and public values alike; as one that makes public values.
OpSpec on_secrets(OpSpec row, SecretKinds kinds);
OpSpec moves_elements(OpSpec row);
OpSpec makes_public(OpSpec row);

// The rule of `cast` for a secret.
std::vector<Type> cast_secret(const OpContext& op);

// Throws kInvalid.
[[noreturn]] void refuse(const std::string& message);
// For messages: at most 64 characters in quotes, what is not printable ASCII as '?'.
std::string in_quotes(std::string_view text);
// Type::str(), cut to what fits a message.
std::string brief(const Type& type);
std::string brief(const TensorType& type);

// The operand as a tensor or table. Errors: "expected operand <i> to be a tensor, found <type>".
const TensorType& tensor_operand(const OpContext& op, std::size_t i);
const TableType& table_operand(const OpContext& op, std::size_t i);
// The operand of a tensor's or a secret's shape. Errors: for a table.
const Shape& shape_operand(const OpContext& op, std::size_t i);
// A result on the op's device.
Type placed(const OpContext& op, TensorType type);
Type placed(const OpContext& op, TableType type);

inline std::int64_t rank(const TensorType& type) {
  return static_cast<std::int64_t>(type.shape.size());
}
// The attribute as an axis of the operand. Errors: unless 0 <= axis < rank.
std::int64_t axis_attr(const OpContext& op, const TensorType& operand);
// A dtype named by an attribute, without strings.
DType dtype_attr(const OpContext& op);
// Extents given by an attribute: known, not negative, within the limits.
const Shape& shape_attr(const OpContext& op);
std::int64_t int_attr_between(const OpContext& op, std::string_view key, std::int64_t low,
                              std::int64_t high);

// Extents that have to be equal: a known one wins over `?` (kernels check at run time).
// Errors: two different known extents; `what` begins the sentence.
std::int64_t same_extent(std::int64_t a, std::int64_t b, const std::string& what);
// numpy's rule. Errors: extents that differ and are not 1, with both types.
Shape broadcast_shapes(const TensorType& a, const TensorType& b);

// What a type needs to be one at all: limits of rank, elements and columns, column names good and
// distinct, no strings in tensors. Does not look at the device.
void check_type(const Type& type);

// What is too large for 64 bits stays at the largest number.
std::int64_t saturating_add(std::int64_t a, std::int64_t b);
std::int64_t saturating_multiply(std::int64_t a, std::int64_t b);

}  // namespace curia::ops
