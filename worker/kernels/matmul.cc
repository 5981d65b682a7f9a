// matmul: [m,k]x[k,n], [m,k]x[k], [k]x[k,n] and [k]x[k] (a scalar). Floats go to OpenBLAS; the last
// digits depend on its kernel for this CPU. Integers wrap.
#include <cblas.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "worker/kernels/map.h"

namespace curia {
namespace {

struct Sizes {
  std::int64_t m, k, n;
};

// Multiply-adds in one call of the library: the time between two polls stays below a second.
constexpr std::int64_t kCallWork = std::int64_t{4} << 30;

void gemm(Sizes s, const double* a, const double* b, double* c) {
  const auto m = static_cast<blasint>(s.m), n = static_cast<blasint>(s.n),
             k = static_cast<blasint>(s.k);
  if (s.n == 1) {
    cblas_dgemv(CblasRowMajor, CblasNoTrans, m, k, 1, a, k, b, 1, 0, c, 1);
  } else if (s.m == 1) {
    cblas_dgemv(CblasRowMajor, CblasTrans, k, n, 1, b, n, a, 1, 0, c, 1);
  } else {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c, n);
  }
}

void gemm(Sizes s, const float* a, const float* b, float* c) {
  const auto m = static_cast<blasint>(s.m), n = static_cast<blasint>(s.n),
             k = static_cast<blasint>(s.k);
  if (s.n == 1) {
    cblas_sgemv(CblasRowMajor, CblasNoTrans, m, k, 1, a, k, b, 1, 0, c, 1);
  } else if (s.m == 1) {
    cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1, b, n, a, 1, 0, c, 1);
  } else {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c, n);
  }
}

// A row of c by a strip of columns, four rows of b at a time, over a block of k whose part of b
// stays in the cache.
constexpr std::int64_t kRows = 4, kDepth = 128, kStrip = 512;

// Products of narrow integers would be promoted to int, which can overflow.
template <class T>
using Wide = std::conditional_t<(sizeof(T) < 4), std::uint32_t, T>;

template <class T>
void multiply_rows(Sizes s, const T* a, const T* b, T* c, std::int64_t begin, std::int64_t end) {
  std::fill(c + begin * s.n, c + end * s.n, T{0});
  for (std::int64_t k0 = 0; k0 < s.k; k0 += kDepth) {
    const std::int64_t k1 = std::min(k0 + kDepth, s.k);
    for (std::int64_t j0 = 0; j0 < s.n; j0 += kStrip) {
      const std::int64_t width = std::min(kStrip, s.n - j0);
      for (std::int64_t i = begin; i < end; ++i) {
        T* __restrict row = c + i * s.n + j0;
        const T* left = a + i * s.k;
        with_wide_simd([=]() CURIA_INLINE {
          std::int64_t k = k0;
          for (; k + kRows <= k1; k += kRows) {
            const Wide<T> x0 = left[k], x1 = left[k + 1], x2 = left[k + 2], x3 = left[k + 3];
            const T* b0 = b + k * s.n + j0;
            const T *b1 = b0 + s.n, *b2 = b1 + s.n, *b3 = b2 + s.n;
            for (std::int64_t j = 0; j < width; ++j) {
              row[j] = static_cast<T>(row[j] + x0 * b0[j] + x1 * b1[j] + x2 * b2[j] + x3 * b3[j]);
            }
          }
          for (; k < k1; ++k) {
            const Wide<T> x = left[k];
            const T* below = b + k * s.n + j0;
            for (std::int64_t j = 0; j < width; ++j) {
              row[j] = static_cast<T>(row[j] + x * below[j]);
            }
          }
        });
      }
    }
  }
}

// The matrix-vector form, where b's rows are single elements.
template <class T>
void dot_rows(Sizes s, const T* a, const T* b, T* c, std::int64_t begin, std::int64_t end) {
  with_wide_simd([=]() CURIA_INLINE {
    for (std::int64_t i = begin; i < end; ++i) {
      Wide<T> sum = 0;
      for (std::int64_t k = 0; k < s.k; ++k) sum += Wide<T>{a[i * s.k + k]} * b[k];
      c[i] = static_cast<T>(sum);
    }
  });
}

template <class T>
void multiply_ints(const KernelContext& ctx, Sizes s, const T* a, const T* b, T* c) {
  const std::int64_t work = std::max<std::int64_t>(1, s.k * s.n);
  const std::int64_t grain = std::clamp<std::int64_t>((1 << 21) / work, 1, 64);
  ctx.for_chunks(s.m, grain, [&](std::int64_t begin, std::int64_t end) {
    if (s.n == 1) {
      dot_rows(s, a, b, c, begin, end);
    } else {
      multiply_rows(s, a, b, c, begin, end);
    }
  });
}

template <class T>
void multiply_floats(const KernelContext& ctx, Sizes s, const T* a, const T* b, T* c) {
  const std::int64_t most = std::numeric_limits<blasint>::max();
  expect(s.k <= most && s.n <= most && s.m <= most,
         "a matrix has more than 2^31-1 rows or columns");
  const std::int64_t work = std::max<std::int64_t>(1, s.k * s.n);
  const std::int64_t panel = std::clamp<std::int64_t>(kCallWork / work, 1, s.m);
  for (std::int64_t i = 0; i < s.m; i += panel) {
    ctx.poll();
    gemm({std::min(panel, s.m - i), s.k, s.n}, a + i * s.k, b, c + i * s.n);
  }
}

std::vector<ValuePtr> matmul(const KernelContext& ctx) {
  const Tensor& a = ctx.tensor(0);
  const Tensor& b = ctx.tensor(1);
  const auto refuse = [&](const std::string& wanted) {
    throw Error(Code::kInvalid, "expected " + wanted + ", found " + type_text(a.type()) + " and " +
                                    type_text(b.type()));
  };
  if (a.dtype != b.dtype || !is_number(a.dtype)) refuse("two tensors of numbers of one dtype");
  const std::size_t left = a.shape.size(), right = b.shape.size();
  if (left < 1 || left > 2 || right < 1 || right > 2) refuse("vectors or matrices");
  if (a.shape.back() != b.shape.front()) refuse("inner extents that match");
  Shape shape(a.shape.begin(), a.shape.end() - 1);
  shape.insert(shape.end(), b.shape.begin() + 1, b.shape.end());
  const Sizes s{left == 2 ? a.shape[0] : 1, a.shape.back(), right == 2 ? b.shape[1] : 1};
  Output out(a.dtype, shape);
  if (out.elements == 0) return one(std::move(out).finish());
  if (s.k == 0) {
    out.zero();
    return one(std::move(out).finish());
  }
  if (a.dtype == DType::kF64) {
    multiply_floats(ctx, s, elements_of<double>(a), elements_of<double>(b), out.as<double>());
  } else if (a.dtype == DType::kF32) {
    multiply_floats(ctx, s, elements_of<float>(a), elements_of<float>(b), out.as<float>());
  } else {
    with_width(a.dtype, [&](auto zero) {
      using T = decltype(zero);  // unsigned, so that it wraps
      multiply_ints(ctx, s, elements_of<T>(a), elements_of<T>(b), out.as<T>());
    });
  }
  return one(std::move(out).finish());
}

constexpr KernelEntry kTable[] = {{"matmul", matmul}};

}  // namespace

std::span<const KernelEntry> matmul_kernels() { return kTable; }

}  // namespace curia
