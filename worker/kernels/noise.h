// Noise for differential privacy: exact samples of the discrete Laplace and discrete Gaussian
// distributions, with integer arithmetic only, by C. Canonne, G. Kamath, T. Steinke, "The discrete
// Gaussian for differential privacy", NeurIPS 2020, section 5.
//
// No floating-point number takes part, so there is no pattern in low bits from which the value
// beneath could be read (I. Mironov, "On significance of the least significant bits for
// differential privacy", CCS 2012). How long a sample takes depends on the sample.
//
// Thread: one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace curia {

__extension__ using Wide = __int128;
__extension__ using UnsignedWide = unsigned __int128;

class NoiseSource {
 public:
  using Fill = std::function<void(std::span<std::uint8_t>)>;

  // fill: independent, uniform random bytes.
  explicit NoiseSource(Fill fill) : fill_(std::move(fill)) {}

  // Any integer x, with probability proportional to exp(-|x| denominator / numerator).
  // REQUIRES: 0 < numerator <= 2^62, 0 < denominator <= 2^62.
  Wide laplace(std::uint64_t numerator, std::uint64_t denominator);

  // Any integer x, with probability proportional to exp(-x^2 / (2 sigma^2)), sigma being
  // numerator / 2^bits. Errors: kFailed with a probability below exp(-2048).
  // REQUIRES: 0 < numerator <= 2^56, 0 <= bits <= 32.
  Wide gaussian(std::uint64_t numerator, int bits);

  // 0 <= x < bound, all alike. REQUIRES: bound > 0.
  UnsignedWide below(UnsignedWide bound);
  // True with probability exp(-a / b). REQUIRES: b > 0.
  bool exp_minus(UnsignedWide a, UnsignedWide b);

 private:
  std::uint8_t byte();
  bool exp_minus_fraction(UnsignedWide a, UnsignedWide b);  // a <= b

  Fill fill_;
  std::array<std::uint8_t, 256> bytes_{};
  std::size_t used_ = 256;
};

}  // namespace curia
