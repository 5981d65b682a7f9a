// Functions of real numbers against the same in the clear, over the whole of the stated range.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/mpc/ops_rig.h"

namespace curia::test {
namespace {

using Doubles = std::vector<double>;

// Numbers of all magnitudes from `low` to `high`, and the ends.
Doubles magnitudes(double low, double high, int count) {
  Numbers numbers(3);
  Doubles x = {low, high};
  for (int i = 0; i < count; ++i) {
    x.push_back(std::exp(numbers.real(std::log(low), std::log(high))));
  }
  return x;
}

double held(double x, int f) { return std::ldexp(std::round(std::ldexp(x, f)), -f); }

// |found - f(x)| <= units ulp + relative |f(x)|.
void check(const char* name, Doubles x, int f, double units, double relative,
           const std::function<double(double)>& function, const Attrs& attrs = {}) {
  CAPTURE(name);
  CAPTURE(f);
  for (double& value : x) value = held(value, f);
  const auto n = static_cast<std::int64_t>(x.size());
  const Doubles z = doubles(run_op(name, {reals({n}, x, f)}, fixed_type({n}, f), attrs));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double wanted = function(x[i]);
    const double error = std::fabs(z[i] - wanted);
    CAPTURE(x[i]);
    CAPTURE(wanted);
    CAPTURE(z[i]);
    CHECK(error <= std::ldexp(units, -f) + relative * std::fabs(wanted));
  }
}

}  // namespace

TEST_CASE("mpc ops: reciprocal") {
  for (const int f : {10, 18, 24}) {
    const double low = std::max(std::ldexp(1.0, f - 34), std::ldexp(1.0, -f));
    Doubles x = magnitudes(low, std::ldexp(0.99, 62 - 2 * f), 600);
    for (std::size_t i = 0; i < x.size(); i += 2) x[i] = -x[i];
    check("reciprocal", x, f, 2, std::ldexp(1.0, -22), [](double v) { return 1 / v; });
  }
  CHECK(doubles(run_op("reciprocal", {reals({1}, {0})}, fixed_type({1})))[0] == 0);
}

TEST_CASE("mpc ops: sqrt") {
  for (const int f : {10, 18, 24}) {
    const Doubles x = magnitudes(std::ldexp(1.0, -f), std::ldexp(0.99, 62 - 2 * f), 600);
    check("sqrt", x, f, 2, std::ldexp(1.0, -22), [](double v) { return std::sqrt(v); });
  }
  CHECK(doubles(run_op("sqrt", {reals({1}, {0})}, fixed_type({1})))[0] == 0);
}

TEST_CASE("mpc ops: log") {
  for (const int f : {10, 18, 24}) {
    const Doubles x = magnitudes(std::ldexp(1.0, -f), std::ldexp(0.99, 62 - 2 * f), 600);
    check("log", x, f, 2, std::ldexp(1.0, -22), [](double v) { return std::log(v); });
  }
}

TEST_CASE("mpc ops: exp, and where it is held") {
  for (const int f : {10, 18, 24}) {
    const double most = (37 - f) * std::log(2.0);
    Doubles x = {0, 1, -1, most * 0.999, -1.5 * f, -3.0 * f};
    Numbers numbers(12);
    for (int i = 0; i < 600; ++i) x.push_back(numbers.real(-f, most * 0.999));
    check("exp", x, f, 2, std::ldexp(1.0, -19), [](double v) { return std::exp(v); });
  }
  const auto z = doubles(run_op("exp", {reals({4}, {-1000, -50, 14, 1000})}, fixed_type({4})));
  CHECK(std::fabs(z[0]) <= std::ldexp(2.0, -18));
  CHECK(std::fabs(z[1]) <= std::ldexp(2.0, -18));
  CHECK(std::fabs(z[2] / std::ldexp(1.0, 19) - 1) < 1e-4);
  CHECK(std::fabs(z[3] / std::ldexp(1.0, 19) - 1) < 1e-4);
}

TEST_CASE("mpc ops: sigmoid, within a thousandth everywhere") {
  Doubles x = {0, 8, -8, 4, -4, 1e6, -1e6, 8e6, -8e6, 30, -30};
  Numbers numbers(14);
  for (int i = 0; i < 3000; ++i) x.push_back(numbers.real(-10, 10));
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  for (const int f : {16, 18, 22}) check("sigmoid", x, f, std::ldexp(0.001, f), 0, sigmoid);
  check("sigmoid", x, 18, 0, 0, [](double v) { return std::clamp(v + 0.5, 0.0, 1.0); },
        {{"pieces", std::int64_t{3}}});
}

}  // namespace curia::test
