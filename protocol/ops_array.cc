// Elementwise ops: one result element for each position of the broadcast operands.
#include "protocol/ops.h"

namespace curia::ops {
namespace {

constexpr bool is_logic(DType dtype) { return dtype == DType::kBool || is_int(dtype); }

std::string_view wanted(bool (*allowed)(DType)) {
  if (allowed == is_number) return "numbers";
  if (allowed == is_float) return "floats (f32 or f64)";
  return "bool or integers";
}

template <bool (*allowed)(DType)>
const TensorType& checked(const OpContext& op, std::size_t i) {
  const TensorType& type = tensor_operand(op, i);
  if (!allowed(type.dtype)) {
    refuse("expected operand " + std::to_string(i) + " to hold " + std::string(wanted(allowed)) +
           ", found " + brief(type) + "; cast it first");
  }
  return type;
}

void same_dtype(const TensorType& a, const TensorType& b) {
  if (a.dtype == b.dtype) return;
  refuse("expected operands of one dtype, found " + brief(a) + " and " + brief(b) +
         "; cast one of them, nothing is promoted silently");
}

template <bool (*allowed)(DType)>
std::vector<Type> unary(const OpContext& op) {
  return {placed(op, checked<allowed>(op, 0))};
}

template <bool (*allowed)(DType)>
std::vector<Type> binary(const OpContext& op) {
  const TensorType& a = checked<allowed>(op, 0);
  const TensorType& b = checked<allowed>(op, 1);
  same_dtype(a, b);
  return {placed(op, TensorType{a.dtype, broadcast_shapes(a, b)})};
}

std::vector<Type> compare(const OpContext& op) {
  const TensorType& a = tensor_operand(op, 0);
  const TensorType& b = tensor_operand(op, 1);
  same_dtype(a, b);
  return {placed(op, TensorType{DType::kBool, broadcast_shapes(a, b)})};
}

std::vector<Type> cast(const OpContext& op) {
  return {placed(op, TensorType{dtype_attr(op), tensor_operand(op, 0).shape})};
}

std::vector<Type> select(const OpContext& op) {
  const TensorType& condition = tensor_operand(op, 0);
  if (condition.dtype != DType::kBool) {
    refuse("expected operand 0, the condition, to hold bool, found " + brief(condition) +
           "; compare it with something first");
  }
  const TensorType& a = tensor_operand(op, 1);
  const TensorType& b = tensor_operand(op, 2);
  same_dtype(a, b);
  const TensorType either{a.dtype, broadcast_shapes(a, b)};
  return {placed(op, TensorType{a.dtype, broadcast_shapes(condition, either)})};
}

}  // namespace

std::vector<OpSpec> elementwise_ops() {
  std::vector<OpSpec> table = {
      {"cast", 1, 1, 0, {"dtype"}, {}, cast},
      {"select", 3, 3, 0, {}, {}, select},
  };
  for (const char* name : {"add", "sub", "mul", "div", "mod", "minimum", "maximum"}) {
    table.push_back({name, 2, 2, 0, {}, {}, binary<is_number>});
  }
  table.push_back({"pow", 2, 2, 0, {}, {}, binary<is_float>});
  for (const char* name : {"and", "or", "xor"}) {
    table.push_back({name, 2, 2, 0, {}, {}, binary<is_logic>});
  }
  for (const char* name : {"eq", "ne", "lt", "le", "gt", "ge"}) {
    table.push_back({name, 2, 2, 0, {}, {}, compare});
  }
  for (const char* name : {"neg", "abs"}) {
    table.push_back({name, 1, 1, 0, {}, {}, unary<is_number>});
  }
  table.push_back({"not", 1, 1, 0, {}, {}, unary<is_logic>});
  for (const char* name : {"floor", "ceil", "round", "exp", "log", "sqrt", "sigmoid", "tanh"}) {
    table.push_back({name, 1, 1, 0, {}, {}, unary<is_float>});
  }
  return table;
}

}  // namespace curia::ops
