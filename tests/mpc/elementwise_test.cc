// Arithmetic, comparisons and logic on shares against the same in the clear.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/mpc/ops_rig.h"

namespace curia::test {
namespace {

constexpr std::int64_t kTop = (std::int64_t{1} << 62) - 1;
const double kUlp = std::ldexp(1.0, -18);

std::int64_t size_of(const std::vector<std::int64_t>& x) {
  return static_cast<std::int64_t>(x.size());
}

// Every pair of the edges, then random ones of all magnitudes.
void int_pairs(std::int64_t more, std::vector<std::int64_t>& x, std::vector<std::int64_t>& y) {
  const std::vector<std::int64_t> edges = {
      0, 1, -1, 2, -2, kTop, -kTop, kTop - 1, 1 - kTop, std::int64_t{1} << 61, 255, -256, 0x5555};
  for (const std::int64_t a : edges) {
    for (const std::int64_t b : edges) {
      x.push_back(a);
      y.push_back(b);
    }
  }
  Numbers numbers(77);
  for (std::int64_t i = 0; i < more; ++i) {
    const auto bits = numbers.between(1, 62);
    const std::int64_t limit = (std::int64_t{1} << bits) - 1;
    x.push_back(numbers.between(-limit, limit));
    y.push_back(i % 5 == 0 ? x.back() : numbers.between(-limit, limit));
  }
}

std::uint64_t bits_of(std::int64_t x) { return static_cast<std::uint64_t>(x); }
std::int64_t wrapped(std::uint64_t x) { return static_cast<std::int64_t>(x); }

}  // namespace

TEST_CASE("mpc ops: integers add, subtract and multiply with wrapping, secret or public") {
  std::vector<std::int64_t> x, y;
  int_pairs(500, x, y);
  const std::int64_t n = size_of(x);
  struct Case {
    const char* name;
    std::function<std::uint64_t(std::uint64_t, std::uint64_t)> f;
  };
  for (const auto& [name, f] : std::vector<Case>{
           {"add", std::plus<>()}, {"sub", std::minus<>()}, {"mul", std::multiplies<>()}}) {
    for (int secret = 1; secret < 4; ++secret) {
      CAPTURE(name);
      CAPTURE(secret);
      Operand a = ints({n}, x), b = ints({n}, y);
      if ((secret & 1) == 0) a = known(a);
      if ((secret & 2) == 0) b = known(b);
      const Tensor z = run_op(name, {a, b}, int_type({n}));
      for (std::size_t i = 0; i < x.size(); ++i) {
        REQUIRE(z.as<std::int64_t>()[i] == wrapped(f(bits_of(x[i]), bits_of(y[i]))));
      }
    }
  }
}

TEST_CASE("mpc ops: comparisons of integers are exact up to the ends of the range") {
  std::vector<std::int64_t> x, y;
  int_pairs(300, x, y);
  const std::int64_t n = size_of(x);
  struct Case {
    const char* name;
    std::function<bool(std::int64_t, std::int64_t)> f;
  };
  for (const auto& [name, f] : std::vector<Case>{{"eq", std::equal_to<>()},
                                                 {"ne", std::not_equal_to<>()},
                                                 {"lt", std::less<>()},
                                                 {"le", std::less_equal<>()},
                                                 {"gt", std::greater<>()},
                                                 {"ge", std::greater_equal<>()}}) {
    for (int secret = 1; secret < 4; ++secret) {
      CAPTURE(name);
      CAPTURE(secret);
      Operand a = ints({n}, x), b = ints({n}, y);
      if ((secret & 1) == 0) a = known(a);
      if ((secret & 2) == 0) b = known(b);
      const Tensor z = run_op(name, {a, b}, bool_type({n}));
      for (std::size_t i = 0; i < x.size(); ++i) {
        CAPTURE(x[i]);
        CAPTURE(y[i]);
        REQUIRE(z.data.data[i] == static_cast<std::uint8_t>(f(x[i], y[i])));
      }
    }
  }
}

TEST_CASE("mpc ops: all pairs of signed bytes compare as they should") {
  std::vector<std::int64_t> x, y;
  for (std::int64_t a = -128; a < 128; ++a) {
    for (std::int64_t b = -128; b < 128; ++b) {
      x.push_back(a);
      y.push_back(b);
    }
  }
  const std::int64_t n = size_of(x);
  const Tensor z = run_op("lt", {ints({n}, x), ints({n}, y)}, bool_type({n}));
  for (std::size_t i = 0; i < x.size(); ++i) {
    REQUIRE((z.data.data[i] == 1) == (x[i] < y[i]));
  }
}

TEST_CASE("mpc ops: products of real numbers err by less than a unit, and exact ones not at all") {
  for (const int f : {10, 16, 18, 24, 30}) {
    CAPTURE(f);
    const double unit = std::ldexp(1.0, -f), limit = std::ldexp(1.0, 31 - f);
    std::vector<double> x, y;
    // The largest products: just below 2^62 in the ring, of each sign.
    for (const double sign : {1.0, -1.0}) {
      x.push_back(limit - unit);
      y.push_back(sign * (limit - unit));
      x.push_back(std::ldexp(1.0, 61 - 2 * f));
      y.push_back(sign * 1.5);
    }
    for (const double a : {0.0, unit, -unit, 1.0, -1.0, 0.5, -0.5}) {
      for (const double b : {0.0, unit, -unit, 1.0, -1.0, 0.5, -0.5, limit - unit, -limit + unit}) {
        x.push_back(a);
        y.push_back(b);
      }
    }
    Numbers numbers(4);
    for (int i = 0; i < 3000; ++i) {
      x.push_back(std::round(numbers.real(-limit, limit) / unit) * unit);
      y.push_back(std::round(numbers.real(-limit, limit) / unit) * unit);
    }
    const auto n = static_cast<std::int64_t>(x.size());
    for (int secret = 1; secret < 4; ++secret) {
      CAPTURE(secret);
      Operand a = reals({n}, x, f), b = reals({n}, y, f);
      if ((secret & 1) == 0) a = known(a);
      if ((secret & 2) == 0) b = known(b);
      const auto z = doubles(run_op("mul", {a, b}, fixed_type({n}, f)));
      for (std::size_t i = 0; i < x.size(); ++i) {
        const long double exact = static_cast<long double>(x[i]) * static_cast<long double>(y[i]);
        const long double error = (static_cast<long double>(z[i]) - exact) / unit;
        CAPTURE(x[i]);
        CAPTURE(y[i]);
        REQUIRE(std::fabs(error) < 1);
        if (std::floor(exact / unit) == exact / unit) REQUIRE(error == 0);
      }
    }
  }
}

TEST_CASE("mpc ops: whole numbers times real ones need no rounding") {
  const Operand whole = ints({4}, {3, -2, 0, 1000});
  const Operand real = reals({4}, {0.25, 1.5, 7, -0.125});
  const std::vector<double> product = {0.75, -3, 0, -125};
  CHECK(doubles(run_op("mul", {whole, real}, fixed_type({4}))) == product);
  CHECK(doubles(run_op("mul", {real, whole}, fixed_type({4}))) == product);
  CHECK(doubles(run_op("mul", {known(whole), real}, fixed_type({4}))) == product);
  CHECK(cost_of("mul", {known(whole), real}, fixed_type({4})).rounds == 0);
  CHECK(doubles(run_op("mul", {whole, real}, fixed_type({4}))) == product);
}

TEST_CASE("mpc ops: operands are broadcast as in numpy") {
  const Operand column = ints({3, 1}, {10, 20, 30}), row = ints({2}, {1, 2});
  const std::vector<double> sums = {11, 12, 21, 22, 31, 32};
  CHECK(doubles(run_op("add", {column, row}, int_type({3, 2}))) == sums);
  CHECK(doubles(run_op("add", {known(column), row}, int_type({3, 2}))) == sums);
  CHECK(doubles(run_op("lt", {row, column}, bool_type({3, 2}))) == std::vector<double>(6, 1));
  CHECK(doubles(run_op("and", {bools({2, 1}, {true, false}), bools({2}, {true, false})},
                       bool_type({2, 2}))) == std::vector<double>{1, 0, 0, 0});
}

TEST_CASE("mpc ops: neg, abs, relu, minimum, maximum") {
  std::vector<std::int64_t> x, y;
  int_pairs(200, x, y);
  const std::int64_t n = size_of(x);
  const auto check = [&](const char* name, const std::vector<Operand>& operands, auto f) {
    CAPTURE(name);
    const Tensor z = run_op(name, operands, int_type({n}));
    for (std::size_t i = 0; i < x.size(); ++i) {
      REQUIRE(z.as<std::int64_t>()[i] == f(x[i], y[i]));
    }
  };
  const Operand a = ints({n}, x), b = ints({n}, y);
  check("neg", {a}, [](std::int64_t p, std::int64_t) { return -p; });
  check("abs", {a}, [](std::int64_t p, std::int64_t) { return std::abs(p); });
  check("relu", {a}, [](std::int64_t p, std::int64_t) { return std::max<std::int64_t>(p, 0); });
  check("minimum", {a, b}, [](std::int64_t p, std::int64_t q) { return std::min(p, q); });
  check("maximum", {a, known(b)}, [](std::int64_t p, std::int64_t q) { return std::max(p, q); });
}

TEST_CASE("mpc ops: logic and select on bits and numbers, with public operands too") {
  const std::vector<bool> x = {false, false, true, true}, y = {false, true, false, true};
  const Operand a = bools({4}, x), b = bools({4}, y);
  const auto check = [&](const char* name, const std::vector<double>& wanted) {
    CAPTURE(name);
    CHECK(doubles(run_op(name, {a, b}, bool_type({4}))) == wanted);
    CHECK(doubles(run_op(name, {known(a), b}, bool_type({4}))) == wanted);
    CHECK(doubles(run_op(name, {a, known(b)}, bool_type({4}))) == wanted);
  };
  check("and", {0, 0, 0, 1});
  check("or", {0, 1, 1, 1});
  check("xor", {0, 1, 1, 0});
  check("eq", {1, 0, 0, 1});
  check("ne", {0, 1, 1, 0});
  CHECK(cost_of("and", {a, known(b)}, bool_type({4})).rounds == 0);
  CHECK(doubles(run_op("not", {a}, bool_type({4}))) == std::vector<double>{1, 1, 0, 0});
  const Operand p = reals({4}, {1.5, 2.5, -3.5, 4}), q = reals({4}, {-10, -20, -30, -40});
  const std::vector<double> chosen = {-10, -20, -3.5, 4};
  CHECK(doubles(run_op("select", {a, p, q}, fixed_type({4}))) == chosen);
  CHECK(doubles(run_op("select", {known(a), p, q}, fixed_type({4}))) == chosen);
  CHECK(doubles(run_op("select", {a, known(p), q}, fixed_type({4}))) == chosen);
  CHECK(doubles(run_op("select", {a, known(p), known(q)}, fixed_type({4}))) == chosen);
  CHECK(doubles(run_op("select", {a, b, bools({}, {true})}, bool_type({4}))) ==
        std::vector<double>{1, 1, 0, 1});
}

TEST_CASE("mpc ops: cast between kinds") {
  const Operand bits = bools({2}, {false, true});
  CHECK(doubles(run_op("cast", {bits}, int_type({2}))) == std::vector<double>{0, 1});
  CHECK(doubles(run_op("cast", {bits}, fixed_type({2}))) == std::vector<double>{0, 1});
  CHECK(doubles(run_op("cast", {bits}, bool_type({2}))) == std::vector<double>{0, 1});
  const Operand whole = ints({3}, {-5, 0, 7});
  CHECK(doubles(run_op("cast", {whole}, fixed_type({3}))) == std::vector<double>{-5, 0, 7});
  CHECK(doubles(run_op("cast", {whole}, bool_type({3}))) == std::vector<double>{1, 0, 1});
  std::vector<double> x = {0,     0.25, -0.25, 1,        -1,       1.75,
                           -1.75, kUlp, -kUlp, 2 - kUlp, kUlp - 2, 12345.5};
  Numbers numbers(9);
  for (int i = 0; i < 1000; ++i) x.push_back(numbers.real(-1e6, 1e6));
  const auto n = static_cast<std::int64_t>(x.size());
  const auto cut = doubles(run_op("cast", {reals({n}, x)}, int_type({n})));
  const auto finer = doubles(run_op("cast", {reals({n}, x)}, fixed_type({n}, 24)));
  const auto coarser = doubles(run_op("cast", {reals({n}, x)}, fixed_type({n}, 6)));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double held = std::round(x[i] / kUlp) * kUlp;
    CAPTURE(held);
    CHECK(cut[i] == std::trunc(held));
    CHECK(finer[i] == held);
    CHECK(std::fabs(coarser[i] - held) < std::ldexp(1.0, -6));
  }
}

TEST_CASE("mpc ops: operands that do not go together are refused") {
  const auto refuse = [](const char* name, const std::vector<Operand>& operands,
                         const SecretType& result) {
    CAPTURE(name);
    CHECK_THROWS_AS(run_op(name, operands, result), Error);
    CHECK_THROWS_AS(cost_of(name, operands, result), Error);
  };
  refuse("add", {reals({1}, {1}, 18), reals({1}, {1}, 17)}, fixed_type({1}));
  refuse("mul", {reals({1}, {1}, 18), reals({1}, {1}, 17)}, fixed_type({1}));
  refuse("add", {bools({1}, {true}), bools({1}, {true})}, bool_type({1}));
  refuse("lt", {bools({1}, {true}), bools({1}, {true})}, bool_type({1}));
  refuse("mul", {ints({1}, {1}), known(reals({1}, {1}))}, int_type({1}));
  refuse("add", {known(ints({1}, {1})), known(ints({1}, {1}))}, int_type({1}));
  refuse("sum", {ints({3}, {1, 2, 3})}, int_type({3}));
}

}  // namespace curia::test
