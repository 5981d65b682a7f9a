// Division by 2^shift of a product, or of a shared number, without a wrapped value.
//
// The leader P knows a, the two others know b, and a + b = x + 2^62 + 2^s - 1 =: y (mod 2^64) with
// s the shift. For -2^62 <= x <= 2^62 - 2^s it holds that 0 < y < 2^63. So with u, v the top bits
// of a and b the sum a + b wraps around 2^64 exactly if u or v is set: with neither it is below
// 2^64, with both it is not, and with one of them a + b >= 2^63 would be y itself, but for the
// wrap. Hence
//   y >> s = (a >> s) + (b >> s) + c - (u + v - u v) 2^(64-s),  c = carry of the low s bits.
// With asr(a) = (a >> s) - u 2^(64-s), an arithmetic shift, and likewise for b, the result is
//   r = asr(a) + asr(b) + u v 2^(64-s) - 2^(62-s)  =  (y >> s) - c - 2^(62-s)   (mod 2^64).
// Error: let y = 2^s q + t with 0 <= t < 2^s, and fa + fb = t + c 2^s for the low parts fa, fb <=
// 2^s - 1. Then r 2^s - x = 2^s - 1 - t - c 2^s = 2^s - 1 - (fa + fb), which lies in
// [-(2^s - 1), 2^s - 1]: less than one unit, and its mean is 0 over uniform a. Where 2^s divides x,
// t = 2^s - 1, so c = 1 would need fa + fb = 2^(s+1) - 1, more than both can give: r is exact.
// (Two-party truncation of SecureML, section 4.1, errs by 1 and, rarely, by a wrap; ABY3, section
// 5.1.1, has the roles. The exact wrap for numbers of known sign is what is added here.)
//
// u v matters only mod 2^s: P sends e = u - F_P to the next member N, the previous member V draws
// F_P itself; both know v, so v e + v F_P = u v. Both mask their summand and exchange it.
#include <algorithm>
#include <cstring>
#include <optional>

#include "protocol/error.h"
#include "protocol/simd.h"
#include "worker/mpc/replicated.h"
#include "worker/mpc/ring_matmul.h"

namespace curia::mpc {
namespace {

using Half = std::uint32_t;

// Numbers mod 2^(8 width), close together. Writes up to 3 bytes behind the last one.
void pack(const Half* from, std::int64_t n, std::int64_t width, std::uint8_t* to) {
  if (width == 4) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * 4);
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) std::memcpy(to + i * width, from + i, 4);
}

// REQUIRES: 3 readable bytes behind the last number.
void unpack(const std::uint8_t* from, std::int64_t n, std::int64_t width, Half* to) {
  const Half keep = width == 4 ? ~Half{0} : (Half{1} << (8 * width)) - 1;
  for (std::int64_t i = 0; i < n; ++i) {
    Half x;
    std::memcpy(&x, from + i * width, 4);
    to[i] = x & keep;
  }
}

constexpr std::int64_t kSlack = 8;  // bytes behind packed numbers

// A received message of packed numbers; unpacks the last block from a copy that may be read beyond.
void unpack_message(const Slice& message, std::int64_t offset, std::int64_t begin, std::int64_t n,
                    std::int64_t width, Half* to) {
  const std::int64_t at = offset + begin * width;
  if (at + n * width + 4 <= message.size) return unpack(message.data + at, n, width, to);
  std::array<std::uint8_t, kBlockWords * 4 + kSlack> copy{};
  std::memcpy(copy.data(), message.data + at, static_cast<std::size_t>(n * width));
  unpack(copy.data(), n, width, to);
}

}  // namespace

// Masks of a step: F (64 bits) of the leader's first key; G, H (32 bits) of the leader's first key:
// G hides u, H is what hides the product at V; K of the leader's second key: what hides it at N.
struct Replicated::Shift {
  Replicated& self;
  const int shift;
  const std::int64_t width = packed_width(shift);
  const BufferMut first, second;
  const std::uint32_t use_f, use_gh, use_k;

  Shift(Replicated& owner, int bits, std::int64_t words)
      : self(owner),
        shift(bits),
        first(allocate_words(words)),
        second(allocate_words(words)),
        use_f(owner.uses(1)),
        use_gh(owner.uses(1)),
        use_k(owner.uses(1)) {}

  // a[begin..end) of the chunk is produced into `first`; sends N its part and e.
  template <class A>
  void lead(const Chunk& chunk, A&& a) {
    const std::int64_t n = chunk.size();
    auto message = Buffer::allocate(n * 8 + n * width + kSlack);
    auto* const alpha = reinterpret_cast<Words*>(message->data());
    std::uint8_t* const packed = message->data() + n * 8;
    for (std::int64_t at = 0; at < n; at += kBlockWords) {
      const std::int64_t count = std::min(kBlockWords, n - at);
      alignas(64) Words x[kBlockWords], f[kBlockWords], gh[kBlockWords], k[kBlockWords / 2];
      alignas(64) Half e[kBlockWords];
      a(at, count, x);
      self.draw_first(use_f, chunk.mask + at, f, count);
      self.draw_first(use_gh, chunk.mask + at, gh, count);
      self.draw_second(use_k, (chunk.mask + at) / 2, k, (count + 1) / 2);
      const auto body = [](const Words* xs, const Words* fs, const Words* ghs, const Half* ks,
                           Words* al, Half* es, Words* one, Words* two, std::int64_t m,
                           int s) CURIA_INLINE {
        const Words offset = (Words{1} << 62) + (Words{1} << s) - 1;
        const Words back = Words{1} << (62 - s);
        for (std::int64_t i = 0; i < m; ++i) {
          const Words y = xs[i] + offset;
          const Words part = static_cast<Words>(static_cast<std::int64_t>(y) >> s) - fs[i] - back;
          al[i] = part;
          es[i] = static_cast<Half>((y >> 63) - ghs[i]);
          one[i] = fs[i] + ((ghs[i] >> 32) << (64 - s));
          two[i] = part + (Words{ks[i]} << (64 - s));
        }
      };
      with_wide_simd(body, static_cast<const Words*>(x), static_cast<const Words*>(f),
                     static_cast<const Words*>(gh), reinterpret_cast<const Half*>(k), alpha + at,
                     static_cast<Half*>(e), words_of(first) + chunk.begin + at,
                     words_of(second) + chunk.begin + at, count, shift);
      pack(e, count, width, packed + at * width);
    }
    const std::int64_t bytes = n * (8 + width);
    self.net_.send(self.next(), slice_of(std::move(message)).part(0, bytes));
  }

  // N or V: b is known; sends the other one the masked summand of u v.
  template <class B>
  void follow(const Chunk& chunk, bool is_next, B&& b) {
    const std::int64_t n = chunk.size();
    const Slice lead = is_next ? self.net_.recv(chunk.leader, n * (8 + width)) : Slice();
    auto message = Buffer::allocate(n * width + kSlack);
    for (std::int64_t at = 0; at < n; at += kBlockWords) {
      const std::int64_t count = std::min(kBlockWords, n - at);
      alignas(64) Words y[kBlockWords], f[kBlockWords], gh[kBlockWords];
      alignas(64) Half e[kBlockWords], q[kBlockWords];
      Words* const one = words_of(first) + chunk.begin + at;
      Words* const two = words_of(second) + chunk.begin + at;
      b(at, count, y);
      if (is_next) {
        self.draw_first(use_k, (chunk.mask + at) / 2, gh, (count + 1) / 2);
        unpack_message(lead, n * 8, at, count, width, e);
        const auto body = [](const Words* ys, const Words* al, const Half* es, const Half* ks,
                             Half* qs, Words* o, Words* t, std::int64_t m, int s) CURIA_INLINE {
          for (std::int64_t i = 0; i < m; ++i) {
            const auto sign = static_cast<std::int64_t>(ys[i]) >> 63;
            const Half summand = (static_cast<Half>(sign) & es[i]) - ks[i];
            qs[i] = summand;
            o[i] = al[i] + (Words{ks[i]} << (64 - s));
            t[i] = static_cast<Words>(static_cast<std::int64_t>(ys[i]) >> s) +
                   (Words{summand} << (64 - s));
          }
        };
        with_wide_simd(body, static_cast<const Words*>(y), words_of(lead) + at,
                       static_cast<const Half*>(e), reinterpret_cast<const Half*>(gh),
                       static_cast<Half*>(q), one, two, count, shift);
      } else {
        self.draw_second(use_f, chunk.mask + at, f, count);
        self.draw_second(use_gh, chunk.mask + at, gh, count);
        const auto body = [](const Words* ys, const Words* fs, const Words* ghs, Half* qs, Words* o,
                             Words* t, std::int64_t m, int s) CURIA_INLINE {
          for (std::int64_t i = 0; i < m; ++i) {
            const auto sign = static_cast<std::int64_t>(ys[i]) >> 63;
            const Words h = ghs[i] >> 32;
            const Half summand =
                (static_cast<Half>(sign) & static_cast<Half>(ghs[i])) - static_cast<Half>(h);
            qs[i] = summand;
            o[i] = static_cast<Words>(static_cast<std::int64_t>(ys[i]) >> s) +
                   (Words{summand} << (64 - s));
            t[i] = fs[i] + (h << (64 - s));
          }
        };
        with_wide_simd(body, static_cast<const Words*>(y), static_cast<const Words*>(f),
                       static_cast<const Words*>(gh), static_cast<Half*>(q), one, two, count,
                       shift);
      }
      pack(q, count, width, message->data() + at * width);
    }
    self.net_.send(is_next ? self.next() : self.previous(),
                   slice_of(std::move(message)).part(0, n * width));
  }

  void finish(const Chunk& chunk, bool is_next) {
    const std::int64_t n = chunk.size();
    const Slice message = self.net_.recv(is_next ? self.next() : self.previous(), n * width);
    Words* const part = words_of(is_next ? second : first) + chunk.begin;
    for (std::int64_t at = 0; at < n; at += kBlockWords) {
      const std::int64_t count = std::min(kBlockWords, n - at);
      alignas(64) Half q[kBlockWords];
      unpack_message(message, 0, at, count, width, q);
      const auto body = [](const Half* qs, Words* to, std::int64_t m, int s) CURIA_INLINE {
        for (std::int64_t i = 0; i < m; ++i) to[i] += Words{qs[i]} << (64 - s);
      };
      with_wide_simd(body, static_cast<const Half*>(q), part + at, count, shift);
    }
  }

  Pair result() const { return {slice_of(first), slice_of(second)}; }
};

namespace {

void check_shift(int shift) {
  expect(shift >= 1 && shift <= kMaxShift, "a division by 2^shift has a shift of 1 to 32");
}

}  // namespace

// What the three members produced is masked as in reshare(); N and V exchange theirs, so that
// a = z_P and b = z_N + z_V.
Pair Replicated::reshare_shift(const std::vector<Chunk>& chunks, std::int64_t words,
                               std::int64_t grain, int shift, const Produce& produce) {
  check_shift(shift);
  const std::uint32_t use = uses(1);
  Shift step(*this, shift, words);
  std::vector<Slice> mine(chunks.size());
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const Chunk& chunk = chunks[i];
    poll();
    const BufferMut local = allocate_words(chunk.size());
    for (std::int64_t begin = chunk.begin; begin < chunk.end; begin += grain) {
      const std::int64_t end = std::min(begin + grain, chunk.end);
      Words* const out = words_of(local) + begin - chunk.begin;
      produce(chunk, begin, end, out);
      mask(false, use, chunk.mask + begin - chunk.begin, out, end - begin);
    }
    const Words* const z = words_of(local);
    const Role mine_is = role(chunk);
    if (mine_is == Role::kLeader) {
      step.lead(chunk,
                [z](std::int64_t at, std::int64_t n, Words* x) { std::copy_n(z + at, n, x); });
    } else {
      mine[i] = slice_of(local);
      net_.send(mine_is == Role::kNext ? next() : previous(), mine[i]);
    }
  }
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const Chunk& chunk = chunks[i];
    const Role mine_is = role(chunk);
    if (mine_is == Role::kLeader) continue;
    poll();
    const bool is_next = mine_is == Role::kNext;
    const Slice theirs = net_.recv(is_next ? next() : previous(), chunk.size() * 8);
    const Words *z = words_of(mine[i]), *y = words_of(theirs);
    step.follow(chunk, is_next, [z, y](std::int64_t at, std::int64_t n, Words* b) {
      const auto body = [](const Words* p, const Words* q, Words* out, std::int64_t count)
                            CURIA_INLINE {
                              for (std::int64_t j = 0; j < count; ++j) out[j] = p[j] + q[j];
                            };
      with_wide_simd(body, z + at, y + at, b, n);
    });
    mine[i] = Slice();
  }
  for (const Chunk& chunk : chunks) {
    if (role(chunk) != Role::kLeader) step.finish(chunk, role(chunk) == Role::kNext);
  }
  return step.result();
}

// a = x_P + x_(P+1), b = x_(P+2).
RingShare Replicated::truncate(const RingShare& x, int shift) {
  check_shift(shift);
  expect(x.first.size >= x.count * 8 && x.second.size >= x.count * 8,
         "a share is shorter than its count says");
  Shift step(*this, shift, x.count);
  const std::vector<Chunk> chunks = chunks_of(x.count);
  for (const Chunk& chunk : chunks) {
    if (role(chunk) != Role::kLeader) continue;
    poll();
    const Words *p = words_of(x.first) + chunk.begin, *q = words_of(x.second) + chunk.begin;
    step.lead(chunk, [p, q](std::int64_t at, std::int64_t n, Words* a) {
      for (std::int64_t j = 0; j < n; ++j) a[j] = p[at + j] + q[at + j];
    });
  }
  for (const Chunk& chunk : chunks) {
    if (role(chunk) == Role::kLeader) continue;
    poll();
    const bool is_next = role(chunk) == Role::kNext;
    const Words* b = words_of(is_next ? x.second : x.first) + chunk.begin;
    step.follow(chunk, is_next,
                [b](std::int64_t at, std::int64_t n, Words* out) { std::copy_n(b + at, n, out); });
  }
  for (const Chunk& chunk : chunks) {
    if (role(chunk) != Role::kLeader) step.finish(chunk, role(chunk) == Role::kNext);
  }
  Pair r = step.result();
  return {x.count, std::move(r.first), std::move(r.second)};
}

// One resharing of the output, whatever the inner extent. The nine products of parts are covered by
// five local ones instead of two a member: of each chunk of rows, the leader P has
// (A_P + A_N)(B_P + B_N), N has A_N B_V + A_V B_N, and V has A_V (B_V + B_P) + A_P B_V.
// (Three would need two units of the ring that differ by 1; Z_2^64 has none.)
RingShare Replicated::matmul(const RingShare& a, const RingShare& b, std::int64_t m, std::int64_t k,
                             std::int64_t n, int shift) {
  expect(a.count == m * k && b.count == k * n, "the operands of a matrix product do not fit");
  const std::vector<Chunk> chunks = row_chunks(m, n);
  const Words *a0 = words_of(a.first), *a1 = words_of(a.second);
  const Words *b0 = words_of(b.first), *b1 = words_of(b.second);
  const auto plays = [&](std::initializer_list<Role> roles) {
    return std::any_of(chunks.begin(), chunks.end(), [&](const Chunk& chunk) {
      return std::find(roles.begin(), roles.end(), role(chunk)) != roles.end();
    });
  };
  std::optional<PackedMatrix> sum, first, second;
  if (plays({Role::kLeader, Role::kPrevious})) sum.emplace(k, n, b0, b1);
  if (plays({Role::kNext, Role::kPrevious})) first.emplace(k, n, b0, nullptr);
  if (plays({Role::kNext})) second.emplace(k, n, b1, nullptr);
  const Produce produce = [&](const Chunk& chunk, std::int64_t begin, std::int64_t end,
                              Words* out) {
    const std::int64_t row = begin / n, rows = (end - begin) / n;
    const Words *left = a0 + row * k, *right = a1 + row * k;
    std::fill_n(out, end - begin, Words{0});
    if (role(chunk) == Role::kLeader) {
      const BufferMut both = allocate_words(rows * k);
      for (std::int64_t i = 0; i < rows * k; ++i) words_of(both)[i] = left[i] + right[i];
      sum->multiply_add(words_of(both), rows, out);
    } else if (role(chunk) == Role::kNext) {
      second->multiply_add(left, rows, out);
      first->multiply_add(right, rows, out);
    } else {
      sum->multiply_add(left, rows, out);
      first->multiply_add(right, rows, out);
    }
  };
  const std::int64_t grain = std::max<std::int64_t>(m * n, 1);
  Pair z = shift > 0 ? reshare_shift(chunks, m * n, grain, shift, produce)
                     : reshare(chunks, m * n, grain, false, produce);
  return {m * n, std::move(z.first), std::move(z.second)};
}

}  // namespace curia::mpc
