// Accurate sums, shared by reductions and group_by.
#pragma once

#include <cmath>

#include "protocol/type.h"

namespace curia {

// What `sum` returns for operands of this dtype: i64 for bools and signed integers, u64 for
// unsigned ones, floats as they are.
inline DType sum_dtype(DType dtype) {
  if (is_float(dtype)) return dtype;
  return is_unsigned_int(dtype) ? DType::kU64 : DType::kI64;
}

// A float sum as the plain one and the sum of what its roundings lost (Knuth's two-sum, as
// Neumaier and Ogita, Rump and Oishi use it). total() errs as if computed with twice the digits.
struct Sum {
  double plain = 0;
  double lost = 0;

  void add(double x) {
    const double next = plain + x;
    const double part = next - plain;
    lost += (plain - (next - part)) + (x - part);
    plain = next;
  }
  void add(const Sum& other) {
    add(other.plain);
    lost += other.lost;
  }
  // With infinities the losses are not numbers and the plain sum is right.
  double total() const {
    const double sum = plain + lost;
    return std::isnan(sum) ? plain : sum;
  }
};

}  // namespace curia
