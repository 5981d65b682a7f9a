// Releases with differential privacy: what an owner gives out of its rows, with noise
// (docs/decisions/0016-private-releases.md). Which operands they take says stability.h.
#include <cmath>

#include "protocol/interval.h"
#include "protocol/ops.h"
#include "protocol/privacy.h"

namespace curia::ops {
namespace {

// Bounds beyond have no grid in doubles.
constexpr double kMaxBound = 1e100;
constexpr double kMinWidth = 1e-100;

// epsilon and delta.
void check_cost(const OpContext& op) {
  const double epsilon = op.double_attr("epsilon");
  if (!(epsilon >= kMinEpsilon && epsilon <= kMaxEpsilon)) {
    refuse("expected epsilon from " + number_text(kMinEpsilon) + " to " + number_text(kMaxEpsilon) +
           ", found " + number_text(epsilon));
  }
  if (!op.op.attrs.contains("delta")) return;
  const double delta = op.double_attr("delta");
  if (!(delta > 0 && delta < 1)) {
    refuse("expected delta above 0 and below 1, for Gaussian noise, found " + number_text(delta) +
           "; leave it out for Laplace noise");
  }
}

void check_bounds(const OpContext& op) {
  const double low = op.double_attr("low"), high = op.double_attr("high");
  if (!(low < high && high - low >= kMinWidth && low >= -kMaxBound && high <= kMaxBound)) {
    refuse(
        "expected bounds low < high that rows are clipped to, within 1e100 of 0 and at least "
        "1e-100 apart, found " +
        number_text(low) + " and " + number_text(high));
  }
}

// A number for each row.
const TensorType& rows_of_numbers(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  if (rank(x) != 1 || !is_number(x.dtype)) {
    refuse("expected one number for each row, found " + brief(x) +
           "; take one column, and cast bool");
  }
  return x;
}

std::vector<Type> total(const OpContext& op) {
  rows_of_numbers(op);
  check_bounds(op);
  check_cost(op);
  return {placed(op, TensorType{DType::kF64, {}})};
}

std::vector<Type> count(const OpContext& op) {
  const Type& rows = op.operands[0];
  const bool table = rows.is_table();
  if (!table && rank(tensor_operand(op, 0)) == 0) {
    refuse("expected rows, found " + brief(rows));
  }
  if ((table ? rows.table().rows : rows.tensor().shape[0]) != kUnknown) {
    refuse("everybody knows how many rows " + brief(rows) +
           " has; filter the table by what is to be counted");
  }
  check_cost(op);
  return {placed(op, TensorType{DType::kI64, {}})};
}

std::vector<Type> histogram(const OpContext& op) {
  rows_of_numbers(op);
  check_cost(op);
  const Tensor& edges = op.tensor_attr("edges");
  const TensorType type = edges.type();
  if (type.dtype != DType::kF64 || rank(type) != 1 || type.shape[0] < 2 ||
      type.shape[0] > kMaxBins + 1 || edges.data.size != byte_count(type)) {
    refuse("expected the edges of 1 to " + std::to_string(kMaxBins) +
           " bins as f64[bins + 1], found " + brief(type));
  }
  const auto numbers = edges.as<double>();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (std::isfinite(numbers[i]) && (i == 0 || numbers[i - 1] < numbers[i])) continue;
    refuse("expected edges that are finite and ascend, found " + number_text(numbers[i]) +
           " as number " + std::to_string(i));
  }
  return {placed(op, TensorType{DType::kI64, {type.shape[0] - 1}})};
}

OpSpec release(OpSpec row) {
  row.random = true;
  row.dp = true;
  return row;
}

}  // namespace

std::vector<OpSpec> private_ops() {
  return {
      release({"dp_count", 1, 1, 0, {"epsilon"}, {"delta"}, count}),
      release({"dp_histogram", 1, 1, 0, {"edges", "epsilon"}, {"delta"}, histogram}),
      release({"dp_mean", 1, 1, 0, {"epsilon", "high", "low"}, {"delta"}, total}),
      release({"dp_sum", 1, 1, 0, {"epsilon", "high", "low"}, {"delta"}, total}),
  };
}

}  // namespace curia::ops
