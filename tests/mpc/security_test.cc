// What a member sees: uniform whatever the secret is, of sizes that depend on types only; and what
// happens when a message is not what it should be.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "protocol/digest.h"
#include "tests/mpc/ops_rig.h"

namespace curia::test {
namespace {

using Words = std::vector<std::uint64_t>;

RingShare piece(const RingShare& x, std::int64_t begin, std::int64_t count) {
  return {count, x.first.part(8 * begin, 8 * count), x.second.part(8 * begin, 8 * count)};
}

struct Shares {
  std::vector<RingShare> rings;
  std::vector<BitShare> bits;
};

// Primitives with messages, on two operands of n equal elements, small enough for every range.
struct Primitive {
  std::string name;
  std::function<Shares(MpcProtocol&, const RingShare&, const BitShare&)> run;
};

const std::vector<Primitive>& primitives() {
  static const std::vector<Primitive> all = {
      {"multiply",
       [](auto& p, auto& x, auto&) {
         return Shares{{p.multiply(x, x)}, {}};
       }},
      {"multiply_shift",
       [](auto& p, auto& x, auto&) {
         return Shares{{p.multiply_shift(x, x, 18)}, {}};
       }},
      {"matmul",
       [](auto& p, auto& x, auto&) {
         return Shares{{p.matmul(x, piece(x, 0, 1), x.count, 1, 1, 0)}, {}};
       }},
      {"matmul divided",
       [](auto& p, auto& x, auto&) {
         return Shares{{p.matmul(x, piece(x, 0, 1), x.count, 1, 1, 18)}, {}};
       }},
      {"truncate",
       [](auto& p, auto& x, auto&) {
         return Shares{{p.truncate(x, 18)}, {}};
       }},
      {"divide",
       [](auto& p, auto& x, auto&) {
         return Shares{{p.divide(x, 3)}, {}};
       }},
      {"conjunction",
       [](auto& p, auto&, auto& b) {
         return Shares{{}, {p.conjunction(b, b)}};
       }},
      {"sign",
       [](auto& p, auto& x, auto&) {
         return Shares{{}, {p.sign(x)}};
       }},
      {"is_zero",
       [](auto& p, auto& x, auto&) {
         return Shares{{}, {p.is_zero(x)}};
       }},
      {"to_bits",
       [](auto& p, auto& x, auto&) {
         return Shares{{}, {p.to_bits(x, 3, 5)}};
       }},
      {"to_ring",
       [](auto& p, auto&, auto& b) {
         return Shares{{p.to_ring(b)}, {}};
       }},
      {"shuffle",
       [](auto& p, auto& x, auto&) {
         return Shares{{p.shuffle(x, 1)}, {}};
       }},
      {"reveal",
       [](auto& p, auto& x, auto& b) {
         p.reveal(x, 1);
         p.reveal_bits(b, 2);
         return Shares{};
       }},
  };
  return all;
}

// Fresh shares of the same secret for each element.
std::array<Shares, 3> run(Hub& hub, const Primitive& primitive, std::int64_t count,
                          std::uint64_t secret, std::uint64_t seed, std::uint32_t step = 0) {
  const Words x(static_cast<std::size_t>(count), secret);
  const std::vector<bool> b(static_cast<std::size_t>(count), (secret & 1) != 0);
  return simulate<Shares>(hub, seed, [&](int rank, MpcProtocol& p) {
    p.begin(9, step, nullptr);
    return primitive.run(p, deal(rank, x, seed + 1), deal_bits(rank, b, seed + 2));
  });
}

// Counts of bytes, or of anything that should be uniform over 256 values.
struct Histogram {
  std::array<double, 256> counts{};
  double total = 0;

  void add(std::size_t value) {
    ++counts[value & 255];
    ++total;
  }
  void add_bytes(const Slice& slice) {
    for (std::int64_t i = 0; i < slice.size; ++i) add(slice.data[i]);
  }
  // 255 degrees of freedom: a mean of 255, and above 400 once in 10^7.
  double chi_square() const {
    double sum = 0;
    for (const double count : counts) {
      sum += (count - total / 256) * (count - total / 256) / (total / 256);
    }
    return sum;
  }
};

const std::uint64_t* words_of(const Slice& slice) {
  return reinterpret_cast<const std::uint64_t*>(slice.data);
}

const std::vector<std::uint64_t> kSecrets = {0, 1, ~std::uint64_t{0}, std::uint64_t{5} << 18,
                                             std::uint64_t{0} - (std::uint64_t{3} << 20)};

}  // namespace

TEST_CASE("mpc: what members receive is uniform, whatever the secret") {
  for (const Primitive& primitive : primitives()) {
    for (const std::uint64_t secret : kSecrets) {
      CAPTURE(primitive.name);
      CAPTURE(secret);
      Hub hub;
      std::map<std::pair<int, int>, Histogram> seen;
      hub.watch = [&](int from, int to, const Slice& message) {
        seen[{from, to}].add_bytes(message);
      };
      run(hub, primitive, 20000, secret, 40);
      REQUIRE(!seen.empty());
      for (const auto& [pair, histogram] : seen) {
        if (histogram.total < 256 * 5) continue;
        CAPTURE(pair.first);
        CAPTURE(pair.second);
        CHECK(histogram.chi_square() < 400);
      }
    }
  }
}

TEST_CASE("mpc: both parts of a member's share are uniform, also together") {
  for (const Primitive& primitive : primitives()) {
    for (const std::uint64_t secret : kSecrets) {
      CAPTURE(primitive.name);
      CAPTURE(secret);
      Hub hub;
      const auto results = run(hub, primitive, 20000, secret, 60);
      for (const Shares& member : results) {
        for (const RingShare& x : member.rings) {
          Histogram low, high, both;
          for (std::int64_t i = 0; i < x.count; ++i) {
            for (const Slice& part : {x.first, x.second}) {
              low.add(words_of(part)[i] & 255);
              high.add(words_of(part)[i] >> 56);
            }
            both.add((words_of(x.first)[i] & 15) << 4 | (words_of(x.second)[i] & 15));
          }
          CHECK(low.chi_square() < 400);
          CHECK(high.chi_square() < 400);
          CHECK(both.chi_square() < 400);
        }
        for (const BitShare& x : member.bits) {
          Histogram bytes, both;
          const std::int64_t size = 20000 / 8;
          bytes.add_bytes(x.first.part(0, size));
          bytes.add_bytes(x.second.part(0, size));
          for (std::int64_t i = 0; i < size; ++i) {
            both.add(
                static_cast<std::size_t>((x.first.data[i] & 15) << 4 | (x.second.data[i] & 15)));
          }
          CHECK(bytes.chi_square() < 400);
          CHECK(both.chi_square() < 400);
        }
      }
    }
  }
}

TEST_CASE("mpc: two secrets of one shape give transcripts of equal lengths in equal order") {
  for (const Primitive& primitive : primitives()) {
    for (const std::int64_t count : {1, 700, 150000}) {
      CAPTURE(primitive.name);
      CAPTURE(count);
      Hub one, two;
      run(one, primitive, count, 0, 3);
      run(two, primitive, count, ~std::uint64_t{0} - 12345, 3);
      for (int from = 0; from < 3; ++from) {
        for (int to = 0; to < 3; ++to) {
          CHECK(one.traffic().sizes[from][to] == two.traffic().sizes[from][to]);
        }
      }
    }
  }
}

TEST_CASE("mpc: no mask is used again in another op, step or task") {
  for (const Primitive& primitive : primitives()) {
    CAPTURE(primitive.name);
    std::set<std::uint64_t> seen;
    std::int64_t numbers = 0;
    const auto watch = [&](int, int, const Slice& message) {
      for (std::int64_t i = 0; i + 8 <= message.size; i += 8, ++numbers) {
        std::uint64_t word;
        std::copy_n(message.data + i, 8, reinterpret_cast<std::uint8_t*>(&word));
        seen.insert(word);
      }
    };
    // The same secret and shares again and again, as when a task is repeated with other inputs.
    for (const std::uint64_t seed : {100, 200}) {
      for (const std::uint32_t step : {0, 1}) {
        Hub hub;
        hub.watch = watch;
        const Words x(600, 7);
        simulate<int>(hub, seed, [&](int rank, MpcProtocol& p) {
          for (const std::uint32_t op : {2, 3}) {
            p.begin(op, step, nullptr);
            primitive.run(p, deal(rank, x, 1), deal_bits(rank, std::vector<bool>(600, true), 1));
          }
          return 0;
        });
      }
    }
    CHECK(static_cast<std::int64_t>(seen.size()) == numbers);
  }
}

TEST_CASE("mpc: an op cannot begin twice in one step, nor go back") {
  Hub hub;
  const auto seeds = seeds_from(1);
  HubNet net(hub, 0);
  const auto protocol = make_replicated(net, seeds[0]);
  for (const std::uint32_t op : {1, 2}) {
    for (const std::uint32_t step : {0, 1, 5}) protocol->begin(op, step, nullptr);
    for (const std::uint32_t step : {0, 3, 5}) {
      CHECK_THROWS_AS(protocol->begin(op, step, nullptr), Error);
    }
  }
}

TEST_CASE("mpc: a message of the wrong size ends the op as CORRUPT at its receiver") {
  for (const Primitive& primitive : primitives()) {
    for (int from = 0; from < 3; ++from) {
      for (int to = 0; to < 3; ++to) {
        Hub sound;
        run(sound, primitive, 1000, 5, 1);
        const std::size_t messages = sound.traffic().sizes[from][to].size();
        for (std::size_t number = 0; number < messages;
             number += std::max<std::size_t>(1, messages / 2)) {
          CAPTURE(primitive.name);
          CAPTURE(from);
          CAPTURE(to);
          Hub hub;
          hub.shorten(from, to, number);
          try {
            run(hub, primitive, 1000, 5, 1);
            FAIL("a short message was taken");
          } catch (const Error& error) {
            CHECK(error.code() == Code::kCorrupt);
          }
        }
      }
    }
  }
}

TEST_CASE("mpc: a cancelled task stops at the next chunk") {
  for (const Primitive& primitive : primitives()) {
    CAPTURE(primitive.name);
    Hub hub;
    const Words x(400000, 7);
    const std::vector<bool> b(400000, true);
    try {
      simulate<int>(hub, 3, [&](int rank, MpcProtocol& p) {
        int polls = 0;
        const std::function<bool()> cancelled = [&] { return ++polls > 1; };
        p.begin(2, 0, &cancelled);
        primitive.run(p, deal(rank, x, 1), deal_bits(rank, b, 1));
        primitive.run(p, deal(rank, x, 1), deal_bits(rank, b, 1));
        return 0;
      });
      FAIL("not cancelled");
    } catch (const Error& error) {
      CHECK(error.code() == Code::kCancelled);
    }
  }
}

TEST_CASE("mpc: shares of another task run, and operands of another type, are refused") {
  const Op op{.name = "neg", .device = "abc"};
  const Type type{int_type({2}), "abc"};
  const std::vector<Type> types = {type};
  const Digest mine = Digest::parse(std::string(64, '1')),
               other = Digest::parse(std::string(64, '2'));
  const auto code_of = [&](const Share& share) {
    Hub hub;
    const std::vector<ValuePtr> operands = {std::make_shared<const Value>(share)};
    try {
      simulate<int>(hub, 1, [&](int, MpcProtocol& protocol) {
        MpcContext ctx{.op = op,
                       .operands = operands,
                       .operand_types = types,
                       .result = type,
                       .instance = mine,
                       .protocol = protocol};
        run_mpc(ctx);
        return 0;
      });
    } catch (const Error& error) {
      return error.code();
    }
    return Code::kFailed;
  };
  const Slice part = slice_of({1, 2});
  CHECK(code_of({int_type({2}), mine, part, part}) == Code::kFailed);  // nothing thrown
  CHECK(code_of({int_type({2}), other, part, part}) == Code::kInvalid);
  CHECK(code_of({fixed_type({2}), mine, part, part}) == Code::kInvalid);
  CHECK(code_of({int_type({2}), mine, part.part(0, 8), part}) == Code::kCorrupt);
}

TEST_CASE("mpc: share and reveal as ops, from and to every member, with their cost") {
  const Tensor clear = Tensor::of<double>({3}, {1.5, -2, 1000});
  const Type secret{fixed_type({3}), "abc"}, plain{clear.type(), "bob"};
  for (int owner = 0; owner < 3; ++owner) {
    for (int to = 0; to < 3; ++to) {
      const Op share{.name = "share", .device = "abc"}, reveal{.name = "reveal", .device = "bob"};
      const std::vector<Type> clear_types = {plain}, secret_types = {secret};
      Hub hub;
      const auto results = simulate<ValuePtr>(hub, 3, [&](int rank, MpcProtocol& protocol) {
        const std::vector<ValuePtr> mine = {rank == owner ? std::make_shared<const Value>(clear)
                                                          : nullptr};
        MpcContext first{.op = share,
                         .operands = mine,
                         .operand_types = clear_types,
                         .result = secret,
                         .owner_rank = owner,
                         .instance = {},
                         .protocol = protocol};
        const auto shares = run_mpc(first);
        MpcContext second{.op = reveal,
                          .number = 5,
                          .operands = shares,
                          .operand_types = secret_types,
                          .result = plain,
                          .to_rank = to,
                          .instance = {},
                          .protocol = protocol};
        return run_mpc(second).at(0);
      });
      for (int rank = 0; rank < 3; ++rank) {
        const ValuePtr& found = results[static_cast<std::size_t>(rank)];
        REQUIRE((found != nullptr) == (rank == to));
        if (found) CHECK(doubles(found->tensor()) == doubles(clear));
      }
      const MpcCost one = find_mpc("share")->cost({share, clear_types, secret, owner, -1});
      const MpcCost two = find_mpc("reveal")->cost({reveal, secret_types, plain, -1, to});
      for (std::size_t i = 0; i < 3; ++i) {
        CHECK(hub.traffic().bytes[i] == one.bytes[i] + two.bytes[i]);
      }
      CHECK(one.rounds == 1);
      CHECK(two.rounds == 1);
      CHECK(find_mpc("share")->cost({share, clear_types, secret, -1, -1}) == MpcCost{});
      CHECK(find_mpc("reveal")->cost({reveal, secret_types, plain, -1, -1}) == MpcCost{});
    }
  }
}

TEST_CASE("mpc: the table is sorted and knows its ops only") {
  const auto table = mpc_table();
  CHECK(std::is_sorted(table.begin(), table.end(),
                       [](const MpcEntry& a, const MpcEntry& b) { return a.name < b.name; }));
  CHECK(find_mpc("mul") != nullptr);
  CHECK(find_mpc("") == nullptr);
  CHECK(find_mpc("transfer") == nullptr);
  for (const MpcEntry& entry : table) CHECK(find_mpc(entry.name) == &entry);
}

}  // namespace curia::test
