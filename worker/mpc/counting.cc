#include "worker/mpc/counting.h"

#include <algorithm>

#include "protocol/error.h"

namespace curia::mpc {
namespace {

int after(int rank) { return (rank + 1) % kMpcMembers; }
int before(int rank) { return (rank + 2) % kMpcMembers; }

}  // namespace

MpcCost Counting::cost() const {
  return {*std::max_element(depth_.begin(), depth_.end()), bytes_, messages_, memory_->most};
}

Slice Counting::held(std::int64_t bytes) {
  memory_->now += bytes;
  memory_->most = std::max(memory_->most, memory_->now);
  const std::shared_ptr<const void> owner(
      memory_.get(), [memory = memory_, bytes](const void*) { memory->now -= bytes; });
  return {owner, nullptr, bytes};
}

void Counting::working(std::int64_t bytes) { held(bytes); }

RingShare Counting::ring(std::int64_t count) { return {count, held(8 * count), held(8 * count)}; }

BitShare Counting::bits(std::int64_t count) {
  const std::int64_t bytes = 8 * bit_words(count);
  return {count, held(bytes), held(bytes)};
}

void Counting::send(int from, int to, std::int64_t bytes) {
  const auto i = static_cast<std::size_t>(from);
  bytes_[i] += bytes;
  ++messages_[i];
  under_way_[from][to].push_back(depth_[i] + 1);
}

void Counting::recv(int at, int from) {
  auto& queue = under_way_[from][at];
  expect(!queue.empty(), "the counted protocol waits for a message that nobody sends");
  auto& depth = depth_[static_cast<std::size_t>(at)];
  depth = std::max(depth, queue.front());
  queue.pop_front();
}

void Counting::ring_round(const Chunks& chunks) {
  for (int rank = 0; rank < kMpcMembers; ++rank) {
    for (const Chunk& chunk : chunks) send(rank, before(rank), chunk.size() * 8);
  }
  for (int rank = 0; rank < kMpcMembers; ++rank) {
    for (std::size_t i = 0; i < chunks.size(); ++i) recv(rank, after(rank));
  }
}

void Counting::from_owner(int owner, std::int64_t words) {
  expect(owner >= 0 && owner < kMpcMembers, "the owner is no member of the secure device");
  for (const Chunk& chunk : chunks_of(words)) {
    send(owner, after(owner), chunk.size() * 8);
    recv(after(owner), owner);
  }
}

RingShare Counting::share(const Slice&, std::int64_t count, int owner) {
  from_owner(owner, count);
  return ring(count);
}

BitShare Counting::share_bits(const Slice&, std::int64_t count, int owner) {
  from_owner(owner, bit_words(count));
  return bits(count);
}

void Counting::open_to(int to, std::int64_t words) {
  expect(to >= 0 && to < kMpcMembers, "the receiver is no member of the secure device");
  for (const Chunk& chunk : chunks_of(words)) {
    for (const int from : {after(to), before(to)}) {
      send(from, to, chunk.size() * 8);
      recv(to, from);
    }
  }
}

Slice Counting::reveal(const RingShare& x, int to) {
  open_to(to, x.count);
  return held(8 * x.count);
}

Slice Counting::reveal_bits(const BitShare& x, int to) {
  open_to(to, bit_words(x.count));
  return held(8 * bit_words(x.count));
}

PublicRing Counting::public_ring(std::int64_t count, const std::function<void(std::uint64_t*)>&) {
  return {count, held(8 * count)};
}

PublicBits Counting::public_bits(std::int64_t count, const std::function<void(std::uint64_t*)>&) {
  return {count, held(8 * bit_words(count))};
}

RingShare Counting::map(const std::vector<const RingShare*>&, std::int64_t count, const PartMap&) {
  return ring(count);
}

BitShare Counting::map_bits(const std::vector<const BitShare*>&, std::int64_t count,
                            const PartMap&) {
  return bits(count);
}

RingShare Counting::multiply(const RingShare& a, const RingShare&) {
  ring_round(chunks_of(a.count));
  return ring(a.count);
}

void Counting::shift_step(const Chunks& chunks, int shift, bool exchange) {
  const std::int64_t width = packed_width(shift);
  for (const Chunk& chunk : chunks) {
    const int next = after(chunk.leader), previous = before(chunk.leader);
    send(chunk.leader, next, chunk.size() * (8 + width));
    if (!exchange) continue;
    send(next, previous, chunk.size() * 8);
    send(previous, next, chunk.size() * 8);
  }
  for (int rank = 0; rank < kMpcMembers; ++rank) {
    for (const Chunk& chunk : chunks) {
      if (rank == chunk.leader) continue;
      const bool is_next = rank == after(chunk.leader);
      const int peer = is_next ? after(rank) : before(rank);
      if (exchange) recv(rank, peer);
      if (is_next) recv(rank, chunk.leader);
      send(rank, peer, chunk.size() * width);
    }
  }
  for (int rank = 0; rank < kMpcMembers; ++rank) {
    for (const Chunk& chunk : chunks) {
      if (rank == chunk.leader) continue;
      recv(rank, rank == after(chunk.leader) ? after(rank) : before(rank));
    }
  }
}

RingShare Counting::multiply_shift(const RingShare& a, const RingShare&, int shift) {
  shift_step(chunks_of(a.count), shift, true);
  RingShare result = ring(a.count);
  working(8 * a.count);
  return result;
}

RingShare Counting::matmul(const RingShare&, const RingShare&, std::int64_t m, std::int64_t k,
                           std::int64_t n, int shift) {
  const Chunks chunks = row_chunks(m, n);
  if (shift > 0) {
    shift_step(chunks, shift, true);
  } else {
    ring_round(chunks);
  }
  RingShare result = ring(m * n);
  working(16 * k * n);
  return result;
}

RingShare Counting::truncate(const RingShare& x, int shift) {
  shift_step(chunks_of(x.count), shift, false);
  return ring(x.count);
}

BitShare Counting::conjunction(const BitShare& a, const BitShare&) {
  ring_round(chunks_of(bit_words(a.count)));
  return bits(a.count);
}

void Counting::prefix(std::int64_t count, int planes, bool all) {
  const std::int64_t stride = plane_words(count);
  send(0, 1, planes * stride * 8);
  recv(1, 0);
  if (planes == 1) return;
  for (const int rank : {1, 2}) send(rank, 3 - rank, (planes - 1) * stride * 8);
  for (const int rank : {1, 2}) recv(rank, 3 - rank);
  int left = planes - 1;
  if (!all) {
    while (left > 1) {
      const int pairs = left / 2;
      ring_round(chunks_of((2 * pairs - 1) * stride));
      left = pairs + left % 2;
    }
    return;
  }
  for (int d = 1; d < left; d *= 2) {
    std::int64_t total = 0;
    for (int i = 0; i < left; ++i) {
      if ((i & d) != 0) total += i >= 2 * d ? 2 : 1;
    }
    ring_round(chunks_of(total * stride));
  }
}

void Counting::adder(std::int64_t count, int low, int bits) {
  const int planes = low + bits;
  if (count == 0) return;
  working(3 * plane_words(count) * planes * 8);
  if (count < kRippleFrom) return prefix(count, planes, bits > 1);
  const Chunks chunks = chunks_of(count, kAdderChunk);
  for (const Chunk& chunk : chunks) {
    const std::int64_t bytes = plane_words(chunk.size()) * planes * 8;
    send(chunk.leader, after(chunk.leader), bytes);
  }
  for (const Chunk& chunk : chunks) recv(after(chunk.leader), chunk.leader);
  for (int i = 0; i + 1 < planes; ++i) {
    for (int rank = 0; rank < kMpcMembers; ++rank) {
      for (const Chunk& chunk : chunks) {
        send(rank, before(rank), plane_words(chunk.size()) * 8);
      }
    }
    for (int rank = 0; rank < kMpcMembers; ++rank) {
      for (std::size_t j = 0; j < chunks.size(); ++j) recv(rank, after(rank));
    }
  }
}

BitShare Counting::sign(const RingShare& x) {
  adder(x.count, 63, 1);
  return bits(x.count);
}

BitShare Counting::to_bits(const RingShare& x, int low, int count) {
  adder(x.count, low, count);
  return bits(count == 1 ? x.count : bit_words(x.count) * 64 * count);
}

BitShare Counting::is_zero(const RingShare& x) {
  const Chunks chunks = chunks_of(x.count, kAdderChunk);
  working(3 * 64 * 8 * plane_words(x.count));
  for (const Chunk& chunk : chunks) {
    send(chunk.leader, after(chunk.leader), plane_words(chunk.size()) * 64 * 8);
  }
  for (const Chunk& chunk : chunks) recv(after(chunk.leader), chunk.leader);
  for (int planes = 32; planes >= 1; planes /= 2) {
    for (int rank = 0; rank < kMpcMembers; ++rank) {
      for (const Chunk& chunk : chunks) {
        send(rank, before(rank), planes * plane_words(chunk.size()) * 8);
      }
    }
    for (int rank = 0; rank < kMpcMembers; ++rank) {
      for (std::size_t j = 0; j < chunks.size(); ++j) recv(rank, after(rank));
    }
  }
  return bits(x.count);
}

// A product of a bit of the leader's and one of the others', in the ring.
void Counting::bit_step(const Chunks& chunks, std::int64_t lead_bytes) {
  for (const Chunk& chunk : chunks) {
    send(chunk.leader, after(chunk.leader), chunk.size() * lead_bytes);
  }
  for (int rank = 0; rank < kMpcMembers; ++rank) {
    for (const Chunk& chunk : chunks) {
      if (rank == chunk.leader) continue;
      const bool is_next = rank == after(chunk.leader);
      if (is_next) recv(rank, chunk.leader);
      send(rank, is_next ? after(rank) : before(rank), chunk.size() * 8);
    }
  }
  for (int rank = 0; rank < kMpcMembers; ++rank) {
    for (const Chunk& chunk : chunks) {
      if (rank == chunk.leader) continue;
      recv(rank, rank == after(chunk.leader) ? after(rank) : before(rank));
    }
  }
}

RingShare Counting::to_ring(const BitShare& x) {
  bit_step(chunks_of(x.count), 8);
  return ring(x.count);
}

RingShare Counting::divide(const RingShare& x, std::int64_t) {
  bit_step(chunks_of(x.count), 16);
  return ring(x.count);
}

RingShare Counting::shuffle(const RingShare& x, std::int64_t) {
  const Chunks chunks = chunks_of(x.count);
  for (int j = 0; j < kMpcMembers; ++j) {
    for (const Chunk& chunk : chunks) {
      send(j, before(j), chunk.size() * 8);
      send(before(j), j, chunk.size() * 8);
    }
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      recv(before(j), j);
      recv(j, before(j));
    }
  }
  RingShare result = ring(x.count);
  working(16 * x.count);
  return result;
}

}  // namespace curia::mpc
