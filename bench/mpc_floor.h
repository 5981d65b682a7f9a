// The floor of an op on a secure device: the arithmetic that one member cannot avoid, as bare loops
// on memory that is already there.
#pragma once

#include <cstdint>

namespace curia::bench {

// Seconds for the products of shares of `words` 64-bit words, median of three: two multiplications
// a word, or two conjunctions of 64 bits; `times` in a row.
double bare_products(std::int64_t words, bool logic, int times = 1);

// Seconds for the two local products of n x n matrices over Z_2^64, median of three.
double bare_ring_matmul(std::int64_t n);

}  // namespace curia::bench
