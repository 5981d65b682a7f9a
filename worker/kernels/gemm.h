// Matrix multiplication in plain vector code: for integers, and for floats on processors that the
// installed OpenBLAS does not know.
#pragma once

#include <cstdint>

#include "worker/kernels/kernel.h"

namespace curia {

struct MatmulSizes {
  std::int64_t m, k, n;  // [m,k] x [k,n]
};

// c = a x b, row-major, on all threads of the context. T: float, double or an unsigned integer,
// which wraps. REQUIRES: m, k, n > 0.
template <class T>
void blocked_matmul(const KernelContext& ctx, MatmulSizes s, const T* a, const T* b, T* c);

}  // namespace curia
