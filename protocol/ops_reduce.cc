// Reductions over axes, and the sort that returns positions.
#include <algorithm>

#include "protocol/ops.h"

namespace curia::ops {
namespace {

DType sum_dtype(const TensorType& x) {
  if (is_float(x.dtype)) return x.dtype;
  return is_unsigned_int(x.dtype) ? DType::kU64 : DType::kI64;
}

void want_numbers(const TensorType& x) {
  if (!is_number(x.dtype)) refuse("expected numbers, found " + brief(x) + "; cast it first");
}

// The axes that go: those of the attribute, or all of them.
std::vector<bool> reduced_axes(const OpContext& op, const TensorType& x) {
  if (!op.op.attrs.contains("axes")) return std::vector<bool>(x.shape.size(), true);
  std::vector<bool> gone(x.shape.size(), false);
  const auto& axes = op.ints_attr("axes");
  if (axes.empty()) refuse("expected at least one axis; leave axes out to reduce over all");
  for (const std::int64_t axis : axes) {
    if (axis < 0 || axis >= rank(x)) {
      refuse("expected axes from 0 up to the rank of " + brief(x) + ", found " +
             std::to_string(axis));
    }
    if (gone[static_cast<std::size_t>(axis)]) {
      refuse("axis " + std::to_string(axis) + " is named twice");
    }
    gone[static_cast<std::size_t>(axis)] = true;
  }
  return gone;
}

std::vector<Type> reduce(const OpContext& op, const TensorType& x, DType dtype,
                         bool empty_is_fine) {
  const std::vector<bool> gone = reduced_axes(op, x);
  const bool keep = op.bool_attr_or("keep_dims", false);
  TensorType result{dtype, {}};
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    if (!gone[d]) {
      result.shape.push_back(x.shape[d]);
      continue;
    }
    if (x.shape[d] == 0 && !empty_is_fine) {
      refuse("the " + op.op.name + " of nothing is not defined: " + brief(x) +
             " is empty along axis " + std::to_string(d));
    }
    if (keep) result.shape.push_back(1);
  }
  return {placed(op, std::move(result))};
}

std::vector<Type> sum(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  return reduce(op, x, sum_dtype(x), true);
}

std::vector<Type> mean(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  want_numbers(x);
  return reduce(op, x, is_float(x.dtype) ? x.dtype : DType::kF64, true);
}

std::vector<Type> extremum(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  want_numbers(x);
  return reduce(op, x, x.dtype, false);
}

std::vector<Type> arg_extremum(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  want_numbers(x);
  const auto axis = axis_attr(op, x);
  if (x.shape[static_cast<std::size_t>(axis)] == 0) {
    refuse("the " + op.op.name + " of nothing is not defined: " + brief(x) +
           " is empty along axis " + std::to_string(axis));
  }
  TensorType result{DType::kI64, x.shape};
  result.shape.erase(result.shape.begin() + axis);
  return {placed(op, std::move(result))};
}

std::vector<Type> argsort(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  want_numbers(x);
  axis_attr(op, x);
  op.bool_attr_or("descending", false);
  return {placed(op, TensorType{DType::kI64, x.shape})};
}

}  // namespace

std::vector<OpSpec> reduction_ops() {
  constexpr SecretKinds kNumbers = kInts | kFixeds;
  OpSpec average = on_secrets({"mean", 1, 1, 0, {}, {"axes", "keep_dims"}, mean}, kFixeds);
  average.not_of_nothing = true;
  return {
      on_secrets({"argmax", 1, 1, 0, {"axis"}, {}, arg_extremum}, kNumbers),
      on_secrets({"argmin", 1, 1, 0, {"axis"}, {}, arg_extremum}, kNumbers),
      {"argsort", 1, 1, 0, {"axis"}, {"descending"}, argsort},
      on_secrets({"max", 1, 1, 0, {}, {"axes", "keep_dims"}, extremum}, kNumbers),
      average,
      on_secrets({"min", 1, 1, 0, {}, {"axes", "keep_dims"}, extremum}, kNumbers),
      on_secrets({"sum", 1, 1, 0, {}, {"axes", "keep_dims"}, sum}, kAllSecrets),
  };
}

}  // namespace curia::ops
