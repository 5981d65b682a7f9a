// Moving elements: what other kernels need of transpose.
#pragma once

#include <vector>

#include "worker/kernels/kernel.h"

namespace curia {

// Dimension i of the result is dimension perm[i] of `x`. Shares the data where the order of
// elements stays. Errors: kInvalid unless perm is a permutation of 0..rank-1.
Tensor transpose(const KernelContext& ctx, const Tensor& x, const std::vector<std::int64_t>& perm);

}  // namespace curia
