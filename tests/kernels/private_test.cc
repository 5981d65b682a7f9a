// Releases with differential privacy: the noise's distribution, and what is added to it.
#include <map>
#include <set>

#include "support.h"
#include "worker/kernels/noise.h"

using namespace curia;
using namespace curia::test;

namespace {

NoiseSource::Fill seeded(std::uint64_t seed) {
  auto random = std::make_shared<std::mt19937_64>(seed);
  return [random](std::span<std::uint8_t> out) {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>((*random)());
  };
}

// One release with the noise of this seed.
Tensor release(const std::string& name, Value rows, Attrs attrs, std::uint64_t seed,
               bool public_rows = false) {
  Op op;
  op.name = name;
  op.attrs = std::move(attrs);
  const std::vector<ValuePtr> operands = {std::make_shared<const Value>(std::move(rows))};
  const NoiseSource::Fill fill = seeded(seed);
  KernelContext context{.op = op, .operands = operands, .pool = &pool(), .noise = &fill};
  context.public_rows = public_rows;
  return (*find_kernel(name))(context).at(0)->tensor();
}

double number(const Tensor& tensor) { return static_cast<double>(at(tensor, 0)); }

Attrs bounds(double low, double high, double epsilon) {
  return {{"low", low}, {"high", high}, {"epsilon", epsilon}};
}

// How far counts are from expected probabilities, cells below 10 joined: chi-square over its
// degrees of freedom, in standard deviations.
double surprise(const std::map<std::int64_t, int>& counts, int draws,
                const std::function<Real(std::int64_t)>& probability, std::int64_t most) {
  Real chi = 0, seen_rest = draws, wanted_rest = draws;
  int cells = 0;
  for (std::int64_t x = -most; x <= most; ++x) {
    const Real wanted = probability(x) * draws;
    if (wanted < 10) continue;
    const auto found = counts.find(x);
    const Real seen = found == counts.end() ? 0 : found->second;
    chi += (seen - wanted) * (seen - wanted) / wanted;
    seen_rest -= seen;
    wanted_rest -= wanted;
    ++cells;
  }
  if (wanted_rest > 1) chi += (seen_rest - wanted_rest) * (seen_rest - wanted_rest) / wanted_rest;
  return static_cast<double>((chi - cells) / std::sqrt(2.0L * cells));
}

constexpr int kDraws = 200'000;

std::function<Real(std::int64_t)> laplace_law(Real scale) {
  const Real q = std::exp(-1 / scale);
  return [=](std::int64_t x) {
    return (1 - q) / (1 + q) * std::pow(q, static_cast<Real>(std::abs(x)));
  };
}

std::function<Real(std::int64_t)> gaussian_law(Real sigma) {
  const auto weight = [=](std::int64_t x) {
    return std::exp(-static_cast<Real>(x) * static_cast<Real>(x) / (2 * sigma * sigma));
  };
  Real all = 0;
  for (std::int64_t x = -400; x <= 400; ++x) all += weight(x);
  return [=](std::int64_t x) { return weight(x) / all; };
}

std::map<std::int64_t, int> counted(const std::function<Wide()>& draw) {
  std::map<std::int64_t, int> counts;
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::int64_t>(draw())];
  return counts;
}

}  // namespace

TEST_CASE("Noise: discrete Laplace samples have the probabilities that the paper gives") {
  for (const auto& [numerator, denominator] :
       {std::pair{1, 1}, {1, 3}, {5, 2}, {20, 1}, {1 << 24, 12'345'678}}) {
    CAPTURE(numerator);
    NoiseSource noise(seeded(7));
    const auto counts = counted([&, n = numerator, d = denominator] {
      return noise.laplace(static_cast<std::uint64_t>(n), static_cast<std::uint64_t>(d));
    });
    const Real scale = static_cast<Real>(numerator) / denominator;
    CHECK(std::abs(surprise(counts, kDraws, laplace_law(scale), 300)) < 4);
    // And a law that is a little wrong is noticed.
    CHECK(surprise(counts, kDraws, laplace_law(scale * 1.03L), 300) > 6);
  }
}

TEST_CASE("Noise: discrete Gaussian samples have the probabilities that the paper gives") {
  for (const auto& [numerator, bits] : {std::pair{1, 0}, {1, 1}, {7, 1}, {10, 0}, {5 << 18, 20}}) {
    CAPTURE(numerator);
    NoiseSource noise(seeded(8));
    const auto counts = counted(
        [&, n = numerator, b = bits] { return noise.gaussian(static_cast<std::uint64_t>(n), b); });
    const Real sigma = std::ldexp(static_cast<Real>(numerator), -bits);
    CHECK(std::abs(surprise(counts, kDraws, gaussian_law(sigma), 300)) < 4);
    CHECK(surprise(counts, kDraws, gaussian_law(sigma * 1.03L), 300) > 6);
  }
}

TEST_CASE("Noise: large scales fit, and numbers below a bound are all alike") {
  NoiseSource noise(seeded(9));
  Real laplace = 0, gaussian = 0;
  constexpr int kMany = 4000;
  for (int i = 0; i < kMany; ++i) {
    laplace += std::abs(static_cast<Real>(noise.laplace(std::uint64_t{1} << 62, 1))) * 0x1p-62L;
    const Real g = static_cast<Real>(noise.gaussian(std::uint64_t{1} << 56, 0)) * 0x1p-56L;
    gaussian += g * g;
  }
  CHECK(laplace / kMany == doctest::Approx(1).epsilon(0.06));
  CHECK(gaussian / kMany == doctest::Approx(1).epsilon(0.09));
  std::map<std::int64_t, int> counts;
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::int64_t>(noise.below(11)) - 5];
  CHECK(std::abs(surprise(
            counts, kDraws, [](std::int64_t) { return 1.0L / 11; }, 5)) < 4);
  CHECK(noise.below(1) == 0);
  CHECK(static_cast<int>(noise.below(UnsignedWide{1} << 100) >> 100) == 0);
}

TEST_CASE("Noise: by default it is the system's, and no two releases are alike") {
  Op op;
  op.name = "dp_sum";
  op.attrs = bounds(0, 1, 1);
  const std::vector<ValuePtr> rows = {std::make_shared<const Value>(vec(DType::kF64, {1, 0, 1}))};
  std::set<double> seen;
  for (int i = 0; i < 20; ++i) {
    seen.insert(number((*find_kernel("dp_sum"))({.op = op, .operands = rows}).at(0)->tensor()));
  }
  CHECK(seen.size() > 18);
}

TEST_CASE("dp_sum: the clipped sum and this noise, for every dtype") {
  // The noise of a seed is what a sum of nothing gives.
  const auto noise = [](double low, double high, std::uint64_t seed) {
    return number(release("dp_sum", vec(DType::kF64, {}), bounds(low, high, 0.5), seed));
  };
  for (const DType dtype : kAllDTypes) {
    if (dtype == DType::kBool) continue;
    const bool is_unsigned = is_unsigned_int(dtype);
    const Tensor x = vec(dtype, {3, 100, 7, is_unsigned ? 0.0L : -100.0L, 1});
    const double sum = number(release("dp_sum", x, bounds(-8, 16, 0.5), 3)) - noise(-8, 16, 3);
    CHECK(sum == 3 + 16 + 7 + (is_unsigned ? 0 : -8) + 1);
  }
  // NaN counts as what is nearest to 0, infinities as bounds.
  const Tensor odd = vec(DType::kF64, {kNan, kInfinity, -kInfinity});
  CHECK(number(release("dp_sum", odd, bounds(-4, 16, 0.5), 3)) - noise(-4, 16, 3) == 12);
  CHECK(number(release("dp_sum", odd, bounds(2, 16, 0.5), 3)) - noise(2, 16, 3) == 20);
  // Where everybody knows the rows it is the same sum, with less noise where low is far from 0.
  const Tensor far = vec(DType::kF32, {1001, 1002, 1003});
  const double known = number(release("dp_sum", far, bounds(1000, 1004, 1), 5, true));
  CHECK(std::abs(known - 3006) < 4 * 20);
  CHECK(std::abs(noise(1000, 1004, 5)) > 4 * 20);
}

TEST_CASE("dp_sum: noise is of the size that one row and epsilon ask for") {
  const auto deviation = [](Attrs attrs, const std::string& op, bool public_rows) {
    Real sum = 0, squares = 0;
    constexpr int kMany = 4000;
    for (int i = 0; i < kMany; ++i) {
      const Real x = at(release(op, vec(DType::kF64, {}), attrs,
                                1000 + static_cast<std::uint64_t>(i), public_rows),
                        0);
      sum += x;
      squares += x * x;
    }
    return static_cast<double>(std::sqrt(squares / kMany - (sum / kMany) * (sum / kMany)));
  };
  const double root = std::sqrt(2.0);  // of a Laplace variable of scale 1
  CHECK(deviation(bounds(0, 10, 0.5), "dp_sum", false) == doctest::Approx(20 * root).epsilon(0.06));
  CHECK(deviation(bounds(-6, 10, 2), "dp_sum", false) == doctest::Approx(8 * root).epsilon(0.06));
  CHECK(deviation(bounds(90, 100, 1), "dp_sum", false) ==
        doctest::Approx(100 * root).epsilon(0.06));
  CHECK(deviation(bounds(90, 100, 1), "dp_sum", true) == doctest::Approx(10 * root).epsilon(0.06));
  CHECK(deviation({{"epsilon", 0.25}}, "dp_count", false) ==
        doctest::Approx(4 * root).epsilon(0.06));
  // rho + 2 sqrt(rho log(1 / delta)) = epsilon, sigma^2 = sensitivity^2 / (2 rho).
  Attrs gaussian = bounds(0, 10, 1);
  gaussian["delta"] = 1e-5;
  const double rho = std::pow(std::sqrt(std::log(1e5) + 1) - std::sqrt(std::log(1e5)), 2);
  CHECK(rho + 2 * std::sqrt(rho * std::log(1e5)) == doctest::Approx(1));
  CHECK(deviation(gaussian, "dp_sum", false) ==
        doctest::Approx(10 / std::sqrt(2 * rho)).epsilon(0.06));
  gaussian = {{"epsilon", 1.0}, {"delta", 1e-5}};
  CHECK(deviation(gaussian, "dp_count", false) ==
        doctest::Approx(1 / std::sqrt(2 * rho)).epsilon(0.06));
  gaussian["edges"] = Tensor::of(Shape{2}, std::vector<double>{0, 1});
  CHECK(deviation(gaussian, "dp_histogram", false) ==
        doctest::Approx(1 / std::sqrt(rho)).epsilon(0.06));
  gaussian.erase("delta");
  CHECK(deviation(gaussian, "dp_histogram", false) == doctest::Approx(2 * root).epsilon(0.06));
}

TEST_CASE("dp_mean: near the mean, between the bounds, and defined of nothing") {
  std::vector<Real> many(20'000);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<Real>(i % 5);
  for (const bool public_rows : {false, true}) {
    const Tensor x = vec(DType::kF64, many);
    CHECK(number(release("dp_mean", x, bounds(0, 4, 1), 3, public_rows)) ==
          doctest::Approx(2).epsilon(0.005));
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const double none =
          number(release("dp_mean", vec(DType::kF64, {}), bounds(1, 4, 0.01), seed, public_rows));
      CHECK(none >= 1);
      CHECK(none <= 4);
    }
  }
  // Of hidden rows each of both parts has half of epsilon: the first noise is that of the sum.
  const Tensor one_row = vec(DType::kF64, {4});
  const double sum = number(release("dp_sum", one_row, bounds(-4, 4, 0.5), 11, true));
  CHECK(std::abs(number(release("dp_mean", one_row, bounds(-4, 4, 1), 11, false))) <=
        std::max(4.0, std::abs(sum)));
}

TEST_CASE("dp_histogram: bins hold their lower edge, the last one both") {
  const std::vector<double> edges = {0, 1, 2.5, 4};
  const Attrs attrs = {{"edges", Tensor::of(Shape{4}, edges)}, {"epsilon", 1.0}};
  const auto exact = [&](const Tensor& x) {
    const Tensor with = release("dp_histogram", x, attrs, 4);
    const Tensor none = release("dp_histogram", vec(x.dtype, {}), attrs, 4);
    std::vector<Real> counts;
    for (std::int64_t i = 0; i < 3; ++i) counts.push_back(at(with, i) - at(none, i));
    return counts;
  };
  CHECK(exact(vec(DType::kF64, {0, 0.5L, 1, 2.5L, 4, 4.1L, -0.1L, kNan, kInfinity})) ==
        std::vector<Real>{2, 1, 2});
  CHECK(exact(vec(DType::kI64, {0, 1, 2, 3, 4, 5, -1, highest(DType::kI64)})) ==
        std::vector<Real>{1, 2, 2});
  CHECK(exact(vec(DType::kU64, {highest(DType::kU64), 4, 2})) == std::vector<Real>{0, 1, 1});
}

TEST_CASE("Releases do not depend on the number of threads") {
  const Tensor x = sample(DType::kF64, {300'000}, 5);
  Op op;
  op.name = "dp_sum";
  op.attrs = bounds(-2, 3, 1);
  const std::vector<ValuePtr> rows = {std::make_shared<const Value>(x)};
  const auto run_with = [&](ThreadPool* threads) {
    const NoiseSource::Fill fill = seeded(6);
    return (*find_kernel("dp_sum"))({.op = op, .operands = rows, .pool = threads, .noise = &fill})
        .at(0)
        ->tensor();
  };
  CHECK(identical(run_with(nullptr), run_with(&pool())));
}

// Mironov's attack: a Laplace variable as a double, -log(u) * scale, reaches only some of the
// doubles near its value, and which ones a sum reaches depends on what it was added to. So one
// result can rule a neighbour out for certain.
TEST_CASE("What a release can be does not depend on the data, unlike with noise from doubles") {
  std::mt19937_64 random(21);
  // Noise of doubles: results for the sums 0 and 1/3, by the low bits that they leave.
  const auto naive = [&](double sum) {
    const double u = (static_cast<double>(random() >> 43) + 1) * 0x1p-21;
    return sum + (random() % 2 == 0 ? 1 : -1) * std::log(u);
  };
  // Whether a result could have come from this sum: some u on the grid gives it.
  const auto naive_possible = [](double result, double sum) {
    const double u = std::exp(-std::abs(result - sum));
    const double near = std::nearbyint(u * 0x1p21);
    for (double k = near - 1; k <= near + 1; ++k) {
      if (k < 1) continue;
      const double noise = std::log(k * 0x1p-21);
      if (sum + noise == result || sum - noise == result) return true;
    }
    return false;
  };
  int ruled_out = 0;
  for (int i = 0; i < 1000; ++i) {
    const double result = naive(1.0 / 3);
    REQUIRE(naive_possible(result, 1.0 / 3));
    ruled_out += naive_possible(result, 0) ? 0 : 1;
  }
  CHECK(ruled_out > 900);
  // Ours: every result of either sum lies on one grid, whose step follows from the bounds.
  const double step = 0x1p-30 * 2;  // [0, 1]: cells are at most 2^29 steps
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    for (const Real cell : {0.0L, 1.0L / 3}) {
      const double result =
          number(release("dp_sum", vec(DType::kF64, {cell}), bounds(0, 1, 1), seed));
      const double places = result / step;
      REQUIRE(places == std::nearbyint(places));
    }
  }
}
