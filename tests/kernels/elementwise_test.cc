#include <cmath>

#include "tests/kernels/support.h"

using namespace curia;
using namespace curia::test;

namespace {

// What one element becomes; ints as Int128 before they wrap.
Real int_reference(const std::string& op, DType dtype, Int128 a, Int128 b) {
  if (op == "add") return wrapped(dtype, a + b);
  if (op == "sub") return wrapped(dtype, a - b);
  if (op == "mul") return wrapped(dtype, product(a, b));
  if (op == "div") return b == 0 ? 0 : wrapped(dtype, a / b);
  if (op == "mod") return b == 0 ? 0 : wrapped(dtype, a % b);
  if (op == "minimum") return static_cast<Real>(a < b ? a : b);
  if (op == "maximum") return static_cast<Real>(a > b ? a : b);
  if (op == "and") return wrapped(dtype, a & b);
  if (op == "or") return wrapped(dtype, a | b);
  REQUIRE(op == "xor");
  return wrapped(dtype, a ^ b);
}

// The one rounding to double is harmless for f32 results of these operations.
Real float_reference(const std::string& op, Real x, Real y) {
  const auto a = static_cast<double>(x), b = static_cast<double>(y);
  if (op == "add") return a + b;
  if (op == "sub") return a - b;
  if (op == "mul") return a * b;
  if (op == "div") return a / b;
  if (op == "mod") return std::fmod(a, b);
  if (std::isnan(a) || std::isnan(b)) return kNan;
  if (op == "minimum") return a < b ? a : b;
  REQUIRE(op == "maximum");
  return a > b ? a : b;
}

bool compare_reference(const std::string& op, Real a, Real b) {
  if (op == "eq") return a == b;
  if (op == "ne") return a != b;
  if (op == "lt") return a < b;
  if (op == "le") return a <= b;
  if (op == "gt") return a > b;
  REQUIRE(op == "ge");
  return a >= b;
}

using Reference = std::function<Real(Real, Real)>;

void check_binary(const std::string& op, const Tensor& a, const Tensor& b, DType result,
                  const Reference& reference) {
  CAPTURE(op);
  CAPTURE(type_text(a.type()));
  CAPTURE(type_text(b.type()));
  const Shape shape = broadcast_shapes(a.shape, b.shape);
  std::vector<Real> wanted;
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    wanted.push_back(stored(result, reference(at(a, broadcast_place(a.shape, shape, i)),
                                              at(b, broadcast_place(b.shape, shape, i)))));
  }
  check_equal(run(op, {a, b}), result, shape, wanted);
}

// Every edge against every edge.
std::pair<Tensor, Tensor> edge_pairs(DType dtype) {
  const std::vector<Real> all = edges(dtype);
  std::vector<Real> a, b;
  for (const Real x : all) {
    for (const Real y : all) {
      a.push_back(x);
      b.push_back(y);
    }
  }
  return {vec(dtype, a), vec(dtype, b)};
}

Reference arithmetic_reference(const std::string& op, DType dtype) {
  return [=](Real a, Real b) {
    return is_float(dtype)
               ? float_reference(op, a, b)
               : int_reference(op, dtype, static_cast<Int128>(a), static_cast<Int128>(b));
  };
}

const std::vector<std::string> kArithmetic = {"add", "sub",     "mul",    "div",
                                              "mod", "minimum", "maximum"};
const std::vector<std::string> kCompare = {"eq", "ne", "lt", "le", "gt", "ge"};

const std::vector<std::pair<Shape, Shape>> kShapes = {{{}, {}},
                                                      {{}, {5}},
                                                      {{0}, {1}},
                                                      {{0, 3}, {3}},
                                                      {{3, 1}, {1, 4}},
                                                      {{2, 3, 4}, {4}},
                                                      {{2, 3, 4}, {3, 1}},
                                                      {{2, 1, 4}, {1, 3, 1}},
                                                      {{700, 4}, {4}},
                                                      {{700, 4}, {700, 1}},
                                                      {{1, 5000}, {3, 1}},
                                                      {{3, 5000}, {5000}},
                                                      {{1}, {1, 1, 1}},
                                                      {{2, 1, 3, 1, 2, 1}, {1, 2, 1, 3, 1, 2}},
                                                      {{40000}, {}},
                                                      {{3, 1, 2100}, {1, 5, 1}}};

}  // namespace

TEST_CASE("Elementwise: arithmetic agrees with a scalar loop at the edges of every dtype") {
  for (const std::string& op : kArithmetic) {
    for (const DType dtype : kAllDTypes) {
      if (dtype == DType::kBool) continue;
      const auto [a, b] = edge_pairs(dtype);
      check_binary(op, a, b, dtype, arithmetic_reference(op, dtype));
    }
  }
}

TEST_CASE("Elementwise: operands broadcast as in numpy") {
  unsigned seed = 1;
  for (const auto& [left, right] : kShapes) {
    for (const DType dtype : {DType::kI8, DType::kI16, DType::kF32, DType::kU64}) {
      for (const char* op : {"sub", "maximum"}) {
        const Tensor a = sample(dtype, left, ++seed), b = sample(dtype, right, ++seed);
        check_binary(op, a, b, dtype, arithmetic_reference(op, dtype));
        check_binary(op, b, a, dtype, arithmetic_reference(op, dtype));
      }
    }
  }
}

TEST_CASE("Elementwise: shapes and dtypes that do not go together are refused") {
  CHECK_THROWS_AS(run("add", {sample(DType::kF64, {2}, 1), sample(DType::kF64, {3}, 1)}), Error);
  CHECK_THROWS_AS(run("add", {sample(DType::kF64, {2, 1}, 1), sample(DType::kF64, {3, 3}, 1)}),
                  Error);
  CHECK_THROWS_AS(run("add", {sample(DType::kF64, {2}, 1), sample(DType::kF32, {2}, 1)}), Error);
  CHECK_THROWS_AS(run("add", {sample(DType::kBool, {2}, 1), sample(DType::kBool, {2}, 1)}), Error);
  CHECK_THROWS_AS(run("pow", {sample(DType::kI64, {2}, 1), sample(DType::kI64, {2}, 1)}), Error);
  CHECK_THROWS_AS(run("exp", {sample(DType::kI64, {2}, 1)}), Error);
  CHECK_THROWS_AS(run("and", {sample(DType::kF64, {2}, 1), sample(DType::kF64, {2}, 1)}), Error);
  CHECK_THROWS_AS(run("add", {sample(DType::kF64, {2}, 1)}), Error);
  CHECK_THROWS_AS(run("neg", {Table{}}), Error);
}

TEST_CASE("Elementwise: comparisons agree with a scalar loop, NaN included") {
  for (const std::string& op : kCompare) {
    for (const DType dtype : kAllDTypes) {
      const auto [a, b] = edge_pairs(dtype);
      check_binary(op, a, b, DType::kBool,
                   [&](Real x, Real y) { return Real(compare_reference(op, x, y)); });
    }
  }
}

TEST_CASE("Elementwise: and, or, xor and not work on bools and bit by bit on integers") {
  for (const DType dtype : kAllDTypes) {
    if (is_float(dtype)) continue;
    const auto [a, b] = edge_pairs(dtype);
    for (const char* op : {"and", "or", "xor"}) {
      check_binary(op, a, b, dtype, arithmetic_reference(op, dtype));
    }
    std::vector<Real> wanted;
    for (const Real x : values(a)) {
      wanted.push_back(dtype == DType::kBool ? Real(x == 0)
                                             : wrapped(dtype, ~static_cast<Int128>(x)));
    }
    check_vec(run("not", {a}), dtype, wanted);
  }
}

TEST_CASE("Elementwise: select takes from either side and broadcasts all three") {
  for (const DType dtype : kAllDTypes) {
    const Tensor cond = sample(DType::kBool, {600, 1}, 3);
    const Tensor a = sample(dtype, {7}, 4), b = sample(dtype, {600, 7}, 5);
    std::vector<Real> wanted;
    for (std::int64_t i = 0; i < 4200; ++i)
      wanted.push_back(at(cond, i / 7) != 0 ? at(a, i % 7) : at(b, i));
    check_equal(run("select", {cond, a, b}), dtype, {600, 7}, wanted);
  }
  CHECK_THROWS_AS(run("select", {sample(DType::kI8, {2}, 1), sample(DType::kI8, {2}, 1),
                                 sample(DType::kI8, {2}, 1)}),
                  Error);
}

TEST_CASE("Elementwise: neg and abs wrap, floor ceil and round follow IEEE 754") {
  for (const DType dtype : kAllDTypes) {
    if (dtype == DType::kBool) continue;
    const Tensor x = sample(dtype, {3000}, 7);
    const std::vector<std::pair<std::string, std::function<Real(Real)>>> ops = {
        {"neg", [](Real v) { return -v; }},
        {"abs", [](Real v) { return std::fabs(v); }},
        {"floor", [](Real v) { return std::floor(v); }},
        {"ceil", [](Real v) { return std::ceil(v); }},
        {"round", [](Real v) { return std::nearbyint(v); }}};
    for (const auto& [op, reference] : ops) {
      CAPTURE(op);
      std::vector<Real> wanted;
      for (const Real v : values(x)) {
        const Real y = reference(v);
        wanted.push_back(is_float(dtype) ? y : wrapped(dtype, static_cast<Int128>(y)));
      }
      check_vec(run(op, {x}), dtype, wanted);
    }
  }
  check_vec(run("round", {vec(DType::kF64, {0.5, 1.5, 2.5, -0.5, -1.5})}), DType::kF64,
            {0, 2, 2, 0, -2});
  CHECK(std::signbit(at(run("neg", {vec(DType::kF64, {0})}), 0)));
}

TEST_CASE("Elementwise: exp log sqrt sigmoid tanh are within a few units in the last place") {
  const std::vector<std::pair<std::string, std::function<Real(Real)>>> ops = {
      {"exp", [](Real v) { return std::exp(v); }},
      {"log", [](Real v) { return std::log(v); }},
      {"sqrt", [](Real v) { return std::sqrt(v); }},
      {"sigmoid", [](Real v) { return 1 / (1 + std::exp(-v)); }},
      {"tanh", [](Real v) { return std::tanh(v); }}};
  for (const DType dtype : kFloats) {
    std::vector<Real> inputs = edges(dtype);
    std::mt19937_64 random(11);
    for (const double scale : {1e-300, 1e-20, 1e-9, 1e-3, 0.1, 1.0, 3.0, 30.0, 800.0, 1e6, 1e300}) {
      for (int i = 0; i < 2000; ++i) {
        inputs.push_back(
            stored(dtype, std::uniform_real_distribution<double>(-scale, scale)(random)));
      }
    }
    for (const Real special :
         {709.0L, 709.7827L, 709.79L, -745.1L, -745.2L, -708.4L, 88.7L, -103.9L}) {
      inputs.push_back(stored(dtype, special));
    }
    const Tensor x = vec(dtype, inputs);
    for (const auto& [op, reference] : ops) {
      CAPTURE(op);
      const Tensor found = run(op, {x});
      REQUIRE(found.shape == x.shape);
      Real worst = 0, worst_at = 0;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const Real wanted = reference(inputs[i]);
        const Real value = at(found, static_cast<std::int64_t>(i));
        const Real rounded = stored(dtype, wanted);
        if (same(value, rounded)) continue;
        const Real ulp =
            dtype == DType::kF32
                ? Real{std::nextafter(std::fabs(static_cast<float>(rounded)), 3e38F)} -
                      std::fabs(rounded)
                : Real{std::nextafter(std::fabs(static_cast<double>(rounded)), 1e308)} -
                      std::fabs(rounded);
        const Real error = std::fabs(value - wanted) / ulp;
        if (!(error <= worst)) {
          worst = error;
          worst_at = inputs[i];
        }
      }
      CAPTURE(worst_at);
      CHECK(worst < (dtype == DType::kF32 ? 0.51L : op == "exp" || op == "log" ? 1.0L : 3.0L));
    }
  }
}

TEST_CASE("Elementwise: functions keep their special values") {
  const auto f64 = [](const std::string& op, Real x) {
    return at(run(op, {vec(DType::kF64, {x})}), 0);
  };
  CHECK(f64("exp", -kInfinity) == 0);
  CHECK(f64("exp", kInfinity) == kInfinity);
  CHECK(f64("exp", 0) == 1);
  CHECK(f64("log", 0) == -kInfinity);
  CHECK(f64("log", -0.0L) == -kInfinity);
  CHECK(f64("log", 1) == 0);
  CHECK(f64("log", kInfinity) == kInfinity);
  CHECK(std::isnan(f64("log", -1)));
  CHECK(std::isnan(f64("sqrt", -1)));
  CHECK(f64("tanh", kInfinity) == 1);
  CHECK(f64("tanh", -kInfinity) == -1);
  CHECK(std::signbit(f64("tanh", -0.0L)));
  CHECK(f64("sigmoid", -kInfinity) == 0);
  CHECK(f64("sigmoid", kInfinity) == 1);
  CHECK(f64("sigmoid", 0) == 0.5L);
  for (const char* op : {"exp", "log", "sqrt", "tanh", "sigmoid"}) CHECK(std::isnan(f64(op, kNan)));
}

TEST_CASE("Elementwise: pow is the C library's") {
  const auto [a, b] = edge_pairs(DType::kF64);
  check_binary("pow", a, b, DType::kF64, [](Real x, Real y) {
    return Real{std::pow(static_cast<double>(x), static_cast<double>(y))};
  });
}

TEST_CASE("Elementwise: cast saturates between all dtypes") {
  for (const DType from : kAllDTypes) {
    std::vector<Real> inputs = edges(from);
    for (const DType other : kInts) {  // around each other type's limits, where `from` has them
      for (const Real limit : {lowest(other), highest(other)}) {
        for (const Real v : {limit - 1, limit, limit + 1, limit * 2, limit + 0.5L, limit - 0.5L}) {
          const Real exact = is_float(from) ? stored(from, v) : std::trunc(v);
          if (exact >= lowest(from) && exact <= highest(from)) inputs.push_back(exact);
        }
      }
    }
    inputs = values(vec(from, inputs));  // as `from` has them
    for (const DType to : kAllDTypes) {
      CAPTURE(dtype_name(from));
      CAPTURE(dtype_name(to));
      std::vector<Real> wanted;
      for (const Real v : inputs) {
        if (to == DType::kBool) {
          wanted.push_back(v != 0 ? 1 : 0);
        } else if (is_float(to)) {
          wanted.push_back(stored(to, v));
        } else {
          wanted.push_back(std::isnan(v) ? 0 : std::clamp(std::trunc(v), lowest(to), highest(to)));
        }
      }
      check_vec(run("cast", {vec(from, inputs)}, {{"dtype", std::string(dtype_name(to))}}), to,
                wanted);
    }
  }
  CHECK_THROWS_AS(run("cast", {vec(DType::kI8, {1})}, {{"dtype", std::string("string")}}), Error);
}

TEST_CASE("Elementwise: results written round the cache are the same") {
  const std::int64_t n = (std::int64_t{34} << 20) / 8 + 3;
  const Tensor x = run("iota", {}, {{"count", n}});
  const Tensor y = run("add", {x, Tensor::scalar<std::int64_t>(5)});
  const auto* found = elements_of<std::int64_t>(y);
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < n; ++i) wrong += found[i] != i + 5 ? 1 : 0;
  CHECK(wrong == 0);
}

TEST_CASE("Elementwise: the number of threads does not matter") {
  const Tensor a = sample(DType::kF64, {100'000, 3}, 1), b = sample(DType::kF64, {3}, 2);
  CHECK(identical(run("mul", {a, b}), run("mul", {a, b}, {}, nullptr)));
  CHECK(identical(run("exp", {a}), run("exp", {a}, {}, nullptr)));
}
