#include "worker/mpc/ring_matmul.h"

#include <doctest/doctest.h>

#include <array>

#include "tests/mpc/rig.h"

namespace curia::test {

TEST_CASE("PackedMatrix: multiplies in Z_2^64 with every instruction set, in every shape") {
  using Sizes = std::array<std::int64_t, 3>;  // [m,k] x [k,n]
  for (const auto& [m, k, n] :
       {Sizes{1, 1, 1}, Sizes{3, 7, 1}, Sizes{8, 128, 24}, Sizes{9, 129, 25}, Sizes{1, 5, 23},
        Sizes{17, 300, 50}, Sizes{2, 0, 3}, Sizes{0, 3, 3}}) {
    for (const int level : {0, 1, 2}) {
      CAPTURE(m);
      CAPTURE(k);
      CAPTURE(n);
      CAPTURE(level);
      Numbers numbers(2);
      const auto a = numbers.words(m * k), b = numbers.words(k * n), also = numbers.words(k * n);
      std::vector<std::uint64_t> c = numbers.words(m * n), wanted = c;
      const mpc::PackedMatrix packed(k, n, b.data(), also.data());
      packed.multiply_add(a.data(), m, c.data(), level);
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          for (std::int64_t x = 0; x < k; ++x) {
            const auto at = static_cast<std::size_t>(x * n + j);
            wanted[static_cast<std::size_t>(i * n + j)] +=
                a[static_cast<std::size_t>(i * k + x)] * (b[at] + also[at]);
          }
        }
      }
      CHECK(c == wanted);
    }
  }
}

}  // namespace curia::test
