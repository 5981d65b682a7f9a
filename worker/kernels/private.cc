// dp_sum dp_mean dp_count dp_histogram: releases of what is in the rows of a dataset, with noise
// for differential privacy (docs/decisions/0016-private-releases.md).
//
// Sensitivity is that of one row of the dataset replaced by any other. Where a filter may have run,
// so that a row of the operand may come or go with it, that is counted in; stability.h sees to it
// that no other row changes.
//
// Cells are clipped and rounded to multiples of a power of two that follows from the bounds alone,
// so their sum is exact, and all that the result can be is known before the data are. NaN counts as
// the number between the bounds that is nearest to 0. Noise is drawn on that grid (noise.h); what
// is done to it afterwards depends on nothing else.
#include <algorithm>
#include <cmath>
#include <limits>

#include "protocol/digest.h"
#include "protocol/privacy.h"
#include "worker/kernels/map.h"
#include "worker/kernels/noise.h"

namespace curia {
namespace {

// Of the largest cell on the grid.
constexpr int kGridBits = 30;
// Epsilon is rounded down to a multiple of 2^-kEpsilonBits.
constexpr int kEpsilonBits = 24;
constexpr std::int64_t kGrain = 1 << 16;  // cells of 2^30: their sum fits 64 bits

// What one row can move, as integers on the grid, in one number of the result or in several.
struct Sensitivity {
  std::uint64_t all = 0;      // the sum of what the numbers move: the L1 norm
  std::uint64_t squared = 0;  // the sum of the squares: the L2 norm, squared
};
constexpr Sensitivity of_one(std::uint64_t step) { return {step, step * step}; }

// What this release may cost, in `parts` releases that cost as much each.
class Noise {
 public:
  Noise(const KernelContext& ctx, int parts)
      : source_(ctx.noise != nullptr ? *ctx.noise : NoiseSource::Fill(random_bytes)) {
    const double epsilon = ctx.double_attr("epsilon");
    expect(epsilon >= kMinEpsilon && epsilon <= kMaxEpsilon, "epsilon is out of its limits");
    if (ctx.has("delta")) {
      const double delta = ctx.double_attr("delta");
      expect(delta > 0 && delta < 1, "delta is out of its limits");
      // The largest rho that gives (epsilon, delta), see the decision; a part has its share.
      const double log = -std::log(delta);
      const double root = epsilon / (std::sqrt(log + epsilon) + std::sqrt(log));
      rho_ = root * root / parts * (1 - 0x1p-40);
    } else {
      epsilon_ = static_cast<std::uint64_t>(std::ldexp(epsilon, kEpsilonBits) / parts);
    }
  }

  Wide draw(const Sensitivity& of) {
    if (rho_ == 0) return source_.laplace(of.all << kEpsilonBits, epsilon_);
    const double sigma = std::sqrt(static_cast<double>(of.squared) / (2 * rho_));
    const int bits = std::clamp(54 - std::ilogb(sigma), 0, 20);
    const double scaled = std::ceil(std::ldexp(sigma, bits) * (1 + 0x1p-40));
    expect(scaled >= 1 && scaled <= 0x1p56, "the noise is out of its limits");
    return source_.gaussian(static_cast<std::uint64_t>(scaled), bits);
  }

 private:
  NoiseSource source_;
  std::uint64_t epsilon_ = 0;  // Laplace: times 2^kEpsilonBits
  double rho_ = 0;             // Gaussian
};

// The grid for numbers from low to high, taken from `origin`.
struct Grid {
  Grid(double from, double to, double zero) : low(from), high(to), origin(zero) {
    const double most = std::max({high - low, std::fabs(low - origin), std::fabs(high - origin)});
    exponent = std::ilogb(most) + 1 - kGridBits;
    scale = std::ldexp(1, -exponent);
    first = place(low);
    last = place(high);
  }

  std::int64_t place(double x) const {
    return static_cast<std::int64_t>(std::nearbyint((x - origin) * scale));
  }
  double real(Wide places) const { return std::ldexp(static_cast<double>(places), exponent); }

  double low, high, origin;
  int exponent;
  double scale;
  std::int64_t first, last;  // of the bounds
};

// The exact sum of the places of all rows.
Wide sum_of(const KernelContext& ctx, const Tensor& x, const Grid& grid) {
  std::vector<std::int64_t> parts(static_cast<std::size_t>((x.elements() + kGrain - 1) / kGrain));
  const double missing = std::clamp(0.0, grid.low, grid.high);
  with_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* cells = elements_of<T>(x);
    ctx.for_chunks(x.elements(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t sum = 0;
      for (std::int64_t i = begin; i < end; ++i) {
        const auto cell = static_cast<double>(cells[i]);
        sum += grid.place(std::isnan(cell) ? missing : std::clamp(cell, grid.low, grid.high));
      }
      parts[static_cast<std::size_t>(begin / kGrain)] = sum;
    });
  });
  Wide sum = 0;
  for (const std::int64_t part : parts) sum += part;
  return sum;
}

std::uint64_t size_of(std::int64_t x) { return static_cast<std::uint64_t>(x < 0 ? -x : x); }

// Of the sum on a grid, for one row replaced, and where rows may come and go, added or removed.
Sensitivity of_sum(const Grid& grid, bool public_rows) {
  const std::uint64_t width = size_of(grid.last - grid.first);
  return of_one(public_rows ? width : std::max({width, size_of(grid.first), size_of(grid.last)}));
}

std::int64_t rows_of(const KernelContext& ctx) {
  expect(!ctx.operands.empty(), "an operand is missing");
  return ctx.operands[0]->is_table() ? ctx.table(0).rows : ctx.tensor(0).shape.at(0);
}

std::int64_t saturated(Wide x) {
  using Limits = std::numeric_limits<std::int64_t>;
  return static_cast<std::int64_t>(std::clamp<Wide>(x, Limits::min(), Limits::max()));
}

std::vector<ValuePtr> dp_sum(const KernelContext& ctx) {
  const Tensor& x = ctx.tensor(0);
  const double low = ctx.double_attr("low"), high = ctx.double_attr("high");
  // Of a known number of rows it is enough to sum what they have above the lower bound.
  const double origin = ctx.public_rows ? low : 0;
  const Grid grid(low, high, origin);
  Noise noise(ctx, 1);
  const Wide sum = sum_of(ctx, x, grid) + noise.draw(of_sum(grid, ctx.public_rows));
  const double base = ctx.public_rows ? origin * static_cast<double>(x.elements()) : 0;
  return one(Tensor::scalar(base + grid.real(sum)));
}

std::vector<ValuePtr> dp_mean(const KernelContext& ctx) {
  const Tensor& x = ctx.tensor(0);
  const double low = ctx.double_attr("low"), high = ctx.double_attr("high");
  // From the middle a row that comes or goes moves the sum no more than one that is replaced.
  const double middle = low + (high - low) / 2;
  const Grid grid(low, high, middle);
  Noise noise(ctx, ctx.public_rows ? 1 : 2);
  const Wide sum = sum_of(ctx, x, grid) + noise.draw(of_sum(grid, ctx.public_rows));
  const Wide count = x.elements() + (ctx.public_rows ? 0 : noise.draw(of_one(1)));
  const double rows = static_cast<double>(std::max<Wide>(count, 1));
  return one(Tensor::scalar(std::clamp(middle + grid.real(sum) / rows, low, high)));
}

std::vector<ValuePtr> dp_count(const KernelContext& ctx) {
  Noise noise(ctx, 1);
  return one(Tensor::scalar(saturated(rows_of(ctx) + noise.draw(of_one(1)))));
}

// The bin of a cell, or -1. A bin holds its lower edge, the last one both.
std::ptrdiff_t bin_of(long double cell, std::span<const double> edges) {
  if (!(cell >= edges.front() && cell <= edges.back())) return -1;
  const auto above = std::upper_bound(edges.begin(), edges.end(), cell);
  return std::min<std::ptrdiff_t>(above - edges.begin(), std::ssize(edges) - 1) - 1;
}

std::vector<ValuePtr> dp_histogram(const KernelContext& ctx) {
  const Tensor& x = ctx.tensor(0);
  const std::span<const double> edges = ctx.tensor_attr("edges").as<double>();
  std::vector<std::int64_t> counts(edges.size() - 1);
  with_dtype(x.dtype, [&](auto zero) {
    const auto* cells = elements_of<decltype(zero)>(x);
    for (std::int64_t i = 0; i < x.elements(); ++i) {
      if (i % kGrain == 0) ctx.poll();
      const std::ptrdiff_t bin = bin_of(static_cast<long double>(cells[i]), edges);
      if (bin >= 0) ++counts[static_cast<std::size_t>(bin)];
    }
  });
  // A row that is replaced leaves one bin and enters another.
  Noise noise(ctx, 1);
  for (std::int64_t& count : counts) count = saturated(count + noise.draw({2, 2}));
  return one(Tensor::of(Shape{std::ssize(counts)}, counts));
}

constexpr KernelEntry kTable[] = {
    {"dp_count", dp_count},
    {"dp_histogram", dp_histogram},
    {"dp_mean", dp_mean},
    {"dp_sum", dp_sum},
};

}  // namespace

std::span<const KernelEntry> private_kernels() { return kTable; }

}  // namespace curia
