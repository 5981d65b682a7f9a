#include "worker/mpc/replicated.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "protocol/error.h"
#include "protocol/simd.h"

namespace curia::mpc {
namespace {

void copy(Words* to, const Slice& from) {
  if (from.size > 0) std::memcpy(to, from.data, static_cast<std::size_t>(from.size));
}

void check_words(const Slice& slice, std::int64_t words) {
  expect(slice.size >= words * 8, "a share is shorter than its count says");
}

}  // namespace

Replicated::Replicated(MpcNet& net, const MpcSeeds& seeds)
    : net_(net), rank_(net.rank()), first_key_(seeds.previous), second_key_(seeds.next) {
  expect(rank_ >= 0 && rank_ < kMpcMembers, "a member's rank is 0, 1 or 2");
}

void Replicated::begin(std::uint32_t op, std::uint32_t step,
                       const std::function<bool()>* cancelled) {
  const auto [last, is_new] = last_step_.try_emplace(op, step);
  expect(is_new || step > last->second, "an op of a secure device began twice in one step");
  last->second = step;
  op_ = op;
  step_ = step;
  use_ = 0;
  cancelled_ = cancelled;
}

void Replicated::poll() const {
  if (cancelled_ != nullptr && *cancelled_ && (*cancelled_)()) {
    throw Error(Code::kCancelled, "the task was cancelled");
  }
}

std::uint32_t Replicated::uses(std::int64_t count) {
  expect(count <= std::numeric_limits<std::uint32_t>::max() - use_,
         "an op draws random numbers too often");
  const std::uint32_t first = use_;
  use_ += static_cast<std::uint32_t>(count);
  return first;
}

// x = F_owner + (x - F_owner) + 0: the first part is known to the member before the owner, the
// second is sent to the one after it, and the third to no owner (Araki et al. 2016, section 2.1,
// with one part derived from a key).
Pair Replicated::share_words(const Slice& clear, std::int64_t words, int owner, bool bits) {
  expect(owner >= 0 && owner < kMpcMembers, "the owner is no member of the secure device");
  const std::uint32_t use = uses(1);
  const BufferMut first = allocate_words(words), second = allocate_words(words);
  const int role = (rank_ - owner + kMpcMembers) % kMpcMembers;
  if (role == 0) check_words(clear, words);
  for (const Chunk& chunk : chunks_of(words)) {
    poll();
    Words* const one = words_of(first) + chunk.begin;
    Words* const two = words_of(second) + chunk.begin;
    if (role == 0) {
      draw_first(use, chunk.mask, one, chunk.size());
      const auto body = [](const Words* x, const Words* r, Words* out, std::int64_t n, bool is_bits)
                            CURIA_INLINE {
                              if (is_bits) {
                                for (std::int64_t i = 0; i < n; ++i) out[i] = x[i] ^ r[i];
                              } else {
                                for (std::int64_t i = 0; i < n; ++i) out[i] = x[i] - r[i];
                              }
                            };
      with_simd(body, words_of(clear) + chunk.begin, static_cast<const Words*>(one), two,
                chunk.size(), bits);
      net_.send(next(), slice_of(second).part(chunk.begin * 8, chunk.size() * 8));
    } else if (role == 1) {
      copy(one, net_.recv(owner, chunk.size() * 8));
      std::fill_n(two, chunk.size(), Words{0});
    } else {
      std::fill_n(one, chunk.size(), Words{0});
      draw_second(use, chunk.mask, two, chunk.size());
    }
  }
  return {slice_of(first), slice_of(second)};
}

RingShare Replicated::share(const Slice& clear, std::int64_t count, int owner) {
  Pair x = share_words(clear, count, owner, false);
  return {count, std::move(x.first), std::move(x.second)};
}

BitShare Replicated::share_bits(const Slice& clear, std::int64_t count, int owner) {
  Pair x = share_words(clear, bit_words(count), owner, true);
  return {count, std::move(x.first), std::move(x.second)};
}

// The receiver lacks part to + 2, which both others hold. One sends it masked by their common key,
// the other the mask: so nothing is revealed as long as either of them withholds its message.
Slice Replicated::reveal_words(const Pair& x, std::int64_t words, int to, bool bits) {
  expect(to >= 0 && to < kMpcMembers, "the receiver is no member of the secure device");
  check_words(x.first, words);
  check_words(x.second, words);
  const std::uint32_t use = uses(1);
  const int role = (rank_ - to + kMpcMembers) % kMpcMembers;
  const std::vector<Chunk> chunks = chunks_of(words);
  if (role != 0) {
    for (const Chunk& chunk : chunks) {
      poll();
      const BufferMut message = allocate_words(chunk.size());
      Words* const out = words_of(message);
      if (role == 1) {
        draw_second(use, chunk.mask, out, chunk.size());
      } else {
        draw_first(use, chunk.mask, out, chunk.size());
        const Words* part = words_of(x.first) + chunk.begin;
        for (std::int64_t i = 0; i < chunk.size(); ++i) {
          out[i] = bits ? part[i] ^ out[i] : part[i] - out[i];
        }
      }
      net_.send(to, slice_of(message));
    }
    return {};
  }
  const BufferMut result = allocate_words(words);
  for (const Chunk& chunk : chunks) {
    poll();
    const Slice one = net_.recv(next(), chunk.size() * 8);
    const Slice two = net_.recv(previous(), chunk.size() * 8);
    const Words *a = words_of(x.first) + chunk.begin, *b = words_of(x.second) + chunk.begin;
    const Words *c = words_of(one), *d = words_of(two);
    Words* const out = words_of(result) + chunk.begin;
    for (std::int64_t i = 0; i < chunk.size(); ++i) {
      out[i] = bits ? a[i] ^ b[i] ^ c[i] ^ d[i] : a[i] + b[i] + c[i] + d[i];
    }
  }
  return slice_of(result);
}

Slice Replicated::reveal(const RingShare& x, int to) {
  return reveal_words({x.first, x.second}, x.count, to, false);
}

Slice Replicated::reveal_bits(const BitShare& x, int to) {
  return reveal_words({x.first, x.second}, bit_words(x.count), to, true);
}

PublicRing Replicated::public_ring(std::int64_t count,
                                   const std::function<void(std::uint64_t*)>& fill) {
  const BufferMut data = allocate_words(count);
  fill(words_of(data));
  return {count, slice_of(data)};
}

PublicBits Replicated::public_bits(std::int64_t count,
                                   const std::function<void(std::uint64_t*)>& fill) {
  const BufferMut data = allocate_words(bit_words(count));
  fill(words_of(data));
  return {count, slice_of(data)};
}

// Part 0 takes public numbers.
RingShare Replicated::map(const std::vector<const RingShare*>& in, std::int64_t count,
                          const PartMap& f) {
  poll();
  std::vector<const Words*> first, second;
  for (const RingShare* x : in) {
    first.push_back(words_of(x->first));
    second.push_back(words_of(x->second));
  }
  const BufferMut one = allocate_words(count), two = allocate_words(count);
  f(first.data(), words_of(one), rank_ == 0);
  f(second.data(), words_of(two), next() == 0);
  return {count, slice_of(one), slice_of(two)};
}

BitShare Replicated::map_bits(const std::vector<const BitShare*>& in, std::int64_t count,
                              const PartMap& f) {
  poll();
  std::vector<const Words*> first, second;
  for (const BitShare* x : in) {
    first.push_back(words_of(x->first));
    second.push_back(words_of(x->second));
  }
  const BufferMut one = allocate_words(bit_words(count)), two = allocate_words(bit_words(count));
  f(first.data(), words_of(one), rank_ == 0);
  f(second.data(), words_of(two), next() == 0);
  return {count, slice_of(one), slice_of(two)};
}

void Replicated::mask(bool bits, std::uint32_t use, std::int64_t at, Words* out,
                      std::int64_t words) const {
  alignas(64) Words one[kBlockWords], two[kBlockWords];
  for (std::int64_t i = 0; i < words; i += kBlockWords) {
    const std::int64_t n = std::min(kBlockWords, words - i);
    draw_first(use, at + i, one, n);
    draw_second(use, at + i, two, n);
    const auto body = [](const Words* a, const Words* b, Words* to, std::int64_t count,
                         bool is_bits) CURIA_INLINE {
      if (is_bits) {
        for (std::int64_t j = 0; j < count; ++j) to[j] ^= a[j] ^ b[j];
      } else {
        for (std::int64_t j = 0; j < count; ++j) to[j] += a[j] - b[j];
      }
    };
    with_wide_simd(body, static_cast<const Words*>(one), static_cast<const Words*>(two), out + i, n,
                   bits);
  }
}

// Araki et al. 2016, section 2.1: z_i masked by a sharing of 0 is part i; the member before gets
// it.
Pair Replicated::reshare(const std::vector<Chunk>& chunks, std::int64_t words, std::int64_t grain,
                         bool bits, const Produce& produce) {
  const std::uint32_t use = uses(1);
  const BufferMut first = allocate_words(words), second = allocate_words(words);
  for (const Chunk& chunk : chunks) {
    poll();
    for (std::int64_t begin = chunk.begin; begin < chunk.end; begin += grain) {
      const std::int64_t end = std::min(begin + grain, chunk.end);
      Words* const out = words_of(first) + begin;
      produce(chunk, begin, end, out);
      mask(bits, use, chunk.mask + begin - chunk.begin, out, end - begin);
    }
    net_.send(previous(), slice_of(first).part(chunk.begin * 8, chunk.size() * 8));
  }
  for (const Chunk& chunk : chunks) {
    poll();
    copy(words_of(second) + chunk.begin, net_.recv(next(), chunk.size() * 8));
  }
  return {slice_of(first), slice_of(second)};
}

namespace {

Produce product(const RingShare& a, const RingShare& b) {
  expect(a.count == b.count, "the operands of a product have different sizes");
  check_words(a.first, a.count);
  check_words(a.second, a.count);
  check_words(b.first, b.count);
  check_words(b.second, b.count);
  return [=](const Chunk&, std::int64_t begin, std::int64_t end, Words* out) {
    const auto body = [](const Words* a0, const Words* a1, const Words* b0, const Words* b1,
                         Words* to, std::int64_t n) CURIA_INLINE {
      for (std::int64_t i = 0; i < n; ++i) to[i] = a0[i] * (b0[i] + b1[i]) + a1[i] * b0[i];
    };
    with_wide_simd(body, words_of(a.first) + begin, words_of(a.second) + begin,
                   words_of(b.first) + begin, words_of(b.second) + begin, out, end - begin);
  };
}

}  // namespace

RingShare Replicated::multiply(const RingShare& a, const RingShare& b) {
  Pair z = reshare(chunks_of(a.count), a.count, kBlockWords, false, product(a, b));
  return {a.count, std::move(z.first), std::move(z.second)};
}

RingShare Replicated::multiply_shift(const RingShare& a, const RingShare& b, int shift) {
  Pair z = reshare_shift(chunks_of(a.count), a.count, kBlockWords, shift, product(a, b));
  return {a.count, std::move(z.first), std::move(z.second)};
}

namespace {

Produce conjunction_of(const Pair& a, const Pair& b, std::int64_t words) {
  for (const Slice* x : {&a.first, &a.second, &b.first, &b.second}) check_words(*x, words);
  return [=](const Chunk&, std::int64_t begin, std::int64_t end, Words* out) {
    const auto body = [](const Words* a0, const Words* a1, const Words* b0, const Words* b1,
                         Words* to, std::int64_t n) CURIA_INLINE {
      for (std::int64_t i = 0; i < n; ++i) to[i] = (a0[i] & (b0[i] ^ b1[i])) ^ (a1[i] & b0[i]);
    };
    with_wide_simd(body, words_of(a.first) + begin, words_of(a.second) + begin,
                   words_of(b.first) + begin, words_of(b.second) + begin, out, end - begin);
  };
}

}  // namespace

Pair Replicated::conjunction_words(const Pair& a, const Pair& b, std::int64_t words) {
  return reshare(chunks_of(words), words, kBlockWords, true, conjunction_of(a, b, words));
}

std::vector<Pair> Replicated::conjunctions(const std::vector<std::pair<Pair, Pair>>& operands) {
  const std::uint32_t use = uses(static_cast<std::int64_t>(operands.size()));
  std::vector<Pair> results;
  for (const auto& [a, b] : operands) {
    poll();
    const std::int64_t words = a.first.size / 8;
    const Produce produce = conjunction_of(a, b, words);
    const BufferMut first = allocate_words(words);
    const auto place = use + static_cast<std::uint32_t>(results.size());
    for (std::int64_t begin = 0; begin < words; begin += kBlockWords) {
      const std::int64_t n = std::min(kBlockWords, words - begin);
      produce({}, begin, begin + n, words_of(first) + begin);
      mask(true, place, begin, words_of(first) + begin, n);
    }
    results.push_back({slice_of(first), {}});
    net_.send(previous(), results.back().first);
  }
  for (Pair& result : results) result.second = net_.recv(next(), result.first.size);
  return results;
}

BitShare Replicated::conjunction(const BitShare& a, const BitShare& b) {
  expect(a.count == b.count, "the operands of a conjunction have different sizes");
  Pair z = conjunction_words({a.first, a.second}, {b.first, b.second}, bit_words(a.count));
  return {a.count, std::move(z.first), std::move(z.second)};
}

}  // namespace curia::mpc

namespace curia {

std::unique_ptr<MpcProtocol> make_replicated(MpcNet& net, const MpcSeeds& seeds) {
  return std::make_unique<mpc::Replicated>(net, seeds);
}

}  // namespace curia
