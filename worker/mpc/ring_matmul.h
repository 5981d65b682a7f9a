// Matrix products over Z_2^64.
// Thread: immutable, so any.
#pragma once

#include <cstdint>

#include "protocol/value.h"

namespace curia::mpc {

// The right operand of a product, laid out so that the kernel reads it in order.
class PackedMatrix {
 public:
  // [k,n], row-major: b, or b + also where `also` is given.
  PackedMatrix(std::int64_t k, std::int64_t n, const std::uint64_t* b, const std::uint64_t* also);

  // c[rows,n] += a[rows,k] x this, both row-major.
  // `level`: the most that may be used of 2 AVX-512, 1 AVX2, 0 neither.
  void multiply_add(const std::uint64_t* a, std::int64_t rows, std::uint64_t* c,
                    int level = 2) const;

 private:
  const std::int64_t k_, n_;
  std::shared_ptr<Buffer> packed_;
};

}  // namespace curia::mpc
