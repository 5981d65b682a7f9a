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

std::vector<Type> sigmoid(const OpContext& op) {
  if (op.op.attrs.contains("pieces")) {
    if (find_device(op.devices, op.op.device) == nullptr) {
      refuse("only the sigmoid of secrets is made of pieces; leave the attribute out");
    }
    const std::int64_t pieces = op.int_attr("pieces");
    if (pieces != 3 && pieces != 8) {
      refuse("expected 3 or 8 pieces, found " + std::to_string(pieces));
    }
  }
  return unary<is_float>(op);
}

std::vector<Type> cast(const OpContext& op) {
  if (op.op.attrs.contains("fraction_bits")) {
    refuse("only secrets have fraction_bits, found " + brief(op.operands[0]));
  }
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
  constexpr SecretKinds kNumbers = kInts | kFixeds;
  std::vector<OpSpec> table;
  const auto add = [&table](const char* name, int operands, TypeRule rule, SecretKinds secrets) {
    table.push_back(on_secrets({name, operands, operands, 0, {}, {}, rule}, secrets));
  };
  add("select", 3, select, kAllSecrets);
  table.back().condition = true;
  add("mul", 2, binary<is_number>, kNumbers);
  table.back().int_with_fixed = true;
  add("cast", 1, cast, kAllSecrets);
  table.back().required_attrs = {"dtype"};
  table.back().optional_attrs = {"fraction_bits"};
  table.back().secret_rule = cast_secret;
  for (const char* name : {"add", "sub", "minimum", "maximum"}) {
    add(name, 2, binary<is_number>, kNumbers);
  }
  for (const char* name : {"div", "mod"}) add(name, 2, binary<is_number>, kNoSecrets);
  add("pow", 2, binary<is_float>, kNoSecrets);
  for (const char* name : {"and", "or", "xor"}) add(name, 2, binary<is_logic>, kBits);
  for (const char* name : {"eq", "ne"}) add(name, 2, compare, kAllSecrets);
  for (const char* name : {"lt", "le", "gt", "ge"}) add(name, 2, compare, kNumbers);
  for (const char* name : {"neg", "abs"}) add(name, 1, unary<is_number>, kNumbers);
  add("not", 1, unary<is_logic>, kBits);
  for (const char* name : {"exp", "log", "sqrt"}) {
    add(name, 1, unary<is_float>, kFixeds);
    table.back().function = true;
  }
  add("sigmoid", 1, sigmoid, kFixeds);
  table.back().function = true;
  table.back().optional_attrs = {"pieces"};
  for (const char* name : {"floor", "ceil", "round", "tanh"}) {
    add(name, 1, unary<is_float>, kNoSecrets);
  }
  return table;
}

}  // namespace curia::ops
