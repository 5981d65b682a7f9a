// Numbers as planes of bits: plane j holds bit j of 64 numbers a word.
#pragma once

#include <cstdint>

namespace curia::mpc {

// Planes 0..planes - 1 of x[0..n): bit i % 64 of word i / 64 of plane j, at out + j * stride, is
// bit j of x[i], or of -x[i]. Writes `stride` words of each plane at most; zeros stand behind x[n -
// 1]. REQUIRES: stride is plane_words(n); planes <= 64.
void to_planes(const std::uint64_t* x, std::int64_t n, bool negate, int planes, std::uint64_t* out,
               std::int64_t stride);

// out[i] = bit i of `bits`, as the number 0 or 1.
void spread_bits(const std::uint64_t* bits, std::int64_t n, std::uint64_t* out);

}  // namespace curia::mpc
