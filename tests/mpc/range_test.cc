// Whatever the kernels of a secure device make of data within declared ranges is within the
// computed ones, as long as nothing was refused.
#include "protocol/range.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "tests/mpc/ops_rig.h"

using namespace curia;
using namespace curia::test;

namespace {

using Random = std::mt19937_64;

const SecureDevice kAbc = {"abc", "replicated3", {"alice", "bob", "carol"}};

struct Case {
  const char* op;
  int operands = 1;
  Attrs attrs = {};
  Shape shape = {3, 4};
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"add", 2},
      {"sub", 2},
      {"mul", 2},
      {"neg"},
      {"abs"},
      {"relu"},
      {"minimum", 2},
      {"maximum", 2},
      {"lt", 2},
      {"cast", 1, {{"dtype", std::string("i64")}}},
      {"cast", 1, {{"dtype", std::string("f64")}, {"fraction_bits", std::int64_t{10}}}},
      {"cast", 1, {{"dtype", std::string("f64")}, {"fraction_bits", std::int64_t{24}}}},
      {"matmul", 2, {}, {3, 3}},
      {"sum"},
      {"sum", 1, {{"axes", std::vector<std::int64_t>{1}}}},
      {"mean"},
      {"mean", 1, {{"axes", std::vector<std::int64_t>{0}}}},
      {"variance"},
      {"variance", 1, {{"axes", std::vector<std::int64_t>{0}}}},
      {"max"},
      {"argmin", 1, {{"axis", std::int64_t{0}}}},
      {"sort"},
      {"concat", 2, {{"axis", std::int64_t{0}}}},
      {"reciprocal"},
      {"sqrt"},
      {"log"},
      {"exp"},
      {"sigmoid"},
      {"sigmoid", 1, {{"pieces", std::int64_t{3}}}},
  };
  return all;
}

Interval random_range(Random& random, int f) {
  std::uniform_real_distribution<double> exponent(-f, 62 - f), part(0, 1);
  double a = std::exp2(exponent(random)), b = a * part(random);
  if (random() % 2 == 0) b = -b;
  if (random() % 4 == 0) a = -a;
  if (random() % 3 == 0) a *= 0x1p-12, b *= 0x1p-12;
  const auto ulps = [&](double x) { return std::ldexp(std::round(std::ldexp(x, f)), -f) + 0.0; };
  return {ulps(std::min(a, b)), ulps(std::max(a, b))};
}

std::vector<double> cells(Random& random, const Interval& range, std::int64_t count) {
  std::uniform_real_distribution<double> part(0, 1);
  std::vector<double> all;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t pick = random() % 3;
    const double inside = range.low + part(random) * (range.high - range.low);
    all.push_back(pick == 0 ? range.low : pick == 1 ? range.high : inside);
  }
  return all;
}

}  // namespace

TEST_CASE("Ranges: what secrets become is within the range, up to the limits of each op") {
  Random random(5);
  for (const Case& one : cases()) {
    int accepted = 0, refused = 0;
    for (int tries = 0; tries < 4000 && accepted < 40; ++tries) {
      const int f = std::vector<int>{10, 18, 24}[random() % 3];
      Graph graph;
      graph.devices = {kAbc};
      std::vector<Operand> operands;
      Op op{.name = one.op, .device = "abc", .attrs = one.attrs};
      for (int i = 0; i < one.operands; ++i) {
        const Interval range = random_range(random, f);
        const SecretType type = fixed_type(one.shape, f);
        operands.push_back(reals(one.shape, cells(random, range, element_count(one.shape)), f));
        op.operands.push_back(static_cast<ValueId>(i));
        if (i == 1 && random() % 3 == 0) {
          operands[1] = known(operands[1]);
          graph.ops.push_back(
              {.name = "constant", .device = "abc", .attrs = {{"value", operands[1].clear}}});
          continue;
        }
        graph.inputs.push_back({"x" + std::to_string(i), Type{type, "abc"}, {{"", range}}});
      }
      if (std::string(one.op) == "mul" && graph.ops.empty() && random() % 4 == 0) {
        op.operands[1] = 0;
        operands[1] = operands[0];
      }
      graph.ops.push_back(op);
      Verified verified;
      try {
        verified = verify(graph);
      } catch (const Error& error) {
        REQUIRE(error.op() == one.op);
        ++refused;
        continue;
      }
      ++accepted;
      REQUIRE(verified.range_notes.empty());
      const Interval range = analyze_ranges(graph, verified).results.back()[0].all;
      REQUIRE(range.known());
      const SecretType& result = verified.body.types.back().secret();
      for (const double cell : doubles(run_op(one.op, operands, result, one.attrs))) {
        INFO(one.op << " with " << f << " fraction bits gives " << cell << ", not in "
                    << range.str() << ", of " << graph.inputs[0].ranges.at("").str());
        CHECK(range.holds(cell));
      }
    }
    INFO(one.op << ": accepted " << accepted << ", refused " << refused);
    CHECK(accepted == 40);
  }
}
