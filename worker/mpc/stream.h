// Random numbers that two members draw from a common secret without talking: AES-128 in counter
// mode, the correlated randomness of Araki et al., CCS 2016, section 2.2.
//
// Invariant: every place (op, step, use, position) of a stream is drawn at most once by its owner.
// Thread: immutable, so any.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace curia {

// Where in a stream: the counter block is (op, step, use, position / 16 bytes), 32 bits each.
struct StreamPlace {
  std::uint32_t op = 0;
  std::uint32_t step = 0;
  std::uint32_t use = 0;
};

class MaskStream {
 public:
  // `level`: the most that may be used of 2 VAES, 1 AES-NI, 0 OpenSSL; what the processor has not
  // is not used.
  explicit MaskStream(const std::array<std::uint8_t, 32>& seed, int level = 2);
  ~MaskStream();
  MaskStream(const MaskStream&) = delete;
  MaskStream& operator=(const MaskStream&) = delete;

  // `words` numbers of 64 bits, from number `first` of the place on.
  // REQUIRES: first is a multiple of 8. Errors: kInvalid beyond 2^33 numbers in one place.
  void fill(StreamPlace place, std::int64_t first, std::uint64_t* out, std::int64_t words) const;

 private:
  alignas(64) std::array<std::uint8_t, 11 * 16> round_keys_;
  std::array<std::uint8_t, 16> key_;
  const int level_;
};

}  // namespace curia
