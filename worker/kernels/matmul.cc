// matmul: [m,k]x[k,n], [m,k]x[k], [k]x[k,n] and [k]x[k] (a scalar). Floats go to OpenBLAS where it
// knows the processor; their last digits depend on the machine. Integers wrap.
#include <cblas.h>

#include <algorithm>
#include <limits>
#include <string_view>

#include "worker/kernels/gemm.h"
#include "worker/kernels/map.h"

namespace curia {
namespace {

// Multiply-adds in one call of the library: the time between two polls stays below a second.
constexpr std::int64_t kCallWork = std::int64_t{4} << 30;

void gemm(MatmulSizes s, const double* a, const double* b, double* c) {
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

void gemm(MatmulSizes s, const float* a, const float* b, float* c) {
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

// OpenBLAS falls back to a kernel for the processors of 2005 where it does not know a newer one;
// ours is then several times faster.
bool openblas_fits() {
  static const bool fits = [] {
    const std::string_view core = openblas_get_corename();
    const bool old = core == "Prescott" || core == "Nehalem" || core == "Barcelona";
    return !(old && simd_fma());
  }();
  return fits;
}

// Integers times a vector; wraps as T does.
template <class T>
void dot_rows(const KernelContext& ctx, MatmulSizes s, const T* a, const T* b, T* c) {
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 17) / s.k);
  ctx.for_chunks(s.m, grain, [&](std::int64_t begin, std::int64_t end) {
    with_wide_simd(
        [](const T* row, const T* x, std::int64_t k, std::int64_t rows, T* out) CURIA_INLINE {
          for (std::int64_t i = 0; i < rows; ++i, row += k) {
            std::uint64_t sum = 0;
            for (std::int64_t j = 0; j < k; ++j) sum += std::uint64_t{row[j]} * x[j];
            out[i] = static_cast<T>(sum);
          }
        },
        a + begin * s.k, b, s.k, end - begin, c + begin);
  });
}

template <class T>
void multiply_ints(const KernelContext& ctx, MatmulSizes s, const T* a, const T* b, T* c) {
  if (s.n == 1) return dot_rows(ctx, s, a, b, c);
  blocked_matmul(ctx, s, a, b, c);
}

template <class T>
void multiply_floats(const KernelContext& ctx, MatmulSizes s, const T* a, const T* b, T* c) {
  const std::int64_t most = std::numeric_limits<blasint>::max();
  const bool small = s.k <= most && s.n <= most && s.m <= most;
  if (!small || (s.m >= 4 && s.n >= 4 && !openblas_fits())) return blocked_matmul(ctx, s, a, b, c);
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
  const MatmulSizes s{left == 2 ? a.shape[0] : 1, a.shape.back(), right == 2 ? b.shape[1] : 1};
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
