// Division of a shared number by a public one.
//
// As in replicated_shift.cc, a + b = y (mod 2^64) with 0 < y < 2^63, a known to the leader P and b
// to both others, so that w = u + v - u v, of the top bits u of a and v of b, is exactly whether
// a + b wraps. Let a = d qa + ra, b = d qb + rb, 2^64 = d Q + R with remainders below d. Then
//   y = d (qa + qb - w Q) + (ra + rb - w R),
// and the quotient in brackets is the result. With y = x + d C + t, where d C is the multiple of d
// below 2^62 and t = d - 1 - R / 2, subtracting C leaves
//   d r - x = t - (ra + rb - w R),  in [-(d - 1) - R / 2, (d - 1) + R / 2]:  |r - x / d| < 1.5.
// u v is a product in the ring: e = u - s goes to the next member N, s is drawn by the previous one
// V, and both exchange their masked summand, as in to_ring().
#include <algorithm>

#include "protocol/error.h"
#include "worker/mpc/replicated.h"

namespace curia::mpc {

RingShare Replicated::divide(const RingShare& x, std::int64_t divisor) {
  expect(divisor >= 2 && divisor <= std::int64_t{1} << 48, "a divisor lies between 2 and 2^48");
  expect(x.first.size >= x.count * 8 && x.second.size >= x.count * 8,
         "a share is shorter than its count says");
  const auto d = static_cast<Words>(divisor);
  const Words rest = (~Words{0} % d + 1) % d, quotient = ~Words{0} / d + (rest == 0 ? 1 : 0);
  const Words back = (Words{1} << 62) / d, offset = back * d + (d - 1 - rest / 2);
  const std::uint32_t use_f = uses(1), use_s = uses(1), use_g = uses(1), use_k = uses(1);
  const BufferMut first = allocate_words(x.count), second = allocate_words(x.count);
  const std::vector<Chunk> chunks = chunks_of(x.count);
  alignas(64) Words f[kBlockWords], s[kBlockWords], g[kBlockWords], k[kBlockWords];
  for (const Chunk& chunk : chunks) {
    if (role(chunk) != Role::kLeader) continue;
    poll();
    const std::int64_t size = chunk.size();
    const BufferMut message = allocate_words(2 * size);
    Words *const alpha = words_of(message), *const e = alpha + size;
    for (std::int64_t at = 0; at < size; at += kBlockWords) {
      const std::int64_t n = std::min(kBlockWords, size - at);
      draw_first(use_f, chunk.mask + at, f, n);
      draw_first(use_s, chunk.mask + at, s, n);
      draw_first(use_g, chunk.mask + at, g, n);
      draw_second(use_k, chunk.mask + at, k, n);
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t j = chunk.begin + at + i;
        const Words a = words_of(x.first)[j] + words_of(x.second)[j] + offset;
        const Words u = a >> 63;
        alpha[at + i] = a / d - u * quotient - back - f[i];
        e[at + i] = u - s[i];
        words_of(first)[j] = f[i] + quotient * g[i];
        words_of(second)[j] = alpha[at + i] + quotient * k[i];
      }
    }
    net_.send(next(), slice_of(message));
  }
  for (const Chunk& chunk : chunks) {
    if (role(chunk) == Role::kLeader) continue;
    poll();
    const bool is_next = role(chunk) == Role::kNext;
    const std::int64_t size = chunk.size();
    const Slice lead = is_next ? net_.recv(chunk.leader, 16 * size) : Slice();
    const BufferMut message = allocate_words(size);
    Words* const common = words_of(is_next ? first : second) + chunk.begin;
    Words* const own = words_of(is_next ? second : first) + chunk.begin;
    const Words* const known = words_of(is_next ? x.second : x.first) + chunk.begin;
    for (std::int64_t at = 0; at < size; at += kBlockWords) {
      const std::int64_t n = std::min(kBlockWords, size - at);
      const Words *alpha = f, *e = s;
      if (is_next) {
        alpha = words_of(lead) + at;
        e = words_of(lead) + size + at;
        draw_first(use_k, chunk.mask + at, g, n);
      } else {
        draw_second(use_f, chunk.mask + at, f, n);
        draw_second(use_s, chunk.mask + at, s, n);
        draw_second(use_g, chunk.mask + at, g, n);
      }
      for (std::int64_t i = 0; i < n; ++i) {
        const Words b = known[at + i], v = b >> 63, summand = v * e[i] - g[i];
        words_of(message)[at + i] = summand;
        common[at + i] = alpha[i] + quotient * g[i];
        own[at + i] = b / d - v * quotient + quotient * summand;
      }
    }
    net_.send(is_next ? next() : previous(), slice_of(message));
  }
  for (const Chunk& chunk : chunks) {
    if (role(chunk) == Role::kLeader) continue;
    const bool is_next = role(chunk) == Role::kNext;
    const Slice message = net_.recv(is_next ? next() : previous(), chunk.size() * 8);
    Words* const own = words_of(is_next ? second : first) + chunk.begin;
    for (std::int64_t i = 0; i < chunk.size(); ++i) own[i] += quotient * words_of(message)[i];
  }
  return {x.count, slice_of(first), slice_of(second)};
}

}  // namespace curia::mpc
