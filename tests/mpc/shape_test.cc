// Shapes, matrix products, reductions, sort and shuffle on shares.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/mpc/ops_rig.h"

namespace curia::test {
namespace {

using Ints = std::vector<std::int64_t>;
using Doubles = std::vector<double>;

Ints counted_to(std::int64_t n) {
  Ints x(static_cast<std::size_t>(n));
  std::iota(x.begin(), x.end(), 0);
  return x;
}

}  // namespace

TEST_CASE("mpc ops: shapes change without a message") {
  const Operand x = ints({2, 3}, {0, 1, 2, 3, 4, 5});
  const auto check = [&](const char* name, const std::vector<Operand>& operands,
                         const SecretType& result, const Attrs& attrs, const Doubles& wanted) {
    CAPTURE(name);
    CHECK(doubles(run_op(name, operands, result, attrs)) == wanted);
    CHECK(cost_of(name, operands, result, attrs).rounds == 0);
  };
  check("reshape", {x}, int_type({3, 2}), {{"shape", Ints{3, 2}}}, {0, 1, 2, 3, 4, 5});
  check("transpose", {x}, int_type({3, 2}), {}, {0, 3, 1, 4, 2, 5});
  check("broadcast", {x}, int_type({2, 2, 3}), {{"shape", Ints{2, 2, 3}}},
        {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5});
  check("slice", {x}, int_type({2, 2}),
        {{"starts", Ints{0, -3}}, {"ends", Ints{2, 9}}, {"steps", Ints{1, 2}}}, {0, 2, 3, 5});
  check("slice", {x}, int_type({0, 3}), {{"starts", Ints{1, 0}}, {"ends", Ints{1, 3}}}, {});
  check("concat", {x, known(ints({2, 1}, {8, 9}))}, int_type({2, 4}), {{"axis", std::int64_t{1}}},
        {0, 1, 2, 8, 3, 4, 5, 9});
  const Operand indices = known(ints({4}, {2, -7, 1, 99}));
  check("gather", {x, indices}, int_type({2, 4}), {{"axis", std::int64_t{1}}},
        {2, 0, 1, 2, 5, 3, 4, 5});
}

TEST_CASE("mpc ops: bits move as numbers do") {
  const Operand x = bools({2, 3}, {true, false, false, true, true, false});
  CHECK(doubles(run_op("transpose", {x}, bool_type({3, 2}))) == Doubles{1, 1, 0, 1, 0, 0});
  CHECK(doubles(run_op("concat", {x, x}, bool_type({2, 6}), {{"axis", std::int64_t{1}}})) ==
        Doubles{1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0});
  CHECK(doubles(run_op("gather", {x, known(ints({2}, {1, 0}))}, bool_type({2, 3}),
                       {{"axis", std::int64_t{0}}})) == Doubles{1, 1, 0, 1, 0, 0});
  std::vector<bool> many;
  Doubles backwards;
  Ints order;
  for (std::int64_t i = 0; i < 1000; ++i) {
    many.push_back(i % 7 < 3);
    order.push_back(999 - i);
    backwards.push_back((999 - i) % 7 < 3);
  }
  CHECK(doubles(run_op("gather", {bools({1000}, many), known(ints({1000}, order))},
                       bool_type({1000}), {{"axis", std::int64_t{0}}})) == backwards);
}

TEST_CASE("mpc ops: matmul of vectors and matrices, secret or public, whole or real") {
  const Operand a = ints({2, 3}, {1, 2, 3, 4, 5, 6}), b = ints({3, 2}, {1, 0, -1, 2, 0, 1});
  const Operand v = ints({3}, {1, 10, 100});
  CHECK(doubles(run_op("matmul", {a, b}, int_type({2, 2}))) == Doubles{-1, 7, -1, 16});
  CHECK(doubles(run_op("matmul", {known(a), b}, int_type({2, 2}))) == Doubles{-1, 7, -1, 16});
  CHECK(doubles(run_op("matmul", {a, known(b)}, int_type({2, 2}))) == Doubles{-1, 7, -1, 16});
  CHECK(doubles(run_op("matmul", {a, v}, int_type({2}))) == Doubles{321, 654});
  CHECK(doubles(run_op("matmul", {v, b}, int_type({2}))) == Doubles{-9, 120});
  CHECK(doubles(run_op("matmul", {v, v}, int_type({}))) == Doubles{10101});
  Numbers numbers(3);
  const std::int64_t m = 37, k = 500, n = 29;
  Doubles x, y;
  for (std::int64_t i = 0; i < m * k; ++i) x.push_back(numbers.real(-100, 100));
  for (std::int64_t i = 0; i < k * n; ++i) y.push_back(numbers.real(-100, 100));
  const Operand p = reals({m, k}, x), q = reals({k, n}, y);
  for (auto* values : {&x, &y}) {
    for (double& value : *values) value = std::ldexp(std::round(std::ldexp(value, 18)), -18);
  }
  for (const auto& operands :
       std::vector<std::vector<Operand>>{{p, q}, {known(p), q}, {p, known(q)}}) {
    const Doubles z = doubles(run_op("matmul", operands, fixed_type({m, n})));
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        long double sum = 0;
        for (std::int64_t c = 0; c < k; ++c) {
          sum += static_cast<long double>(x[static_cast<std::size_t>(i * k + c)]) *
                 static_cast<long double>(y[static_cast<std::size_t>(c * n + j)]);
        }
        const long double error =
            sum - static_cast<long double>(z[static_cast<std::size_t>(i * n + j)]);
        REQUIRE(std::fabs(std::ldexp(error, 18)) < 1);
      }
    }
  }
}

TEST_CASE("mpc ops: sums over any axes") {
  const Operand x = ints({2, 3, 2}, counted_to(12));
  CHECK(doubles(run_op("sum", {x}, int_type({}))) == Doubles{66});
  CHECK(doubles(run_op("sum", {x}, int_type({3}), {{"axes", Ints{0, 2}}})) == Doubles{14, 22, 30});
  CHECK(doubles(run_op("sum", {x}, int_type({2, 1, 2}),
                       {{"axes", Ints{1}}, {"keep_dims", true}})) == Doubles{6, 9, 24, 27});
  CHECK(doubles(run_op("sum", {bools({5}, {true, true, false, true, true})}, int_type({}))) ==
        Doubles{4});
  CHECK(doubles(run_op("sum", {ints({0, 2}, {})}, int_type({2}), {{"axes", Ints{0}}})) ==
        Doubles{0, 0});
}

TEST_CASE("mpc ops: mean and variance keep their precision over many rows") {
  const double ulp = std::ldexp(1.0, -18);
  Numbers numbers(5);
  for (const std::int64_t rows : {1, 2, 3, 150, 1024, 100'000}) {
    for (const double centre : {0.0, -3.25, 1000.0}) {
      CAPTURE(rows);
      CAPTURE(centre);
      Doubles x;
      for (std::int64_t i = 0; i < rows * 2; ++i) {
        x.push_back(std::ldexp(std::round(std::ldexp(centre + numbers.real(-1, 1), 18)), -18));
      }
      const Operand operand = reals({rows, 2}, x);
      const Attrs attrs = {{"axes", Ints{0}}};
      const Doubles means = doubles(run_op("mean", {operand}, fixed_type({2}), attrs));
      const Doubles variances = doubles(run_op("variance", {operand}, fixed_type({2}), attrs));
      for (std::size_t c = 0; c < 2; ++c) {
        double sum = 0, squares = 0;
        for (std::size_t i = c; i < x.size(); i += 2) sum += x[i];
        const double mean = sum / static_cast<double>(rows);
        for (std::size_t i = c; i < x.size(); i += 2) squares += (x[i] - mean) * (x[i] - mean);
        CHECK(std::fabs(means[c] - mean) < 1.5 * ulp);
        CHECK(std::fabs(variances[c] - squares / static_cast<double>(rows)) < 4 * ulp);
      }
    }
  }
}

TEST_CASE("mpc ops: min, max, argmin and argmax, the first of equals") {
  Numbers numbers(6);
  for (const std::int64_t n : {1, 2, 3, 5, 8, 31}) {
    CAPTURE(n);
    Ints x;
    for (std::int64_t i = 0; i < 4 * n; ++i) x.push_back(numbers.between(-5, 5));
    const Operand operand = ints({4, n}, x);
    const Attrs axes = {{"axes", Ints{1}}}, axis = {{"axis", std::int64_t{1}}};
    const Doubles low = doubles(run_op("min", {operand}, int_type({4}), axes));
    const Doubles high = doubles(run_op("max", {operand}, int_type({4}), axes));
    const Doubles at_low = doubles(run_op("argmin", {operand}, int_type({4}), axis));
    const Doubles at_high = doubles(run_op("argmax", {operand}, int_type({4}), axis));
    for (std::size_t r = 0; r < 4; ++r) {
      const auto begin = x.begin() + static_cast<std::ptrdiff_t>(r) * n, end = begin + n;
      CHECK(low[r] == static_cast<double>(*std::min_element(begin, end)));
      CHECK(high[r] == static_cast<double>(*std::max_element(begin, end)));
      CHECK(at_low[r] == static_cast<double>(std::min_element(begin, end) - begin));
      CHECK(at_high[r] == static_cast<double>(std::max_element(begin, end) - begin));
    }
    const Doubles columns =
        doubles(run_op("argmax", {operand}, int_type({n}), {{"axis", std::int64_t{0}}}));
    CHECK(static_cast<std::int64_t>(columns.size()) == n);
  }
  const Operand all = reals({2, 2}, {1.5, -2, 7, 3});
  CHECK(doubles(run_op("max", {all}, fixed_type({}))) == Doubles{7});
}

TEST_CASE("mpc ops: sort puts rows in the order of a column") {
  Numbers numbers(8);
  for (const std::int64_t n : {0, 1, 2, 3, 4, 5, 7, 8, 13, 64, 100, 257}) {
    CAPTURE(n);
    Ints keys, rows;
    for (std::int64_t i = 0; i < n; ++i) {
      keys.push_back(numbers.between(-50, 50));
      rows.insert(rows.end(), {i, keys.back(), -keys.back()});
    }
    const Doubles sorted = doubles(run_op("sort", {ints({n}, keys)}, int_type({n})));
    Ints wanted = keys;
    std::sort(wanted.begin(), wanted.end());
    CHECK(std::equal(sorted.begin(), sorted.end(), wanted.begin(), wanted.end()));
    const Doubles moved = doubles(run_op("sort", {ints({n, 3}, rows)}, int_type({n, 3}),
                                         {{"key", std::int64_t{1}}, {"descending", true}}));
    Ints seen;
    for (std::size_t r = 0; r < static_cast<std::size_t>(n); ++r) {
      const auto index = static_cast<std::size_t>(moved[3 * r]);
      seen.push_back(static_cast<std::int64_t>(index));
      CHECK(moved[3 * r + 1] == static_cast<double>(keys[index]));
      CHECK(moved[3 * r + 2] == static_cast<double>(-keys[index]));
      if (r > 0) CHECK(moved[3 * r + 1] <= moved[3 * r - 2]);
    }
    std::sort(seen.begin(), seen.end());
    CHECK(seen == counted_to(n));
  }
}

TEST_CASE("mpc ops: every pattern of eight bits is sorted") {
  // A network that sorts all sequences of zeros and ones sorts everything (Knuth, 5.3.4, theorem
  // Z).
  for (std::int64_t n = 2; n <= 8; ++n) {
    for (std::int64_t pattern = 0; pattern < std::int64_t{1} << n; pattern += n == 8 ? 5 : 3) {
      Ints bits;
      for (std::int64_t i = 0; i < n; ++i) bits.push_back(pattern >> i & 1);
      const Doubles sorted = doubles(run_op("sort", {ints({n}, bits)}, int_type({n})));
      REQUIRE(std::is_sorted(sorted.begin(), sorted.end()));
    }
  }
}

TEST_CASE("mpc ops: shuffle keeps rows together") {
  Ints rows;
  for (std::int64_t i = 0; i < 100; ++i) rows.insert(rows.end(), {i, 2 * i});
  const Doubles moved = doubles(run_op("shuffle", {ints({100, 2}, rows)}, int_type({100, 2})));
  Ints seen;
  for (std::size_t r = 0; r < 100; ++r) {
    CHECK(moved[2 * r + 1] == 2 * moved[2 * r]);
    seen.push_back(static_cast<std::int64_t>(moved[2 * r]));
  }
  CHECK(!std::is_sorted(seen.begin(), seen.end()));
  std::sort(seen.begin(), seen.end());
  CHECK(seen == counted_to(100));
}

}  // namespace curia::test
