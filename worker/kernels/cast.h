// Saturating conversion between dtypes; the rules are those of the op `cast`.
#pragma once

#include "worker/kernels/map.h"

namespace curia {

// The loop over contiguous elements. Errors: kInvalid for strings.
Loop cast_loop(DType from, DType to);

// `x` itself where nothing changes.
Tensor cast(const KernelContext& ctx, const Tensor& x, DType to);

}  // namespace curia
