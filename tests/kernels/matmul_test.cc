#include <cmath>

#include "tests/kernels/support.h"

using namespace curia;
using namespace curia::test;

namespace {

Shape matrix(int rank, std::int64_t rows, std::int64_t cols, bool left) {
  if (rank == 2) return {rows, cols};
  return {left ? cols : rows};
}

}  // namespace

TEST_CASE("Matmul: agrees with a scalar loop for all ranks and dtypes") {
  unsigned seed = 0;
  const std::vector<std::vector<std::int64_t>> sizes = {
      {1, 1, 1}, {2, 3, 4}, {5, 1, 7},   {17, 130, 9}, {3, 0, 2},
      {0, 2, 3}, {2, 3, 0}, {1, 600, 1}, {70, 5, 600}, {33, 34, 35}};
  for (const DType dtype : kAllDTypes) {
    if (dtype == DType::kBool) continue;
    for (const auto& size : sizes) {
      for (const int left : {1, 2}) {
        for (const int right : {1, 2}) {
          const std::int64_t m = left == 2 ? size[0] : 1, k = size[1], n = right == 2 ? size[2] : 1;
          Tensor a = sample(dtype, matrix(left, m, k, true), ++seed);
          Tensor b = sample(dtype, matrix(right, k, n, false), ++seed);
          if (is_float(dtype)) {  // small integers, so that the order of adding does not matter
            const Tensor ints = sample(DType::kI8, a.shape, seed),
                         more = sample(DType::kI8, b.shape, seed + 1);
            a = make(dtype, a.shape, values(ints));
            b = make(dtype, b.shape, values(more));
          }
          std::vector<Real> wanted;
          for (std::int64_t i = 0; i < m; ++i) {
            for (std::int64_t j = 0; j < n; ++j) {
              Int128 sum = 0;
              for (std::int64_t l = 0; l < k; ++l) {
                sum = plus(sum, product(static_cast<Int128>(at(a, i * k + l)),
                                        static_cast<Int128>(at(b, l * n + j))));
              }
              wanted.push_back(is_float(dtype) ? static_cast<Real>(sum) : wrapped(dtype, sum));
            }
          }
          Shape shape;
          if (left == 2) shape.push_back(m);
          if (right == 2) shape.push_back(n);
          CAPTURE(type_text(a.type()));
          CAPTURE(type_text(b.type()));
          check_equal(run("matmul", {a, b}), dtype, shape, wanted);
        }
      }
    }
  }
}

TEST_CASE("Matmul: random doubles come out within rounding of a long double loop") {
  const auto random = [](Shape shape, std::int64_t seed) {
    return run("random", {},
               {{"shape", std::move(shape)},
                {"seed", seed},
                {"distribution", std::string("normal")},
                {"dtype", std::string("f64")}});
  };
  const std::int64_t m = 65, k = 300, n = 41;
  const Tensor a = random({m, k}, 1), b = random({k, n}, 2);
  const Tensor c = run("matmul", {a, b});
  Real worst = 0;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      Real sum = 0;
      for (std::int64_t l = 0; l < k; ++l) sum += at(a, i * k + l) * at(b, l * n + j);
      worst = std::max(worst, std::fabs(sum - at(c, i * n + j)));
    }
  }
  CHECK(worst < 1e-12L);
}

TEST_CASE("Matmul: what does not fit is refused") {
  const auto f64 = [](Shape shape) { return sample(DType::kF64, std::move(shape), 1); };
  CHECK_THROWS_AS(run("matmul", {f64({2, 3}), f64({2, 3})}), Error);
  CHECK_THROWS_AS(run("matmul", {f64({}), f64({2})}), Error);
  CHECK_THROWS_AS(run("matmul", {f64({2, 2, 2}), f64({2, 2})}), Error);
  CHECK_THROWS_AS(run("matmul", {f64({2}), sample(DType::kF32, {2}, 1)}), Error);
  CHECK_THROWS_AS(run("matmul", {sample(DType::kBool, {2}, 1), sample(DType::kBool, {2}, 1)}),
                  Error);
}
