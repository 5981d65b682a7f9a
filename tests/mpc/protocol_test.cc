// The contract of MpcProtocol: every primitive against the same in the clear, and what it sends
// against what the counting protocol says.
#include "worker/mpc/protocol.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tests/mpc/rig.h"
#include "worker/mpc/counting.h"

namespace curia::test {
namespace {

using Words = std::vector<std::uint64_t>;
using Bits = std::vector<bool>;

void check_cost(Hub& hub, const mpc::Counting& counting) {
  const MpcCost expected = counting.cost();
  const Traffic found = hub.traffic();
  CHECK(found.rounds == expected.rounds);
  CHECK(found.bytes == expected.bytes);
  CHECK(found.messages == expected.messages);
}

// Sizes on both sides of every way a primitive has to cut its work.
const std::vector<std::int64_t> kCounts = {0,    1,     2,     63,    64,     65,     511,   512,
                                           1000, 32767, 32768, 40001, 131071, 131072, 400001};

std::int64_t signed_of(std::uint64_t x) { return static_cast<std::int64_t>(x); }

// A ring primitive of two operands, at all sizes: f in the clear, g over shares.
template <class F, class G>
void check_binary(F f, G g) {
  for (const std::int64_t count : kCounts) {
    CAPTURE(count);
    Numbers numbers(static_cast<std::uint64_t>(count) + 7);
    const Words x = numbers.words(count), y = numbers.words(count);
    Hub hub;
    const auto results = simulate<RingShare>(hub, 11, [&](int rank, MpcProtocol& protocol) {
      return g(protocol, deal(rank, x, 1), deal(rank, y, 2));
    });
    const Words z = opened(results);
    REQUIRE(z.size() == x.size());
    for (std::size_t i = 0; i < z.size(); ++i) REQUIRE(f(x[i], y[i]) == z[i]);
    mpc::Counting counting;
    g(counting, counting.ring(count), counting.ring(count));
    check_cost(hub, counting);
  }
}

template <class F, class G>
void check_bits(const std::vector<std::uint64_t>& special, F f, G g) {
  for (const std::int64_t count : kCounts) {
    CAPTURE(count);
    Numbers numbers(static_cast<std::uint64_t>(count) + 3);
    Words x = numbers.words(count);
    for (std::size_t i = 0; i < x.size(); i += 3) x[i] = special[i / 3 % special.size()];
    Hub hub;
    const auto results = simulate<BitShare>(hub, 12, [&](int rank, MpcProtocol& protocol) {
      return g(protocol, deal(rank, x, static_cast<std::uint64_t>(count)));
    });
    const Bits z = opened(results);
    REQUIRE(z.size() == x.size());
    for (std::size_t i = 0; i < z.size(); ++i) REQUIRE(f(x[i]) == z[i]);
    mpc::Counting counting;
    g(counting, counting.ring(count));
    check_cost(hub, counting);
  }
}

const Words kEdges = {0,
                      1,
                      ~std::uint64_t{0},
                      std::uint64_t{1} << 63,
                      (std::uint64_t{1} << 63) - 1,
                      (std::uint64_t{1} << 63) + 1,
                      std::uint64_t{1} << 62,
                      0x5555555555555555,
                      0xaaaaaaaaaaaaaaaa,
                      0x00000000ffffffff,
                      0xffffffff00000000,
                      2};

}  // namespace

TEST_CASE("MpcProtocol: products wrap as in Z_2^64, and cost what is counted") {
  check_binary(
      [](std::uint64_t x, std::uint64_t y) { return x * y; },
      [](MpcProtocol& p, const RingShare& a, const RingShare& b) { return p.multiply(a, b); });
}

TEST_CASE("MpcProtocol: map() works on every part, and adds public numbers once") {
  check_binary([](std::uint64_t x, std::uint64_t y) { return 3 * x - y + 5; },
               [](MpcProtocol& p, const RingShare& a, const RingShare& b) {
                 const std::int64_t n = a.count;
                 return p.map(
                     {&a, &b}, n,
                     [n](const std::uint64_t* const* in, std::uint64_t* out, bool constant) {
                       for (std::int64_t i = 0; i < n; ++i) {
                         out[i] = 3 * in[0][i] - in[1][i] + (constant ? 5 : 0);
                       }
                     });
               });
}

TEST_CASE("MpcProtocol: share() and reveal() from and to every member") {
  for (int owner = 0; owner < 3; ++owner) {
    for (int to = 0; to < 3; ++to) {
      for (const std::int64_t count : {0, 1, 1000, 40001}) {
        CAPTURE(owner);
        CAPTURE(to);
        CAPTURE(count);
        const Words x = Numbers(5).words(count), y = Numbers(6).words(bit_words(count));
        const auto run = [&](MpcProtocol& p, const Slice& clear, const Slice& bits) {
          const RingShare a = p.share(clear, count, owner);
          const BitShare b = p.share_bits(bits, count, owner);
          return std::pair(p.reveal(a, to), p.reveal_bits(b, to));
        };
        Hub hub;
        const auto results =
            simulate<std::pair<Slice, Slice>>(hub, 3, [&](int rank, MpcProtocol& p) {
              return rank == owner ? run(p, slice_of(x), slice_of(y)) : run(p, {}, {});
            });
        for (int rank = 0; rank < 3; ++rank) {
          const auto& [ring, bits] = results[static_cast<std::size_t>(rank)];
          REQUIRE(ring.size == (rank == to ? count * 8 : 0));
          if (rank != to) continue;
          CHECK(std::equal(x.begin(), x.end(), reinterpret_cast<const std::uint64_t*>(ring.data)));
          CHECK(std::equal(y.begin(), y.end(), reinterpret_cast<const std::uint64_t*>(bits.data)));
        }
        mpc::Counting counting;
        run(counting, {}, {});
        check_cost(hub, counting);
      }
    }
  }
}

TEST_CASE("MpcProtocol: conjunctions of packed bits, one bit sent for each") {
  for (const std::int64_t count : kCounts) {
    CAPTURE(count);
    Bits x, y;
    Numbers numbers(9);
    for (std::int64_t i = 0; i < count; ++i) {
      x.push_back(numbers.next() & 1);
      y.push_back(numbers.next() & 1);
    }
    Hub hub;
    const auto results = simulate<BitShare>(hub, 4, [&](int rank, MpcProtocol& p) {
      return p.conjunction(deal_bits(rank, x, 1), deal_bits(rank, y, 2));
    });
    const Bits z = opened(results);
    for (std::size_t i = 0; i < z.size(); ++i) REQUIRE(z[i] == (x[i] && y[i]));
    mpc::Counting counting;
    counting.conjunction(counting.bits(count), counting.bits(count));
    check_cost(hub, counting);
    CHECK(hub.traffic().bytes[0] == bit_words(count) * 8);
  }
}

TEST_CASE("MpcProtocol: sign() is bit 63, with few elements and with many") {
  check_bits(
      kEdges, [](std::uint64_t x) { return signed_of(x) < 0; },
      [](MpcProtocol& p, const RingShare& x) { return p.sign(x); });
}

TEST_CASE("MpcProtocol: is_zero() finds zeros only") {
  check_bits(
      kEdges, [](std::uint64_t x) { return x == 0; },
      [](MpcProtocol& p, const RingShare& x) { return p.is_zero(x); });
}

TEST_CASE("MpcProtocol: to_bits() gives every bit as a plane") {
  for (const std::int64_t count : {1, 64, 700, 33000, 131073}) {
    for (const auto& [low, bits] : std::vector<std::pair<int, int>>{
             {0, 64}, {0, 1}, {1, 1}, {5, 17}, {63, 1}, {62, 2}, {0, 18}}) {
      if (count > 700 && bits > 20) continue;
      CAPTURE(count);
      CAPTURE(low);
      CAPTURE(bits);
      Words x = Numbers(21).words(count);
      std::copy_n(kEdges.begin(), std::min<std::size_t>(kEdges.size(), x.size()), x.begin());
      Hub hub;
      const auto results = simulate<BitShare>(hub, 4, [&, l = low, b = bits](int rank, auto& p) {
        return p.to_bits(deal(rank, x, 1), l, b);
      });
      const Bits z = opened(results);
      const std::int64_t plane = bits == 1 ? 0 : 64 * bit_words(count);
      for (int j = 0; j < bits; ++j) {
        for (std::int64_t i = 0; i < count; ++i) {
          const bool bit = x[static_cast<std::size_t>(i)] >> (low + j) & 1;
          REQUIRE(z[static_cast<std::size_t>(j * plane + i)] == bit);
        }
      }
      mpc::Counting counting;
      counting.to_bits(counting.ring(count), low, bits);
      check_cost(hub, counting);
    }
  }
}

TEST_CASE("MpcProtocol: to_ring() makes numbers 0 and 1 of bits") {
  for (const std::int64_t count : kCounts) {
    CAPTURE(count);
    Bits x;
    Numbers numbers(9);
    for (std::int64_t i = 0; i < count; ++i) x.push_back(numbers.next() & 1);
    Hub hub;
    const auto results = simulate<RingShare>(
        hub, 4, [&](int rank, MpcProtocol& p) { return p.to_ring(deal_bits(rank, x, 1)); });
    const Words z = opened(results);
    for (std::size_t i = 0; i < z.size(); ++i) REQUIRE(z[i] == (x[i] ? 1u : 0u));
    mpc::Counting counting;
    counting.to_ring(counting.bits(count));
    check_cost(hub, counting);
  }
}

TEST_CASE("MpcProtocol: matrix products of every shape, exact and divided") {
  struct Sizes {
    std::int64_t m, k, n;
  };
  for (const auto& [m, k, n] : std::vector<Sizes>{{1, 1, 1},
                                                  {3, 5, 1},
                                                  {1, 300, 1},
                                                  {2, 3, 4},
                                                  {17, 129, 25},
                                                  {9, 0, 3},
                                                  {128, 100, 1},
                                                  {300, 33, 200},
                                                  {0, 4, 3},
                                                  {64, 257, 49}}) {
    for (const int shift : {0, 18}) {
      CAPTURE(m);
      CAPTURE(k);
      CAPTURE(n);
      CAPTURE(shift);
      Numbers numbers(3);
      Words a = numbers.words(m * k), b = numbers.words(k * n);
      if (shift > 0) {
        for (auto* matrix : {&a, &b}) {
          for (auto& x : *matrix) x = static_cast<std::uint64_t>(signed_of(x) >> 38);
        }
      }
      const auto run = [&, m = m, k = k, n = n](MpcProtocol& p, const RingShare& x,
                                                const RingShare& y) {
        return p.matmul(x, y, m, k, n, shift);
      };
      Hub hub;
      const auto results = simulate<RingShare>(hub, 4, [&](int rank, MpcProtocol& p) {
        return run(p, deal(rank, a, 1), deal(rank, b, 2));
      });
      const Words c = opened(results);
      REQUIRE(static_cast<std::int64_t>(c.size()) == m * n);
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          std::uint64_t sum = 0;
          for (std::int64_t x = 0; x < k; ++x) {
            sum += a[static_cast<std::size_t>(i * k + x)] * b[static_cast<std::size_t>(x * n + j)];
          }
          const std::uint64_t found = c[static_cast<std::size_t>(i * n + j)];
          if (shift == 0) {
            REQUIRE(found == sum);
          } else {
            const double error = std::ldexp(static_cast<double>(signed_of(sum)), -shift) -
                                 static_cast<double>(signed_of(found));
            REQUIRE(std::fabs(error) < 1);
          }
        }
      }
      mpc::Counting counting;
      run(counting, counting.ring(m * k), counting.ring(k * n));
      check_cost(hub, counting);
    }
  }
}

TEST_CASE("MpcProtocol: shuffle() keeps rows whole, and moves them") {
  for (const std::int64_t rows : {0, 1, 2, 50, 20000}) {
    for (const std::int64_t width : {1, 3}) {
      CAPTURE(rows);
      Words x;
      for (std::int64_t i = 0; i < rows * width; ++i) x.push_back(static_cast<std::uint64_t>(i));
      Hub hub;
      const auto results = simulate<RingShare>(
          hub, 4, [&](int rank, MpcProtocol& p) { return p.shuffle(deal(rank, x, 1), width); });
      Words z = opened(results);
      std::set<std::uint64_t> seen;
      for (std::size_t i = 0; i < z.size(); i += static_cast<std::size_t>(width)) {
        REQUIRE(z[i] % static_cast<std::uint64_t>(width) == 0);
        REQUIRE(seen.insert(z[i]).second);
        for (std::uint64_t j = 1; j < static_cast<std::uint64_t>(width); ++j) {
          REQUIRE(z[i + j] == z[i] + j);
        }
      }
      REQUIRE(static_cast<std::int64_t>(seen.size()) == rows);
      if (rows >= 50) CHECK(z != x);
      mpc::Counting counting;
      counting.shuffle(counting.ring(rows * width), width);
      check_cost(hub, counting);
    }
  }
}

TEST_CASE("MpcProtocol: shuffle() gives every order of three rows equally often") {
  constexpr int kRuns = 3000;
  std::map<Words, int> orders;
  const Words x = {1, 2, 3};
  for (std::uint64_t i = 0; i < kRuns; ++i) {
    Hub hub;
    const auto seeds = seeds_from(1000 + i);
    std::array<RingShare, 3> results;
    on_three(hub, [&](int rank, MpcNet& net) {
      const auto p = make_replicated(net, seeds[static_cast<std::size_t>(rank)]);
      p->begin(1, 0, nullptr);
      results[static_cast<std::size_t>(rank)] = p->shuffle(deal(rank, x, 1), 1);
    });
    ++orders[opened(results)];
  }
  REQUIRE(orders.size() == 6);
  double chi = 0;
  for (const auto& [order, times] : orders) chi += (times - 500.0) * (times - 500.0) / 500.0;
  CHECK(chi < 20.5);  // 5 degrees of freedom, p = 0.001
}

}  // namespace curia::test
