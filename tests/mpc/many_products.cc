// 10^8 products of real numbers near the limit of their range, of each sign: none may be wrapped or
// off by a unit. Too long for the test suite: `meson test --benchmark mpc_products`.
#include <doctest/doctest.h>

#include "tests/mpc/rig.h"

namespace curia::test {
namespace {

__extension__ using Wide = __int128;

constexpr int kShift = 18;
constexpr std::int64_t kUnit = std::int64_t{1} << kShift;
constexpr std::int64_t kLimit = std::int64_t{1} << 62;
constexpr std::int64_t kBatch = 1'000'000;

std::int64_t signed_of(std::uint64_t x) { return static_cast<std::int64_t>(x); }

// Operands whose product lies within 2^(62 - 0..40) of the limit, and the parts of their shares.
struct Batch {
  std::vector<std::uint64_t> x, y;
  std::array<std::vector<std::uint64_t>, 3> x_parts, y_parts;
};

Batch batch(std::uint64_t seed) {
  Numbers numbers(seed);
  Batch b;
  for (std::int64_t i = 0; i < kBatch; ++i) {
    const std::int64_t a =
        1 + static_cast<std::int64_t>(numbers.next() >> (2 + numbers.next() % 60));
    const std::int64_t most =
        kLimit - kUnit - 1 - static_cast<std::int64_t>(numbers.next() >> (3 + numbers.next() % 60));
    const std::uint64_t signs = numbers.next();
    b.x.push_back(static_cast<std::uint64_t>((signs & 1) != 0 ? a : -a));
    b.y.push_back(static_cast<std::uint64_t>((signs & 2) != 0 ? most / a : -(most / a)));
  }
  for (auto* parts : {&b.x_parts, &b.y_parts}) {
    const auto& secret = parts == &b.x_parts ? b.x : b.y;
    for (auto& part : *parts) part.resize(kBatch);
    for (std::size_t i = 0; i < secret.size(); ++i) {
      (*parts)[0][i] = numbers.next();
      (*parts)[1][i] = numbers.next();
      (*parts)[2][i] = secret[i] - (*parts)[0][i] - (*parts)[1][i];
    }
  }
  return b;
}

std::int64_t wrong_in(std::uint64_t seed) {
  const Batch b = batch(seed);
  Hub hub;
  const auto results = simulate<RingShare>(hub, seed, [&](int rank, MpcProtocol& p) {
    const auto i = static_cast<std::size_t>(rank), j = (i + 1) % 3;
    return p.multiply_shift({kBatch, slice_of(b.x_parts[i]), slice_of(b.x_parts[j])},
                            {kBatch, slice_of(b.y_parts[i]), slice_of(b.y_parts[j])}, kShift);
  });
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < kBatch; ++i) {
    const auto at = static_cast<std::size_t>(i);
    std::uint64_t z = 0;
    for (const RingShare& share : results) {
      z += reinterpret_cast<const std::uint64_t*>(share.first.data)[i];
    }
    const Wide error = static_cast<Wide>(signed_of(z)) * kUnit -
                       static_cast<Wide>(signed_of(b.x[at])) * signed_of(b.y[at]);
    if (error >= kUnit || error <= -kUnit) ++wrong;
  }
  return wrong;
}

}  // namespace

TEST_CASE("MpcProtocol: of 10^8 products near the range limit none wraps") {
  std::int64_t wrong = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) wrong += wrong_in(seed);
  CHECK(wrong == 0);
}

}  // namespace curia::test
