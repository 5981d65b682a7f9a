#include "worker/kernels/gemm.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "protocol/simd.h"

namespace curia {
namespace {

// 8-bit products have no vector instruction; what is cut off at the end does not depend on the
// width. 16-bit ones would be promoted to int and overflow it, but not lane by lane in a vector.
template <class T>
using Wide = std::conditional_t<sizeof(T) == 1, std::uint16_t, T>;

template <class W, std::size_t bytes>
struct Vector {
  using type [[gnu::vector_size(bytes)]] = W;
};

constexpr std::int64_t kDepth = 128;  // of a packed panel of b, which then stays in the cache

// A tile of c, `rows` by `vectors` of `bytes`, is kept in registers while a panel of b goes by.
template <class T, std::size_t bytes, std::size_t rows, std::size_t vectors>
struct Tile {
  using W = Wide<T>;
  using V = typename Vector<W, bytes>::type;
  static constexpr std::int64_t kCols = vectors * bytes / sizeof(W);

  struct Panel {
    alignas(64) std::array<W, kDepth * kCols> b;
  };

  // Rows k0..k0+depth of columns j0.. of b, side by side; zeros beyond the last column.
  static void pack(MatmulSizes s, const T* b, std::int64_t k0, std::int64_t depth, std::int64_t j0,
                   Panel& panel) {
    const std::int64_t cols = std::min(kCols, s.n - j0);
    W* to = panel.b.data();
    for (std::int64_t k = 0; k < depth; ++k, to += kCols) {
      const T* from = b + (k0 + k) * s.n + j0;
      std::fill(std::copy(from, from + cols, to), to + kCols, W{0});
    }
  }

  // Adds rows begin..end of a times the panel to c; `a` and `c` point at the panel's first row and
  // column, their rows are `lda` and `ldc` apart.
  CURIA_INLINE static void multiply(const T* a, std::int64_t lda, const Panel* panel, T* c,
                                    std::int64_t ldc, std::int64_t depth, std::int64_t cols,
                                    std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i += rows) {
      const std::int64_t valid = std::min<std::int64_t>(rows, end - i);
      std::array<const T*, rows> row;  // the last one again where there are fewer
      for (std::size_t r = 0; r < rows; ++r) {
        row[r] = a + (i + std::min(static_cast<std::int64_t>(r), valid - 1)) * lda;
      }
      V sum[rows][vectors] = {};
      const auto* b = reinterpret_cast<const V*>(panel->b.data());
      for (std::int64_t k = 0; k < depth; ++k, b += vectors) {
        for (std::size_t r = 0; r < rows; ++r) {
          const W x = row[r][k];
          for (std::size_t v = 0; v < vectors; ++v) sum[r][v] += b[v] * x;
        }
      }
      alignas(64) std::array<std::array<W, kCols>, rows> found;
      std::memcpy(found.data(), sum, sizeof(found));
      for (std::int64_t r = 0; r < valid; ++r) {
        T* to = c + (i + r) * ldc;
        const W* from = found[static_cast<std::size_t>(r)].data();
        for (std::int64_t j = 0; j < cols; ++j) to[j] = static_cast<T>(to[j] + from[j]);
      }
    }
  }

  static void rows_of(const KernelContext& ctx, MatmulSizes s, const T* a, const T* b, T* c,
                      std::int64_t begin, std::int64_t end) {
    std::fill(c + begin * s.n, c + end * s.n, T{0});
    Panel panel;
    for (std::int64_t k0 = 0; k0 < s.k; k0 += kDepth) {
      const std::int64_t depth = std::min(kDepth, s.k - k0);
      for (std::int64_t j0 = 0; j0 < s.n; j0 += kCols) {
        ctx.poll();
        pack(s, b, k0, depth, j0, panel);
        with_fma_simd([](auto... args) CURIA_INLINE { multiply(args...); }, a + k0, s.k,
                      static_cast<const Panel*>(&panel), c + j0, s.n, depth,
                      std::min(kCols, s.n - j0), begin, end);
      }
    }
  }
};

}  // namespace

template <class T>
void blocked_matmul(const KernelContext& ctx, MatmulSizes s, const T* a, const T* b, T* c) {
  // Every chunk packs b again, so it takes many rows.
  const std::int64_t grain = std::clamp<std::int64_t>((s.m + 3) / 4, 64, 256);
  ctx.for_chunks(s.m, grain, [&](std::int64_t begin, std::int64_t end) {
    if (simd_level() == 2) {
      Tile<T, 64, 8, 3>::rows_of(ctx, s, a, b, c, begin, end);
    } else if (simd_fma()) {
      Tile<T, 32, 6, 2>::rows_of(ctx, s, a, b, c, begin, end);
    } else {
      Tile<T, 16, 4, 2>::rows_of(ctx, s, a, b, c, begin, end);
    }
  });
}

template void blocked_matmul(const KernelContext&, MatmulSizes, const std::uint8_t*,
                             const std::uint8_t*, std::uint8_t*);
template void blocked_matmul(const KernelContext&, MatmulSizes, const std::uint16_t*,
                             const std::uint16_t*, std::uint16_t*);
template void blocked_matmul(const KernelContext&, MatmulSizes, const std::uint32_t*,
                             const std::uint32_t*, std::uint32_t*);
template void blocked_matmul(const KernelContext&, MatmulSizes, const std::uint64_t*,
                             const std::uint64_t*, std::uint64_t*);
template void blocked_matmul(const KernelContext&, MatmulSizes, const float*, const float*, float*);
template void blocked_matmul(const KernelContext&, MatmulSizes, const double*, const double*,
                             double*);

}  // namespace curia
