// Three members in one process, a thread each, with a net in memory that measures.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "protocol/secret.h"
#include "worker/mpc/protocol.h"

namespace curia::test {

// What went over the net: the same figures as MpcCost, and each message's size in order.
struct Traffic {
  std::int64_t rounds = 0;
  std::array<std::int64_t, 3> bytes{};
  std::array<std::int64_t, 3> messages{};
  std::vector<std::int64_t> sizes[3][3];
};

// Thread: any.
class Hub {
 public:
  void send(int from, int to, Slice message);
  Slice recv(int at, int from, std::int64_t bytes);
  void give_up(const std::string& why);  // wakes everybody
  void forget();                         // starts to measure anew; no message may be under way
  Traffic traffic();
  // The first message from -> to with this number (from 0) is shortened by a byte.
  void shorten(int from, int to, std::size_t number) { shortened_ = {from, to, number}; }
  // Sees every message.
  std::function<void(int from, int to, const Slice&)> watch;

 private:
  struct Letter {
    Slice body;
    std::int64_t depth;
  };
  struct Cut {
    int from, to;
    std::size_t number;
  };
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Letter> letters_[3][3];
  std::array<std::int64_t, 3> depth_{};
  Traffic traffic_;
  std::optional<Cut> shortened_;
  std::optional<std::string> over_;
};

class HubNet final : public MpcNet {
 public:
  HubNet(Hub& hub, int rank) : hub_(hub), rank_(rank) {}
  int rank() const override { return rank_; }
  void send(int to_rank, Slice message) override { hub_.send(rank_, to_rank, std::move(message)); }
  Slice recv(int from_rank, std::int64_t bytes) override {
    return hub_.recv(rank_, from_rank, bytes);
  }

 private:
  Hub& hub_;
  const int rank_;
};

// Seeds of the three members that fit together, from a number.
std::array<MpcSeeds, 3> seeds_from(std::uint64_t number);

// Runs fn(rank, net) for all members at once; rethrows the first error.
void on_three(Hub& hub, const std::function<void(int rank, MpcNet& net)>& fn);

// fn(rank, protocol) for all members; its results by rank.
template <class R>
std::array<R, 3> simulate(Hub& hub, std::uint64_t seed,
                          const std::function<R(int rank, MpcProtocol& protocol)>& fn) {
  const auto seeds = seeds_from(seed);
  std::array<R, 3> results;
  on_three(hub, [&](int rank, MpcNet& net) {
    const auto protocol = make_replicated(net, seeds[static_cast<std::size_t>(rank)]);
    protocol->begin(1, 0, nullptr);
    results[static_cast<std::size_t>(rank)] = fn(rank, *protocol);
  });
  return results;
}

// Numbers for tests: a fixed sequence for each seed.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();                                       // uniform
  std::int64_t between(std::int64_t low, std::int64_t high);  // both included
  double real(double low, double high);
  std::vector<std::uint64_t> words(std::int64_t count);

 private:
  std::uint64_t state_;
};

Slice slice_of(const std::vector<std::uint64_t>& words);
// What three members' shares add up to; checks that common parts agree.
std::vector<std::uint64_t> opened(const std::array<RingShare, 3>& shares);
std::vector<bool> opened(const std::array<BitShare, 3>& shares);
// The member's share of words that the test splits by itself.
RingShare deal(int rank, const std::vector<std::uint64_t>& words, std::uint64_t seed);
BitShare deal_bits(int rank, const std::vector<bool>& bits, std::uint64_t seed);

}  // namespace curia::test
