#include "tests/mpc/rig.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "protocol/error.h"

namespace curia::test {

void Hub::send(int from, int to, Slice message) {
  const std::lock_guard lock(mutex_);
  const auto i = static_cast<std::size_t>(from);
  auto& sizes = traffic_.sizes[from][to];
  if (watch) watch(from, to, message);
  if (shortened_ && shortened_->from == from && shortened_->to == to &&
      shortened_->number == sizes.size()) {
    message = message.part(0, message.size - 1);
  }
  sizes.push_back(message.size);
  traffic_.bytes[i] += message.size;
  ++traffic_.messages[i];
  // A copy at once: bytes that the sender changes later would go unnoticed in one process.
  letters_[from][to].push_back(
      {Slice::copy_of({message.data, static_cast<std::size_t>(message.size)}), depth_[i] + 1});
  arrived_.notify_all();
}

Slice Hub::recv(int at, int from, std::int64_t bytes) {
  std::unique_lock lock(mutex_);
  auto& queue = letters_[from][at];
  const bool came = arrived_.wait_for(lock, std::chrono::seconds(120),
                                      [&] { return !queue.empty() || over_.has_value(); });
  if (!came) throw Error(Code::kTimeout, "a member waits for a message that nobody sends");
  if (queue.empty()) throw Error(Code::kPeerLost, *over_);
  Letter letter = std::move(queue.front());
  queue.pop_front();
  auto& depth = depth_[static_cast<std::size_t>(at)];
  depth = std::max(depth, letter.depth);
  traffic_.rounds = std::max(traffic_.rounds, depth);
  if (letter.body.size != bytes) {
    throw Error(Code::kCorrupt, "expected a message of " + std::to_string(bytes) +
                                    " bytes, found " + std::to_string(letter.body.size));
  }
  return letter.body;
}

void Hub::give_up(const std::string& why) {
  const std::lock_guard lock(mutex_);
  over_ = why;
  arrived_.notify_all();
}

void Hub::forget() {
  const std::lock_guard lock(mutex_);
  for (const auto& row : letters_) {
    for (const auto& queue : row) REQUIRE(queue.empty());
  }
  depth_ = {};
  traffic_ = {};
}

Traffic Hub::traffic() {
  const std::lock_guard lock(mutex_);
  for (const auto& row : letters_) {
    for (const auto& queue : row) CHECK(queue.empty());
  }
  return traffic_;
}

std::array<MpcSeeds, 3> seeds_from(std::uint64_t number) {
  std::array<std::array<std::uint8_t, 32>, 3> keys{};  // key j: of the members j and j - 1
  for (std::size_t j = 0; j < 3; ++j) {
    std::memcpy(keys[j].data(), &number, sizeof(number));
    keys[j][8] = static_cast<std::uint8_t>(j);
  }
  std::array<MpcSeeds, 3> seeds;
  for (std::size_t i = 0; i < 3; ++i) seeds[i] = {keys[(i + 1) % 3], keys[i]};
  return seeds;
}

void on_three(Hub& hub, const std::function<void(int rank, MpcNet& net)>& fn) {
  std::array<std::exception_ptr, 3> errors;
  std::exception_ptr first;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 3; ++rank) {
    threads.emplace_back([&, rank] {
      HubNet net(hub, rank);
      try {
        fn(rank, net);
      } catch (const Error& error) {
        const std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
        hub.give_up(error.message());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

std::uint64_t Numbers::next() {  // splitmix64 (Steele et al., OOPSLA 2014)
  state_ += 0x9e3779b97f4a7c15;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::int64_t Numbers::between(std::int64_t low, std::int64_t high) {
  const auto span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) +
                                   (span == 0 ? next() : next() % span));
}

double Numbers::real(double low, double high) {
  return low + (high - low) * static_cast<double>(next() >> 11) * 0x1p-53;
}

std::vector<std::uint64_t> Numbers::words(std::int64_t count) {
  std::vector<std::uint64_t> out(static_cast<std::size_t>(count));
  for (auto& word : out) word = next();
  return out;
}

Slice slice_of(const std::vector<std::uint64_t>& words) {
  return Slice::copy_of({reinterpret_cast<const std::uint8_t*>(words.data()), words.size() * 8});
}

namespace {

const std::uint64_t* words_of(const Slice& slice) {
  return reinterpret_cast<const std::uint64_t*>(slice.data);
}

template <class S>
void check_common(const std::array<S, 3>& shares) {
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(shares[i].count == shares[0].count);
}

}  // namespace

std::vector<std::uint64_t> opened(const std::array<RingShare, 3>& shares) {
  check_common(shares);
  std::vector<std::uint64_t> out(static_cast<std::size_t>(shares[0].count));
  for (std::size_t i = 0; i < 3; ++i) {
    const std::uint64_t *mine = words_of(shares[i].second),
                        *theirs = words_of(shares[(i + 1) % 3].first);
    REQUIRE(shares[i].second.size == shares[0].count * 8);
    REQUIRE(std::equal(mine, mine + out.size(), theirs));
    for (std::size_t j = 0; j < out.size(); ++j) out[j] += mine[j];
  }
  return out;
}

std::vector<bool> opened(const std::array<BitShare, 3>& shares) {
  check_common(shares);
  std::vector<bool> out(static_cast<std::size_t>(shares[0].count));
  for (std::size_t j = 0; j < out.size(); ++j) {
    bool bit = false;
    for (std::size_t i = 0; i < 3; ++i) {
      const bool mine = words_of(shares[i].second)[j / 64] >> (j % 64) & 1;
      const bool theirs = words_of(shares[(i + 1) % 3].first)[j / 64] >> (j % 64) & 1;
      if (mine != theirs) FAIL("two members disagree about their common part");
      bit ^= mine;
    }
    out[j] = bit;
  }
  return out;
}

namespace {

std::array<Slice, 3> parts_of(const std::vector<std::uint64_t>& words, std::uint64_t seed,
                              const SecretType& type) {
  Numbers numbers(seed);
  return split_secret(slice_of(words), type, [&](std::span<std::uint8_t> out) {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(numbers.next() >> 56);
  });
}

}  // namespace

RingShare deal(int rank, const std::vector<std::uint64_t>& words, std::uint64_t seed) {
  const auto count = static_cast<std::int64_t>(words.size());
  const auto parts = parts_of(words, seed, {SecretKind::kInt, 0, {count}});
  const auto i = static_cast<std::size_t>(rank);
  return {count, parts[i], parts[(i + 1) % 3]};
}

BitShare deal_bits(int rank, const std::vector<bool>& bits, std::uint64_t seed) {
  const auto count = static_cast<std::int64_t>(bits.size());
  std::vector<std::uint64_t> words(static_cast<std::size_t>(bit_words(count)));
  for (std::size_t j = 0; j < bits.size(); ++j) {
    words[j / 64] |= std::uint64_t{bits[j]} << (j % 64);
  }
  const auto parts = parts_of(words, seed, {SecretKind::kBool, 0, {count}});
  const auto i = static_cast<std::size_t>(rank);
  return {count, parts[i], parts[(i + 1) % 3]};
}

}  // namespace curia::test
