#include "worker/kernels/noise.h"

#include "protocol/error.h"

namespace curia {

std::uint8_t NoiseSource::byte() {
  if (used_ == bytes_.size()) {
    fill_(bytes_);
    used_ = 0;
  }
  return bytes_[used_++];
}

UnsignedWide NoiseSource::below(UnsignedWide bound) {
  const UnsignedWide last = bound - 1;
  UnsignedWide mask = 0;
  int bytes = 0;
  while (mask < last) {
    const UnsignedWide grown = mask << 1 | 1;
    mask = grown;
  }
  for (UnsignedWide rest = mask; rest != 0; rest >>= 8) ++bytes;
  for (;;) {
    UnsignedWide x = 0;
    for (int i = 0; i < bytes; ++i) x = x << 8 | byte();
    x &= mask;
    if (x <= last) return x;
  }
}

// Algorithm 1 of the paper, for a / b in [0, 1]: the number of rounds is odd with this probability.
bool NoiseSource::exp_minus_fraction(UnsignedWide a, UnsignedWide b) {
  for (std::uint64_t k = 1;; ++k) {
    // a / (b k) as two independent draws, whose terms fit.
    if (!(below(b) < a && below(k) == 0)) return k % 2 == 1;
  }
}

bool NoiseSource::exp_minus(UnsignedWide a, UnsignedWide b) {
  for (; a > b; a -= b) {
    if (!exp_minus_fraction(1, 1)) return false;
  }
  return exp_minus_fraction(a, b);
}

// Algorithm 2.
Wide NoiseSource::laplace(std::uint64_t numerator, std::uint64_t denominator) {
  for (;;) {
    const UnsignedWide u = below(numerator);
    if (!exp_minus(u, numerator)) continue;
    UnsignedWide v = 0;
    while (exp_minus_fraction(1, 1)) ++v;
    const UnsignedWide y = (u + numerator * v) / denominator;
    const bool negative = below(2) == 1;
    if (negative && y == 0) continue;
    return negative ? -static_cast<Wide>(y) : static_cast<Wide>(y);
  }
}

// Algorithm 3 with t = sigma: a sample y of the discrete Laplace distribution of scale sigma is
// kept with probability exp(-(|y| - sigma)^2 / (2 sigma^2)).
Wide NoiseSource::gaussian(std::uint64_t numerator, int bits) {
  const UnsignedWide sigma = numerator;
  for (;;) {
    const Wide y = laplace(numerator, std::uint64_t{1} << bits);
    const UnsignedWide size = static_cast<UnsignedWide>(y < 0 ? -y : y) << bits;
    const UnsignedWide distance = size > sigma ? size - sigma : sigma - size;
    if (distance >= sigma * 64) {
      // Its square would not fit. Kept with a probability below exp(-64 * 64 / 2).
      if (!exp_minus(2048, 1)) continue;
      throw Error(Code::kFailed, "the noise of a release is beyond all bounds; run it again");
    }
    if (exp_minus(distance * distance, 2 * sigma * sigma)) return y;
  }
}

}  // namespace curia
