// Divisions of shared numbers at the limits of their range: never a wrapped value.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "tests/mpc/rig.h"
#include "worker/mpc/counting.h"

namespace curia::test {
namespace {

__extension__ using Wide = __int128;
using Words = std::vector<std::uint64_t>;

std::int64_t signed_of(std::uint64_t x) { return static_cast<std::int64_t>(x); }

// Numbers whose low bits, sign and size are the hard ones.
Words hard_numbers(std::int64_t low, std::int64_t high, std::int64_t unit, std::int64_t more) {
  Words x;
  for (const std::int64_t at : {low, high, std::int64_t{0}, low / 2, high / 2}) {
    for (const std::int64_t offset : {-unit - 1, -unit, -unit + 1, std::int64_t{-1},
                                      std::int64_t{0}, std::int64_t{1}, unit - 1, unit, unit + 1}) {
      const Wide y = static_cast<Wide>(at) + offset;
      if (y >= low && y <= high) x.push_back(static_cast<std::uint64_t>(y));
    }
  }
  Numbers numbers(static_cast<std::uint64_t>(unit));
  for (std::int64_t i = 0; i < more; ++i) {
    std::int64_t y = numbers.between(low, high);
    if (i % 3 == 0) y = high - numbers.between(0, std::min<std::int64_t>(high, 4 * unit));
    if (i % 3 == 1) y = low + numbers.between(0, std::min<std::int64_t>(high, 4 * unit));
    x.push_back(static_cast<std::uint64_t>(y));
  }
  return x;
}

constexpr std::int64_t kLimit = std::int64_t{1} << 62;

}  // namespace

TEST_CASE("MpcProtocol: truncate() errs by less than a unit up to the ends of its range") {
  for (int shift = 1; shift <= 32; ++shift) {
    CAPTURE(shift);
    const std::int64_t unit = std::int64_t{1} << shift;
    const Words x = hard_numbers(-kLimit, kLimit - unit - 1, unit, 2000);
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      Hub hub;
      const auto shares = simulate<RingShare>(hub, seed, [&](int rank, MpcProtocol& p) {
        return p.truncate(deal(rank, x, seed), shift);
      });
      const Words z = opened(shares);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const Wide error = static_cast<Wide>(signed_of(z[i])) * unit - signed_of(x[i]);
        REQUIRE(error < unit);
        REQUIRE(error > -unit);
        if (x[i] % static_cast<std::uint64_t>(unit) == 0) REQUIRE(error == 0);
      }
    }
  }
}

TEST_CASE("MpcProtocol: truncate() has no bias") {
  constexpr int kShift = 18;
  constexpr std::int64_t kCount = 200000;
  Words x(kCount, (std::uint64_t{5} << kShift) + 12345);
  Hub hub;
  const auto shares = simulate<RingShare>(
      hub, 3, [&](int rank, MpcProtocol& p) { return p.truncate(deal(rank, x, 1), kShift); });
  double up = 0;
  for (const std::uint64_t z : opened(shares)) {
    REQUIRE((z == 5 || z == 6));
    up += static_cast<double>(z - 5);
  }
  const double expected = 12345.0 / (1 << kShift);
  CHECK(std::abs(up / kCount - expected) < 5 * std::sqrt(expected / kCount));
}

TEST_CASE("MpcProtocol: products divided by 2^shift near the range limit do not wrap") {
  for (const std::int64_t count : {1000, 40001, 300000}) {
    for (const int shift : {1, 8, 18, 24, 25, 32}) {
      CAPTURE(count);
      CAPTURE(shift);
      const std::int64_t unit = std::int64_t{1} << shift;
      Numbers numbers(static_cast<std::uint64_t>(count));
      Words x, y;
      for (std::int64_t i = 0; i < count; ++i) {
        // x y within a few units of +-2^62.
        const std::int64_t a = numbers.between(1, std::int64_t{1} << numbers.between(1, 61));
        const std::int64_t b = (kLimit - unit - 1) / a - numbers.between(0, 1);
        x.push_back(static_cast<std::uint64_t>(i % 2 == 0 ? a : -a));
        y.push_back(static_cast<std::uint64_t>(i % 4 < 2 ? b : -b));
      }
      Hub hub;
      const auto shares = simulate<RingShare>(hub, 8, [&](int rank, MpcProtocol& p) {
        return p.multiply_shift(deal(rank, x, 1), deal(rank, y, 2), shift);
      });
      const Words z = opened(shares);
      std::int64_t wrong = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const Wide error = static_cast<Wide>(signed_of(z[i])) * unit -
                           static_cast<Wide>(signed_of(x[i])) * signed_of(y[i]);
        if (error >= unit || error <= -unit) ++wrong;
      }
      CHECK(wrong == 0);
      mpc::Counting counting;
      counting.multiply_shift(counting.ring(count), counting.ring(count), shift);
      CHECK(hub.traffic().bytes == counting.cost().bytes);
      CHECK(hub.traffic().rounds == counting.cost().rounds);
      CHECK(hub.traffic().messages == counting.cost().messages);
    }
  }
}

TEST_CASE("MpcProtocol: divide() errs by less than 1.5 up to the ends of its range") {
  constexpr std::int64_t kEnd = (std::int64_t{1} << 61) - 1;
  for (const std::int64_t divisor :
       {std::int64_t{2}, std::int64_t{3}, std::int64_t{7}, std::int64_t{8}, std::int64_t{150},
        std::int64_t{100'000'000}, (std::int64_t{1} << 31) - 1, (std::int64_t{1} << 33) + 1,
        std::int64_t{1} << 48, (std::int64_t{1} << 48) - 59}) {
    CAPTURE(divisor);
    const Words x = hard_numbers(-kEnd, kEnd, divisor, 3000);
    const auto count = static_cast<std::int64_t>(x.size());
    Hub hub;
    const auto shares = simulate<RingShare>(
        hub, 6, [&](int rank, MpcProtocol& p) { return p.divide(deal(rank, x, 1), divisor); });
    const Words z = opened(shares);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Wide twice = 2 * (static_cast<Wide>(signed_of(z[i])) * divisor - signed_of(x[i]));
      REQUIRE(twice < 3 * static_cast<Wide>(divisor));
      REQUIRE(twice > -3 * static_cast<Wide>(divisor));
    }
    mpc::Counting counting;
    counting.divide(counting.ring(count), divisor);
    CHECK(hub.traffic().bytes == counting.cost().bytes);
    CHECK(hub.traffic().rounds == counting.cost().rounds);
  }
}

}  // namespace curia::test
