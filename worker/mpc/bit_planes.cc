#include "worker/mpc/bit_planes.h"

#include <algorithm>
#include <cstring>

#include "protocol/simd.h"

namespace curia::mpc {
namespace {

using Words = std::uint64_t;
using Lanes [[gnu::vector_size(64)]] = Words;
constexpr std::int64_t kBlock = 512;  // numbers: a vector of eight 64 x 64 bit matrices

// Transposes the eight matrices: rows are vectors. (Warren, Hacker's Delight, section 7-3.)
CURIA_INLINE inline void transpose(Lanes* row) {
  Words keep = 0x00000000ffffffff;
  for (int j = 32; j != 0; j >>= 1, keep ^= keep << j) {
    for (int k = 0; k < 64; k = (k + j + 1) & ~j) {
      const Lanes t = ((row[k] >> j) ^ row[k + j]) & keep;
      row[k] ^= t << j;
      row[k + j] ^= t;
    }
  }
}

}  // namespace

void to_planes(const Words* x, std::int64_t n, bool negate, int planes, Words* out,
               std::int64_t stride) {
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, n - begin);
    alignas(64) Words rows[kBlock];
    alignas(64) Words padded[kBlock];
    const Words* from = x + begin;
    if (count < kBlock) {
      std::fill(std::copy_n(from, count, padded), padded + kBlock, Words{0});
      from = padded;
    }
    const auto body = [](const Words* numbers, Words* matrix, bool minus) CURIA_INLINE {
      for (std::int64_t r = 0; r < 64; ++r) {
        for (std::int64_t lane = 0; lane < 8; ++lane) {
          matrix[r * 8 + lane] = numbers[lane * 64 + r];
        }
      }
      auto* row = reinterpret_cast<Lanes*>(matrix);
      if (minus) {
        for (int r = 0; r < 64; ++r) row[r] = -row[r];
      }
      transpose(row);
    };
    with_wide_simd(body, from, static_cast<Words*>(rows), negate);
    const std::int64_t word = begin / 64;
    const std::int64_t width = std::min<std::int64_t>(8, stride - word);
    for (int j = 0; j < planes; ++j) {
      std::copy_n(rows + j * 8, width, out + j * stride + word);
    }
  }
}

void spread_bits(const Words* bits, std::int64_t n, Words* out) {
  const auto body = [](const Words* from, std::int64_t words, Words* to) CURIA_INLINE {
    for (std::int64_t w = 0; w < words; ++w, to += 64) {
      const Words word = from[w];
      for (Words i = 0; i < 64; ++i) to[i] = (word >> i) & 1;
    }
  };
  with_wide_simd(body, bits, n / 64, out);
  for (std::int64_t i = n / 64 * 64; i < n; ++i) out[i] = bits[i / 64] >> (i % 64) & 1;
}

}  // namespace curia::mpc
