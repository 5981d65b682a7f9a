#include <algorithm>
#include <cmath>

#include "tests/kernels/support.h"

using namespace curia;
using namespace curia::test;

namespace {

struct Case {
  Shape shape;
  std::vector<std::int64_t> axes;
};

const std::vector<Case> kCases = {{{}, {}},
                                  {{7}, {0}},
                                  {{1}, {-1}},
                                  {{5, 6}, {0}},
                                  {{5, 6}, {1}},
                                  {{5, 6}, {0, 1}},
                                  {{4, 5, 6}, {1}},
                                  {{4, 5, 6}, {0, 2}},
                                  {{4, 5, 6}, {-1, 1}},
                                  {{3, 4, 5, 6}, {0, 2}},
                                  {{3, 4, 5, 6}, {1, 3}},
                                  {{100, 40}, {0}},
                                  {{100, 40}, {1}},
                                  {{3000, 3}, {0}},
                                  {{2, 70'000}, {1}},
                                  {{70'000, 2}, {0}},
                                  {{3, 30'000, 2}, {1}},
                                  {{0}, {0}},
                                  {{0, 3}, {0}},
                                  {{3, 0}, {0}},
                                  {{3, 0}, {1}},
                                  {{4, 5}, {}}};

// The elements that go into each result.
std::vector<std::vector<Real>> gather_groups(const Tensor& x, const std::vector<std::int64_t>& axes,
                                             Shape* kept, Shape* ones) {
  std::vector<bool> reduced(x.shape.size(), false);
  for (const std::int64_t axis : axes) {
    reduced[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(x.shape.size())
                                              : axis)] = true;
  }
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    if (!reduced[i]) kept->push_back(x.shape[i]);
    ones->push_back(reduced[i] ? 1 : x.shape[i]);
  }
  std::vector<std::vector<Real>> groups(static_cast<std::size_t>(element_count(*kept)));
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    groups[static_cast<std::size_t>(broadcast_place(*ones, x.shape, i))].push_back(at(x, i));
  }
  return groups;
}

// A long double alone would not round as the exact sum does.
Real exact_sum(const std::vector<Real>& group) {
  Real sum = 0, lost = 0;
  for (const Real v : group) {
    const Real next = sum + v;
    lost += std::fabs(sum) >= std::fabs(v) ? (sum - next) + v : (v - next) + sum;
    sum = next;
  }
  return std::isfinite(sum) ? sum + lost : sum;
}

Real reference(const std::string& op, DType dtype, const std::vector<Real>& group) {
  if (op == "sum") {
    if (is_float(dtype)) return stored(dtype, exact_sum(group));
    Int128 sum = 0;
    for (const Real v : group) sum += static_cast<Int128>(v);
    return wrapped(is_unsigned_int(dtype) ? DType::kU64 : DType::kI64, sum);
  }
  if (op == "mean") {
    return stored(is_float(dtype) ? dtype : DType::kF64,
                  exact_sum(group) / static_cast<Real>(group.size()));
  }
  const bool largest = op == "max";
  Real best = is_float(dtype) ? (largest ? -kInfinity : kInfinity)
                              : (largest ? lowest(dtype) : highest(dtype));
  for (const Real v : group) {
    if (std::isnan(v)) return kNan;
    best = largest ? std::max(best, v) : std::min(best, v);
  }
  return best;
}

DType result_dtype(const std::string& op, DType dtype) {
  if (op == "min" || op == "max" || is_float(dtype)) return dtype;
  if (op == "mean") return DType::kF64;
  return is_unsigned_int(dtype) ? DType::kU64 : DType::kI64;
}

// Floats without the values that make a sum of long doubles differ from one of doubles.
Tensor calm(DType dtype, const Shape& shape) {
  Tensor x = sample(dtype, shape, 5);
  if (!is_float(dtype)) return x;
  std::vector<Real> all = values(x);
  for (Real& v : all) {
    if (!(std::fabs(v) < 1e9L)) v = 1.25L;
  }
  return make(dtype, shape, all);
}

// A mean is rounded twice, as sum and as quotient: one unit in the last place is allowed.
void round_alike(const Tensor& found, std::vector<Real>* wanted) {
  for (std::size_t i = 0; i < wanted->size(); ++i) {
    const Real value = at(found, static_cast<std::int64_t>(i));
    const Real unit = found.dtype == DType::kF32 ? 0x1p-23L : 0x1p-52L;
    if (std::fabs(value - (*wanted)[i]) <= unit * std::fabs(value)) (*wanted)[i] = value;
  }
}

}  // namespace

TEST_CASE("Reduce: sum mean min max agree with a scalar loop over any axes and dtypes") {
  for (const Case& test : kCases) {
    for (const DType dtype : kAllDTypes) {
      const Tensor x = calm(dtype, test.shape);
      Shape kept, ones;
      const auto groups = gather_groups(x, test.axes, &kept, &ones);
      for (const char* op : {"sum", "mean", "min", "max"}) {
        CAPTURE(op);
        CAPTURE(type_text(x.type()));
        CAPTURE(test.axes.size());
        std::vector<Real> wanted;
        for (const auto& group : groups) wanted.push_back(reference(op, dtype, group));
        const Tensor found = run(op, {x}, {{"axes", test.axes}});
        if (std::string(op) == "mean") round_alike(found, &wanted);
        check_equal(found, result_dtype(op, dtype), kept, wanted);
        check_equal(run(op, {x}, {{"axes", test.axes}, {"keep_dims", true}}),
                    result_dtype(op, dtype), ones, wanted);
      }
    }
  }
}

TEST_CASE("Reduce: without axes everything is reduced") {
  check_equal(run("sum", {vec(DType::kI64, {1, 2, 3})}), DType::kI64, {}, {6});
  check_equal(run("max", {sample(DType::kBool, {4, 4}, 1)}, {{"keep_dims", true}}), DType::kBool,
              {1, 1}, {1});
  check_equal(run("sum", {vec(DType::kBool, {1, 0, 1})}), DType::kI64, {}, {2});
}

TEST_CASE("Reduce: what nothing gives") {
  const Tensor none = vec(DType::kF64, {});
  check_equal(run("sum", {none}), DType::kF64, {}, {0});
  check_equal(run("mean", {none}), DType::kF64, {}, {kNan});
  check_equal(run("min", {none}), DType::kF64, {}, {kInfinity});
  check_equal(run("max", {none}), DType::kF64, {}, {-kInfinity});
  check_equal(run("min", {vec(DType::kI8, {})}), DType::kI8, {}, {127});
  check_equal(run("max", {vec(DType::kI8, {})}), DType::kI8, {}, {-128});
  check_equal(run("min", {vec(DType::kBool, {})}), DType::kBool, {}, {1});
  check_equal(run("max", {vec(DType::kBool, {})}), DType::kBool, {}, {0});
}

TEST_CASE("Reduce: a float sum loses nothing where a plain loop would") {
  check_equal(run("sum", {vec(DType::kF64, {1e16L, 1, -1e16L})}), DType::kF64, {}, {1});
  std::vector<Real> large(100'001, 0.1L);
  large[0] = 1e17L;
  large[100'000] = -1e17L;
  for (Real& v : large) v = stored(DType::kF64, v);
  CHECK(std::fabs(at(run("sum", {vec(DType::kF64, large)}), 0) - 9999.9L) < 1e-9L);
  // 2^24 ones in f32, and one more.
  const Tensor ones = run("broadcast", {Tensor::scalar(1.0F)}, {{"shape", Shape{(1 << 24) + 1}}});
  CHECK(at(run("sum", {run("cast", {ones}, {{"dtype", std::string("f32")}})}), 0) == 16777216);
  CHECK(at(run("mean", {ones}), 0) == 1);
}

TEST_CASE("Reduce: infinities and NaN come out as in a plain loop") {
  std::vector<Real> x(1000, 1);
  x[500] = kInfinity;
  CHECK(at(run("sum", {vec(DType::kF64, x)}), 0) == kInfinity);
  x[700] = -kInfinity;
  CHECK(std::isnan(at(run("sum", {vec(DType::kF64, x)}), 0)));
  x[500] = kNan;
  x[700] = 1;
  for (const char* op : {"sum", "mean", "min", "max"}) {
    CHECK(std::isnan(at(run(op, {vec(DType::kF32, x)}), 0)));
  }
}

TEST_CASE("Reduce: integer sums wrap in 64 bits, means do not") {
  const Real most = highest(DType::kI64);
  check_equal(run("sum", {vec(DType::kI64, {most, 1})}), DType::kI64, {}, {lowest(DType::kI64)});
  CHECK(at(run("mean", {vec(DType::kI64, {most, most})}), 0) == stored(DType::kF64, most));
  check_equal(run("sum", {vec(DType::kU64, {highest(DType::kU64), 2})}), DType::kU64, {}, {1});
  check_equal(run("sum", {vec(DType::kI8, std::vector<Real>(1000, -128))}), DType::kI64, {},
              {-128'000});
}

TEST_CASE("Reduce: the number of threads does not change a digit") {
  const Tensor x = run("random", {},
                       {{"shape", Shape{300'007}},
                        {"seed", std::int64_t{1}},
                        {"distribution", std::string("normal")},
                        {"dtype", std::string("f64")}});
  CHECK(identical(run("sum", {x}), run("sum", {x}, {}, nullptr)));
  const Tensor wide{x.dtype, {100'000, 3}, x.data.part(0, 2'400'000)};
  const Attrs axis = {{"axes", std::vector<std::int64_t>{0}}};
  CHECK(identical(run("mean", {wide}, axis), run("mean", {wide}, axis, nullptr)));
}

TEST_CASE("Reduce: axes that are not there are refused") {
  CHECK_THROWS_AS(run("sum", {vec(DType::kI8, {1})}, {{"axes", std::vector<std::int64_t>{1}}}),
                  Error);
  CHECK_THROWS_AS(run("sum", {vec(DType::kI8, {1})}, {{"axes", std::int64_t{0}}}), Error);
}

TEST_CASE("Order: argmax and argmin give the first, and NaN above all") {
  const Attrs last = {{"axis", std::int64_t{-1}}};
  check_equal(run("argmax", {vec(DType::kF64, {1, 3, 3, 2})}, last), DType::kI64, {}, {1});
  check_equal(run("argmin", {vec(DType::kF64, {1, 3, kNan, 0, kNan})}, last), DType::kI64, {}, {2});
  check_equal(run("argmax", {vec(DType::kF64, {kNan, 3, kNan})}, last), DType::kI64, {}, {0});
  check_equal(run("argmax", {vec(DType::kF64, {-kInfinity, -kInfinity})}, last), DType::kI64, {},
              {0});
  check_equal(run("argmax", {make(DType::kF64, {2, 0}, {})}, last), DType::kI64, {2}, {0, 0});
  for (const DType dtype : kAllDTypes) {
    for (const std::int64_t axis : {0, 1, 2}) {
      const Tensor x = sample(dtype, {6, 7, 8}, 3);
      Shape kept, ones;
      const auto groups = gather_groups(x, {axis}, &kept, &ones);
      std::vector<Real> largest, least;
      for (const auto& group : groups) {
        std::size_t high = 0, low = 0;
        for (std::size_t i = 1; i < group.size(); ++i) {
          if (std::isnan(group[high])) break;
          if (group[i] > group[high] || std::isnan(group[i])) high = i;
        }
        for (std::size_t i = 1; i < group.size(); ++i) {
          if (std::isnan(group[low])) break;
          if (group[i] < group[low] || std::isnan(group[i])) low = i;
        }
        largest.push_back(static_cast<Real>(high));
        least.push_back(static_cast<Real>(low));
      }
      check_equal(run("argmax", {x}, {{"axis", axis}}), DType::kI64, kept, largest);
      check_equal(run("argmin", {x}, {{"axis", axis}}), DType::kI64, kept, least);
    }
  }
}

TEST_CASE("Order: argsort is stable, up and down, with NaN last") {
  for (const DType dtype : kAllDTypes) {
    for (const std::int64_t n : {0, 1, 2, 50, 9000}) {
      for (const bool descending : {false, true}) {
        const Tensor x = sample(dtype, {n}, 21);
        const std::vector<Real> v = values(x);
        std::vector<Real> wanted(v.size());
        for (std::size_t i = 0; i < v.size(); ++i) wanted[i] = static_cast<Real>(i);
        std::stable_sort(wanted.begin(), wanted.end(), [&](Real i, Real j) {
          const Real a = v[static_cast<std::size_t>(i)], b = v[static_cast<std::size_t>(j)];
          if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
          return descending ? a > b : a < b;
        });
        CAPTURE(dtype_name(dtype));
        check_vec(run("argsort", {x}, {{"axis", std::int64_t{0}}, {"descending", descending}}),
                  DType::kI64, wanted);
      }
    }
  }
  check_equal(
      run("argsort", {make(DType::kI8, {3, 2}, {3, 1, 2, 2, 1, 3})}, {{"axis", std::int64_t{0}}}),
      DType::kI64, {3, 2}, {2, 0, 1, 1, 0, 2});
  check_vec(run("argsort", {vec(DType::kF64, {0.0L, -0.0L})}, {{"axis", std::int64_t{0}}}),
            DType::kI64, {0, 1});
}
