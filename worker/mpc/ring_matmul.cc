#include "worker/mpc/ring_matmul.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "protocol/simd.h"

namespace curia::mpc {
namespace {

using Words = std::uint64_t;

// Columns of a panel: three vectors of AVX-512, six of AVX2. A matrix with one column stays as it
// is.
constexpr std::int64_t kPanel = 24;
constexpr std::int64_t kDepth = 128;  // rows of a panel that stay in the cache while rows of a pass

template <class W, std::size_t bytes>
struct Vector {
  using type [[gnu::vector_size(bytes)]] = W;
};

// c[rows of a, columns of a panel] += a x panel, with a tile of c in registers.
template <class W, std::size_t bytes, std::size_t rows, std::size_t vectors>
struct Tile {
  using V = typename Vector<W, bytes>::type;
  static constexpr std::int64_t kCols = vectors * bytes / 8;
  static_assert(kPanel % kCols == 0);

  CURIA_INLINE static void multiply(const Words* a, std::int64_t lda, const Words* panel, Words* c,
                                    std::int64_t ldc, std::int64_t depth, std::int64_t cols,
                                    std::int64_t count) {
    for (std::int64_t j = 0; j < cols; j += kCols) {
      for (std::int64_t i = 0; i < count; i += rows) {
        const std::int64_t valid = std::min<std::int64_t>(rows, count - i);
        const Words* row[rows];  // the last one again where there are fewer
        for (std::size_t r = 0; r < rows; ++r) {
          row[r] = a + (i + std::min(static_cast<std::int64_t>(r), valid - 1)) * lda;
        }
        V sum[rows][vectors] = {};
        const Words* b = panel + j;
        for (std::int64_t k = 0; k < depth; ++k, b += kPanel) {
          const auto* vector = reinterpret_cast<const V*>(b);
          for (std::size_t r = 0; r < rows; ++r) {
            const Words x = row[r][k];
            for (std::size_t v = 0; v < vectors; ++v) sum[r][v] += vector[v] * x;
          }
        }
        alignas(64) std::array<std::array<Words, kCols>, rows> found;
        std::memcpy(found.data(), sum, sizeof(found));
        const std::int64_t width = std::min(kCols, cols - j);
        for (std::int64_t r = 0; r < valid; ++r) {
          Words* to = c + (i + r) * ldc + j;
          const Words* from = found[static_cast<std::size_t>(r)].data();
          for (std::int64_t x = 0; x < width; ++x) to[x] += from[x];
        }
      }
    }
  }
};

void multiply_column(const Words* a, std::int64_t rows, std::int64_t k, const Words* b, Words* c) {
  const auto body = [](const Words* x, const Words* y, Words* to, std::int64_t count,
                       std::int64_t length) CURIA_INLINE {
    for (std::int64_t i = 0; i < count; ++i, x += length) {
      Words sum = 0;
      for (std::int64_t j = 0; j < length; ++j) sum += x[j] * y[j];
      to[i] += sum;
    }
  };
  with_wide_simd(body, a, b, c, rows, k);
}

}  // namespace

PackedMatrix::PackedMatrix(std::int64_t k, std::int64_t n, const Words* b, const Words* also)
    : k_(k),
      n_(n),
      packed_(Buffer::allocate(8 * k * (n == 1 ? 1 : (n + kPanel - 1) / kPanel * kPanel))) {
  // Rows of b are read as they lie; each goes to all panels.
  const std::int64_t panel = n == 1 ? 1 : kPanel;
  for (std::int64_t i = 0; i < k; ++i) {
    auto* to = reinterpret_cast<Words*>(packed_->data()) + i * panel;
    for (std::int64_t j = 0; j < n; j += panel, to += k * panel) {
      const Words* const from = b + i * n + j;
      const Words* const more = also == nullptr ? nullptr : also + i * n + j;
      const std::int64_t cols = std::min(panel, n - j);
      for (std::int64_t x = 0; x < cols; ++x) to[x] = from[x] + (more == nullptr ? 0 : more[x]);
      std::fill(to + cols, to + panel, Words{0});
    }
  }
}

void PackedMatrix::multiply_add(const Words* a, std::int64_t rows, Words* c, int level) const {
  const auto* const packed = reinterpret_cast<const Words*>(packed_->data());
  if (rows == 0 || k_ == 0) return;
  if (n_ == 1) return multiply_column(a, rows, k_, packed, c);
  for (std::int64_t k0 = 0; k0 < k_; k0 += kDepth) {
    const std::int64_t depth = std::min(kDepth, k_ - k0);
    for (std::int64_t j = 0; j < n_; j += kPanel) {
      const Words* const panel = packed + j * k_ + k0 * kPanel;
      const std::int64_t cols = std::min(kPanel, n_ - j);
#if CURIA_SIMD_LEVELS
      if (level == 2 && simd_level() == 2) {
        simd::run_avx512([](auto... args)
                             CURIA_INLINE { Tile<Words, 64, 8, 3>::multiply(args...); },
                         a + k0, k_, panel, c + j, n_, depth, cols, rows);
        continue;
      }
#endif
      const auto body = [](auto... args) CURIA_INLINE { Tile<Words, 32, 4, 2>::multiply(args...); };
      if (level > 0) {
        with_simd(body, a + k0, k_, panel, c + j, n_, depth, cols, rows);
      } else {
        body(a + k0, k_, panel, c + j, n_, depth, cols, rows);
      }
    }
  }
}

}  // namespace curia::mpc
