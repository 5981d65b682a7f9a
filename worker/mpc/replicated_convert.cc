// Bits as numbers, and rows in secret order.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "protocol/error.h"
#include "protocol/simd.h"
#include "worker/mpc/bit_planes.h"
#include "worker/mpc/replicated.h"

namespace curia::mpc {

// A bit is u ^ v = u + v - 2 u v, with u = x_P ^ x_(P+1) known to the leader P and v = x_(P+2)
// known to the next member N and the previous one V (the product of ABY3, section 5.4.1, without
// oblivious transfer). P sends e = u - s to N, with s of the key it has with V. Then u v = v e + v
// s, which N and V mask, by k of N's key with P and g of V's, and exchange.
RingShare Replicated::to_ring(const BitShare& x) {
  expect(x.first.size >= bit_words(x.count) * 8 && x.second.size >= bit_words(x.count) * 8,
         "a share is shorter than its count says");
  const std::uint32_t use_s = uses(1), use_g = uses(1), use_k = uses(1);
  const BufferMut first = allocate_words(x.count), second = allocate_words(x.count);
  const std::vector<Chunk> chunks = chunks_of(x.count);
  alignas(64) Words u[kBlockWords], r[kBlockWords], g[kBlockWords];
  const auto each_block = [&](const Chunk& chunk, auto&& body) {
    poll();
    for (std::int64_t at = 0; at < chunk.size(); at += kBlockWords) {
      body(at, std::min(kBlockWords, chunk.size() - at), words_of(first) + chunk.begin + at,
           words_of(second) + chunk.begin + at);
    }
  };
  for (const Chunk& chunk : chunks) {
    if (role(chunk) != Role::kLeader) continue;
    const BufferMut message = allocate_words(chunk.size());
    each_block(chunk, [&](std::int64_t at, std::int64_t n, Words* one, Words* two) {
      const std::int64_t word = (chunk.begin + at) / 64;
      Words both[kBlockWords / 64];
      for (std::int64_t w = 0; w < (n + 63) / 64; ++w) {
        both[w] = words_of(x.first)[word + w] ^ words_of(x.second)[word + w];
      }
      spread_bits(both, n, u);
      draw_first(use_s, chunk.mask + at, r, n);
      draw_first(use_g, chunk.mask + at, g, n);
      Words* const e = words_of(message) + at;
      const auto body = [](const Words* us, const Words* rs, const Words* gs, Words* es, Words* o,
                           std::int64_t m) CURIA_INLINE {
        for (std::int64_t i = 0; i < m; ++i) {
          es[i] = us[i] - rs[i];
          o[i] = rs[i] - 2 * gs[i];
        }
      };
      with_wide_simd(body, static_cast<const Words*>(u), static_cast<const Words*>(r),
                     static_cast<const Words*>(g), e, one, n);
      draw_second(use_k, chunk.mask + at, g, n);
      for (std::int64_t i = 0; i < n; ++i) two[i] = e[i] - 2 * g[i];
    });
    net_.send(next(), slice_of(message));
  }
  for (const Chunk& chunk : chunks) {
    if (role(chunk) == Role::kLeader) continue;
    const bool is_next = role(chunk) == Role::kNext;
    const Slice lead = is_next ? net_.recv(chunk.leader, chunk.size() * 8) : Slice();
    const BufferMut message = allocate_words(chunk.size());
    each_block(chunk, [&](std::int64_t at, std::int64_t n, Words* one, Words* two) {
      spread_bits(words_of(is_next ? x.second : x.first) + (chunk.begin + at) / 64, n, u);
      Words* const q = words_of(message) + at;
      const Words* e = r;
      if (is_next) {
        e = words_of(lead) + at;
        draw_first(use_k, chunk.mask + at, g, n);
      } else {
        draw_second(use_s, chunk.mask + at, r, n);
        draw_second(use_g, chunk.mask + at, g, n);
      }
      // `common` is the part held with the leader, `own` the one held with the other member.
      const auto body = [](const Words* v, const Words* es, const Words* gs, Words* qs,
                           Words* common, Words* own, std::int64_t m) CURIA_INLINE {
        for (std::int64_t i = 0; i < m; ++i) {
          const Words summand = (es[i] & (0 - v[i])) - gs[i];
          qs[i] = summand;
          common[i] = es[i] - 2 * gs[i];
          own[i] = v[i] - 2 * summand;
        }
      };
      with_wide_simd(body, static_cast<const Words*>(u), e, static_cast<const Words*>(g), q,
                     is_next ? one : two, is_next ? two : one, n);
    });
    net_.send(is_next ? next() : previous(), slice_of(message));
  }
  for (const Chunk& chunk : chunks) {
    if (role(chunk) == Role::kLeader) continue;
    poll();
    const bool is_next = role(chunk) == Role::kNext;
    const Slice message = net_.recv(is_next ? next() : previous(), chunk.size() * 8);
    Words* const own = words_of(is_next ? second : first) + chunk.begin;
    const Words* q = words_of(message);
    for (std::int64_t i = 0; i < chunk.size(); ++i) own[i] -= 2 * q[i];
  }
  return {x.count, slice_of(first), slice_of(second)};
}

namespace {

__extension__ using Wide = unsigned __int128;

// A uniform number as one of 0..below - 1.
Words scaled(Words uniform, std::int64_t below) {
  return static_cast<Words>((static_cast<Wide>(uniform) * static_cast<Words>(below)) >> 64);
}

}  // namespace

// Three times, two members apply an order that they drew from their common key, and share the
// result anew, so that the third does not learn it (Araki et al., CCS 2021, "Secure graph analysis
// at scale", section 4.2). The composition is known to nobody. In turn j the members j and j - 1,
// who hold part j and key j, are the two: the one has x_j + x_(j+1), the other x_(j-1). Their new
// part is the sum of what they exchange; the other two parts are drawn from the keys that each of
// them has with the third.
RingShare Replicated::shuffle(const RingShare& x, std::int64_t width) {
  expect(width >= 1 && x.count % width == 0, "rows to shuffle have one width");
  const std::int64_t rows = x.count / width;
  const std::uint32_t use = uses(9);
  Pair now{x.first, x.second};
  if (x.count == 0) return x;
  for (int j = 0; j < kMpcMembers; ++j) {
    poll();
    const std::uint32_t use_order = use + static_cast<std::uint32_t>(3 * j);
    const std::uint32_t use_one = use_order + 1, use_two = use_order + 2;
    const BufferMut first = allocate_words(x.count), second = allocate_words(x.count);
    const int part_role = (rank_ - j + kMpcMembers) % kMpcMembers;  // 0: j, 1: j + 1, 2: j - 1
    if (part_role == 1) {  // the third: parts j + 1 and j + 2 = j - 1
      draw_first(use_one, 0, words_of(first), x.count);
      draw_second(use_two, 0, words_of(second), x.count);
      now = {slice_of(first), slice_of(second)};
      continue;
    }
    const bool is_j = part_role == 0;
    const BufferMut random = allocate_words(rows), sent = allocate_words(x.count);
    if (is_j) {
      draw_first(use_order, 0, words_of(random), rows);
      draw_second(use_one, 0, words_of(second), x.count);
    } else {
      draw_second(use_order, 0, words_of(random), rows);
      draw_first(use_two, 0, words_of(first), x.count);
    }
    std::vector<std::int64_t> order(static_cast<std::size_t>(rows));
    std::iota(order.begin(), order.end(), 0);
    for (std::int64_t i = rows - 1; i > 0; --i) {  // Fisher and Yates
      const auto other = static_cast<std::size_t>(scaled(words_of(random)[i], i + 1));
      std::swap(order[static_cast<std::size_t>(i)], order[other]);
    }
    const Words *a = words_of(now.first), *b = words_of(now.second);
    const Words* hidden = words_of(is_j ? second : first);
    Words* const out = words_of(sent);
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t from = order[static_cast<std::size_t>(row)] * width, to = row * width;
      for (std::int64_t i = 0; i < width; ++i) {
        out[to + i] = a[from + i] + (is_j ? b[from + i] : 0) - hidden[to + i];
      }
    }
    const Slice mine = slice_of(sent);
    const int peer = is_j ? previous() : next();
    const std::vector<Chunk> chunks = chunks_of(x.count);
    for (const Chunk& chunk : chunks) {
      net_.send(peer, mine.part(chunk.begin * 8, chunk.size() * 8));
    }
    Words* const common = words_of(is_j ? first : second);
    for (const Chunk& chunk : chunks) {
      const Slice message = net_.recv(peer, chunk.size() * 8);
      for (std::int64_t i = 0; i < chunk.size(); ++i) {
        common[chunk.begin + i] = out[chunk.begin + i] + words_of(message)[i];
      }
    }
    now = {slice_of(first), slice_of(second)};
  }
  return {x.count, std::move(now.first), std::move(now.second)};
}

}  // namespace curia::mpc
