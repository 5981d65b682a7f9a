// random{shape, seed, distribution, dtype}: the same numbers for the same attributes, on every
// machine and with any number of threads.
//
// Generator: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011) with the seed as key. Block i (counter i) gives four 32-bit words w0..w3 and
// from them elements 2i and 2i+1, of the words u = w1:w0 and v = w3:w2:
//   uniform: (u >> 11) / 2^53 and (v >> 11) / 2^53, in [0, 1); f32: (u >> 40) / 2^24 likewise.
//   normal:  Box and Muller (1958), r cos t and r sin t with r = sqrt(-2 log(((u >> 11) + 1) /
//   2^53))
//            and t = 2 pi (v >> 11) / 2^53; f32 is that rounded once.
#include <algorithm>
#include <array>
#include <cmath>

#include "worker/kernels/map.h"
#include "worker/kernels/math.h"

namespace curia {
namespace {

constexpr std::int64_t kBatch = 128;  // blocks computed side by side

// Words of kBatch blocks; word j of block i is w[j][i].
struct Blocks {
  alignas(64) std::array<std::array<std::uint32_t, kBatch>, 4> w;
};

CURIA_INLINE inline void philox(std::uint64_t first, std::uint64_t seed, Blocks& out) {
  for (std::int64_t i = 0; i < kBatch; ++i) {
    const std::uint64_t counter = first + static_cast<std::uint64_t>(i);
    auto c0 = static_cast<std::uint32_t>(counter);
    auto c1 = static_cast<std::uint32_t>(counter >> 32);
    std::uint32_t c2 = 0, c3 = 0;
    auto k0 = static_cast<std::uint32_t>(seed);
    auto k1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c0;
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c2;
      c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
      c1 = static_cast<std::uint32_t>(p1);
      c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c3 = static_cast<std::uint32_t>(p0);
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    const auto at = static_cast<std::size_t>(i);
    out.w[0][at] = c0;
    out.w[1][at] = c1;
    out.w[2][at] = c2;
    out.w[3][at] = c3;
  }
}

// An integer below 2^53 over 2^53, by way of the exponent, which vectorises everywhere.
CURIA_INLINE inline double unit(std::uint32_t high, std::uint32_t low) {
  return static_cast<double>(high >> 5) * 0x1p-27 +
         static_cast<double>((high & 31U) << 21 | low >> 11) * 0x1p-53;
}

struct Uniform {
  CURIA_INLINE void operator()(const Blocks& b, std::size_t i, double* to) const {
    to[0] = unit(b.w[1][i], b.w[0][i]);
    to[1] = unit(b.w[3][i], b.w[2][i]);
  }
  CURIA_INLINE void operator()(const Blocks& b, std::size_t i, float* to) const {
    to[0] = static_cast<float>(b.w[1][i] >> 8) * 0x1p-24F;
    to[1] = static_cast<float>(b.w[3][i] >> 8) * 0x1p-24F;
  }
};

struct Normal {
  template <class T>
  CURIA_INLINE void operator()(const Blocks& b, std::size_t i, T* to) const {
    const double u = unit(b.w[1][i], b.w[0][i]) + 0x1p-53;
    const double r = std::sqrt(-2.0 * math::log(u));
    double cosine, sine;
    math::sincos_turn(unit(b.w[3][i], b.w[2][i]), &cosine, &sine);
    to[0] = static_cast<T>(r * cosine);
    to[1] = static_cast<T>(r * sine);
  }
};

// Elements begin..end, begin a multiple of 2 * kBatch.
template <class Draw, class T>
void fill(std::uint64_t seed, T* to, std::int64_t begin, std::int64_t end) {
  Blocks blocks;
  alignas(64) std::array<T, 2 * kBatch> drawn;
  for (std::int64_t at = begin; at < end; at += 2 * kBatch) {
    with_wide_simd(
        [](std::uint64_t first, std::uint64_t key, Blocks* words, T* __restrict out) CURIA_INLINE {
          philox(first, key, *words);
          for (std::size_t i = 0; i < kBatch; ++i) Draw()(*words, i, out + 2 * i);
        },
        static_cast<std::uint64_t>(at) / 2, seed, &blocks, drawn.data());
    std::copy_n(drawn.data(), std::min(2 * kBatch, end - at), to + at);
  }
}

template <class T>
Tensor draw(const KernelContext& ctx, DType dtype, bool normal) {
  Output out(dtype, ctx.ints_attr("shape"));
  const auto seed = static_cast<std::uint64_t>(ctx.int_attr("seed"));
  ctx.for_chunks(out.elements, 64 * kBatch, [&](std::int64_t begin, std::int64_t end) {
    if (normal) {
      fill<Normal>(seed, out.as<T>(), begin, end);
    } else {
      fill<Uniform>(seed, out.as<T>(), begin, end);
    }
  });
  return std::move(out).finish();
}

std::vector<ValuePtr> random(const KernelContext& ctx) {
  const std::string& distribution = ctx.string_attr("distribution");
  if (distribution != "uniform" && distribution != "normal") {
    throw Error(Code::kInvalid,
                "expected the distribution uniform or normal, found \"" + distribution + "\"");
  }
  const bool normal = distribution == "normal";
  const DType dtype = parse_dtype(ctx.string_attr("dtype"));
  if (dtype == DType::kF64) return one(draw<double>(ctx, dtype, normal));
  if (dtype == DType::kF32) return one(draw<float>(ctx, dtype, normal));
  throw Error(Code::kInvalid,
              "expected the dtype f32 or f64, found " + std::string(dtype_name(dtype)));
}

constexpr KernelEntry kTable[] = {{"random", random}};

}  // namespace

std::span<const KernelEntry> random_kernels() { return kTable; }

}  // namespace curia
