// Secrets as ring elements or packed bits, and as three parts: what an owner needs to share data
// with a secure device it is no member of, and a driver to put a revealed result together.
// Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "protocol/type.h"
#include "protocol/value.h"

namespace curia {

// Numbers must lie in -2^(62 - fraction_bits) .. 2^(62 - fraction_bits), so that the difference of
// any two still has a sign. For kInt fraction_bits is 0.
inline constexpr int kSecretRangeBits = 62;

// The tensor as elements of Z_2^64 (u64, little-endian), or as packed bits padded to part_bytes().
// kBool takes bool; kInt bool and ints; kFixed bool, ints, f32 and f64, rounded to the nearest.
// Errors: kInvalid for another dtype or shape, and for a number that is not finite or out of range;
// the message does not say which number.
Slice encode_secret(const Tensor& clear, const SecretType& type);

// The inverse, as clear_type(type). REQUIRES: part_bytes(type) bytes (checked; kCorrupt).
Tensor decode_secret(const Slice& ring, const SecretType& type);

// Fills memory with secure randomness.
using RandomFill = std::function<void(std::span<std::uint8_t>)>;

// Three uniform parts of what encode_secret() gave. Part i and part (i + 1) mod 3 are the share of
// the member of rank i. Any two parts tell nothing.
std::array<Slice, 3> split_secret(const Slice& ring, const SecretType& type,
                                  const RandomFill& random = random_bytes);

// What split_secret() took, from all three parts. Errors: kCorrupt for a part of the wrong size.
Slice join_parts(std::span<const Slice, 3> parts, const SecretType& type);

// The secret of three shares, of the members of rank 0, 1 and 2 in this order.
// Errors: kInvalid unless there are three of one type and instance; kCorrupt when a part of one
// member is not what the next member holds.
Tensor reconstruct(std::span<const Share> shares);

}  // namespace curia
