// Ops that move elements about, and the matrix product.
#include <algorithm>

#include "protocol/ops.h"

namespace curia::ops {
namespace {

void want_known(const TensorType& type) {
  if (element_count(type.shape) == kUnknown) {
    refuse("expected an operand of known shape, found " + brief(type) +
           "; bound the rows with to_tensor's pad_to");
  }
}

void want_rank_from_1(const TensorType& type) {
  if (type.shape.empty()) {
    refuse("expected an operand with at least one dimension, found " + brief(type) +
           "; reshape it first");
  }
}

std::vector<Type> matmul(const OpContext& op) {
  const TensorType& a = tensor_operand(op, 0);
  const TensorType& b = tensor_operand(op, 1);
  if (!is_number(a.dtype) || a.dtype != b.dtype) {
    refuse("expected two operands of one dtype of numbers, found " + brief(a) + " and " + brief(b) +
           "; cast first");
  }
  if (rank(a) < 1 || rank(a) > 2 || rank(b) < 1 || rank(b) > 2) {
    refuse("expected two operands that are matrices or vectors, found " + brief(a) + " and " +
           brief(b) + "; reshape first");
  }
  same_extent(a.shape.back(), b.shape.front(),
              "expected the last extent of operand 0 to equal the first of operand 1");
  Shape shape(a.shape.begin(), a.shape.end() - 1);
  shape.insert(shape.end(), b.shape.begin() + 1, b.shape.end());
  return {placed(op, TensorType{a.dtype, std::move(shape)})};
}

std::vector<Type> transpose(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  TensorType result = x;
  if (!op.op.attrs.contains("perm")) {
    std::ranges::reverse(result.shape);
    return {placed(op, std::move(result))};
  }
  const auto& perm = op.ints_attr("perm");
  std::vector<std::int64_t> sorted = perm;
  std::ranges::sort(sorted);
  bool good = sorted.size() == x.shape.size();
  for (std::size_t i = 0; good && i < sorted.size(); ++i) {
    good = sorted[i] == static_cast<std::int64_t>(i);
  }
  if (!good) {
    refuse("expected perm to hold each dimension of " + brief(x) + " once, from 0 to " +
           std::to_string(rank(x) - 1));
  }
  for (std::size_t i = 0; i < perm.size(); ++i) {
    result.shape[i] = x.shape[static_cast<std::size_t>(perm[i])];
  }
  return {placed(op, std::move(result))};
}

std::vector<Type> reshape(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  want_known(x);
  TensorType result{x.dtype, shape_attr(op)};
  if (element_count(result.shape) != element_count(x.shape)) {
    refuse("expected a shape of " + std::to_string(element_count(x.shape)) + " elements as in " +
           brief(x) + ", found " + brief(result));
  }
  return {placed(op, std::move(result))};
}

std::vector<Type> broadcast(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  want_known(x);
  TensorType result{x.dtype, shape_attr(op)};
  if (broadcast_shapes(x, result) != result.shape) {
    refuse("expected a shape that " + brief(x) + " broadcasts to, found " + brief(result));
  }
  return {placed(op, std::move(result))};
}

std::vector<Type> concat(const OpContext& op) {
  TensorType result = tensor_operand(op, 0);
  want_rank_from_1(result);
  const auto axis = static_cast<std::size_t>(axis_attr(op, result));
  for (std::size_t i = 1; i < op.operands.size(); ++i) {
    const TensorType& next = tensor_operand(op, i);
    if (next.dtype != result.dtype || rank(next) != rank(result)) {
      refuse("expected operands of one dtype and rank, found " + brief(result) + " and " +
             brief(next) + " as operand " + std::to_string(i));
    }
    for (std::size_t d = 0; d < next.shape.size(); ++d) {
      std::int64_t& extent = result.shape[d];
      if (d != axis) {
        extent = same_extent(extent, next.shape[d],
                             "expected operand " + std::to_string(i) + " to have the extent of " +
                                 "the others at dimension " + std::to_string(d));
      } else {
        const bool unknown = extent == kUnknown || next.shape[d] == kUnknown;
        extent = unknown ? kUnknown : extent + next.shape[d];
      }
    }
    element_count(result.shape);  // before the next sum could overflow
  }
  return {placed(op, std::move(result))};
}

std::vector<Type> slice(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  const auto& starts = op.ints_attr("starts");
  const auto& ends = op.ints_attr("ends");
  const Shape ones(x.shape.size(), 1);
  const auto& steps = op.op.attrs.contains("steps") ? op.ints_attr("steps") : ones;
  if (starts.size() != x.shape.size() || ends.size() != x.shape.size() ||
      steps.size() != x.shape.size()) {
    refuse("expected a start, an end and a step for each of the " + std::to_string(rank(x)) +
           " dimensions of " + brief(x) + ", found " + std::to_string(starts.size()) + ", " +
           std::to_string(ends.size()) + " and " + std::to_string(steps.size()));
  }
  TensorType result = x;
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    if (steps[d] < 1) {
      refuse("expected a step of at least 1 at dimension " + std::to_string(d) + ", found " +
             std::to_string(steps[d]));
    }
    const std::int64_t extent = x.shape[d];
    if (extent == kUnknown) continue;
    const auto bound = [extent](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + extent : at, 0, extent);
    };
    const std::int64_t length = std::max<std::int64_t>(bound(ends[d]) - bound(starts[d]), 0);
    result.shape[d] = length == 0 ? 0 : (length - 1) / steps[d] + 1;
  }
  return {placed(op, std::move(result))};
}

std::vector<Type> gather(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  const TensorType& indices = tensor_operand(op, 1);
  want_rank_from_1(x);
  if (indices.dtype != DType::kI64 || rank(indices) != 1) {
    refuse("expected operand 1, the indices, to be i64[k], found " + brief(indices));
  }
  const auto axis = static_cast<std::size_t>(axis_attr(op, x));
  if (x.shape[axis] == 0 && indices.shape[0] != 0) {
    refuse("nothing can be gathered from " + brief(x) + ", which is empty along axis " +
           std::to_string(axis));
  }
  TensorType result = x;
  result.shape[axis] = indices.shape[0];
  return {placed(op, std::move(result))};
}

}  // namespace

std::vector<OpSpec> shape_ops() {
  OpSpec gathered = moves_elements({"gather", 2, 2, 0, {"axis"}, {}, gather});
  gathered.public_from = 1;
  OpSpec product = on_secrets({"matmul", 2, 2, 0, {}, {}, matmul}, kInts | kFixeds);
  product.int_with_fixed = true;
  return {
      moves_elements({"broadcast", 1, 1, 0, {"shape"}, {}, broadcast}),
      moves_elements({"concat", 1, -1, 0, {"axis"}, {}, concat}),
      gathered,
      product,
      moves_elements({"reshape", 1, 1, 0, {"shape"}, {}, reshape}),
      moves_elements({"slice", 1, 1, 0, {"ends", "starts"}, {"steps"}, slice}),
      moves_elements({"transpose", 1, 1, 0, {}, {"perm"}, transpose}),
  };
}

}  // namespace curia::ops
