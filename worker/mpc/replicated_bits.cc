// From numbers to bits and back.
//
// A number x = a + b with a = x_P + x_(P+1) known to the leader P and b = x_(P+2) known to both
// others. The bits of a are shared by one message, those of b are a sharing already (ABY3, section
// 5.3); an adder over shared bits gives the bits of x. The member N after the leader gets the
// message, V is the one before it.
#include <algorithm>
#include <cstring>

#include "protocol/error.h"
#include "protocol/simd.h"
#include "worker/mpc/bit_planes.h"
#include "worker/mpc/replicated.h"

namespace curia::mpc {

// Planes of a ^ b. Since a has no part P + 2, and b only that, the parts tell a and b apart: the
// leader holds (a, a), N holds (a, b), V holds (b, a).
struct Replicated::Summands {
  Chunk chunk;
  Role role;
  int planes;
  std::int64_t stride;  // words of a plane
  Pair p;
};

Replicated::Summands Replicated::summands(const RingShare& x, const Chunk& chunk, int planes,
                                          bool negate, std::uint32_t use) {
  poll();
  const std::int64_t n = chunk.size(), stride = plane_words(n), words = planes * stride;
  Summands s{chunk, role(chunk), planes, stride, {}};
  const Words* first = words_of(x.first) + chunk.begin;
  const Words* second = words_of(x.second) + chunk.begin;
  const auto known = [&](const Words* numbers, bool minus) {
    const BufferMut out = allocate_words(words);
    to_planes(numbers, n, minus, planes, words_of(out), stride);
    return out;
  };
  if (s.role == Role::kLeader) {
    const BufferMut sum = allocate_words(n);
    const auto add = [](const Words* a, const Words* b, Words* out, std::int64_t count)
                         CURIA_INLINE {
                           for (std::int64_t i = 0; i < count; ++i) out[i] = a[i] + b[i];
                         };
    with_simd(add, first, second, words_of(sum), n);
    const BufferMut masked = known(words_of(sum), false), random = allocate_words(words);
    draw_first(use, chunk.mask, words_of(random), words);
    const auto hide = [](Words* a, const Words* r, std::int64_t count) CURIA_INLINE {
      for (std::int64_t i = 0; i < count; ++i) a[i] ^= r[i];
    };
    with_simd(hide, words_of(masked), static_cast<const Words*>(words_of(random)), words);
    s.p = {slice_of(random), slice_of(masked)};
    net_.send(next(), s.p.second);
  } else if (s.role == Role::kNext) {
    s.p.second = slice_of(known(second, negate));
  } else {
    const BufferMut random = allocate_words(words);
    draw_second(use, chunk.mask, words_of(random), words);
    s.p = {slice_of(known(first, negate)), slice_of(random)};
  }
  return s;
}

void Replicated::finish_summands(Summands& s) {
  if (s.role == Role::kNext) {
    s.p.first = net_.recv(s.chunk.leader, s.planes * s.stride * 8);
  }
}

namespace {

// What a member contributes to (a ^ c)(b ^ c) ^ c, the next carry; c's own part included.
enum class Holds { kAA, kAB, kBA };

template <Holds holds>
void next_carry(const Words* f, const Words* s, const Words* c0, const Words* c1, const Words* m0,
                const Words* m1, Words* out, std::int64_t words) {
  const auto body = [](const Words* p0, const Words* p1, const Words* k0, const Words* k1,
                       const Words* r0, const Words* r1, Words* to, std::int64_t n) CURIA_INLINE {
    for (std::int64_t i = 0; i < n; ++i) {
      const Words x0 = holds == Holds::kBA ? k0[i] : p0[i] ^ k0[i];
      const Words x1 = holds == Holds::kAB ? k1[i] : p1[i] ^ k1[i];
      const Words y0 = holds == Holds::kBA ? p0[i] ^ k0[i] : k0[i];
      const Words y1 = holds == Holds::kAB ? p1[i] ^ k1[i] : k1[i];
      to[i] = (x0 & (y0 ^ y1)) ^ (x1 & y0) ^ k0[i] ^ r0[i] ^ r1[i];
    }
  };
  with_wide_simd(body, f, s, c0, c1, m0, m1, out, words);
}

BufferMut zeros(std::int64_t words) {
  BufferMut buffer = allocate_words(words);
  std::fill_n(words_of(buffer), words, Words{0});
  return buffer;
}

}  // namespace

// Ripple carry: c_(i+1) = (a_i ^ c_i)(b_i ^ c_i) ^ c_i, one conjunction a bit. What is sent is the
// new carry's part itself, so that the receiver's message is its second part. Chunks go in
// lockstep, so that one is computed while another is on its way.
void Replicated::ripple(const RingShare& x, int low, int bits, std::int64_t out_words, Words* first,
                        Words* second) {
  const int planes = low + bits;
  const std::uint32_t use = uses(planes);
  std::vector<Summands> work;
  for (const Chunk& chunk : chunks_of(x.count, kAdderChunk)) {
    work.push_back(summands(x, chunk, planes, false, use));
  }
  std::vector<Pair> carry;
  for (const Summands& s : work) {
    const Slice none = slice_of(zeros(s.stride));
    carry.push_back({none, none});
  }
  for (Summands& s : work) finish_summands(s);
  for (int i = 0; i < planes; ++i) {
    for (std::size_t j = 0; j < work.size(); ++j) {
      const Summands& s = work[j];
      const Words* p0 = words_of(s.p.first) + i * s.stride;
      const Words* p1 = words_of(s.p.second) + i * s.stride;
      const Words *c0 = words_of(carry[j].first), *c1 = words_of(carry[j].second);
      if (i >= low) {
        Words* const one = first + (i - low) * out_words + s.chunk.begin / 64;
        Words* const two = second + (i - low) * out_words + s.chunk.begin / 64;
        for (std::int64_t w = 0; w < s.stride; ++w) {
          one[w] = p0[w] ^ c0[w];
          two[w] = p1[w] ^ c1[w];
        }
      }
      if (i + 1 == planes) continue;
      poll();
      const BufferMut out = allocate_words(s.stride);
      for (std::int64_t at = 0; at < s.stride; at += kBlockWords) {
        const std::int64_t n = std::min(kBlockWords, s.stride - at);
        alignas(64) Words m0[kBlockWords], m1[kBlockWords];
        const std::uint32_t place = use + 1 + static_cast<std::uint32_t>(i);
        const std::int64_t position = s.chunk.mask / 64 + at;
        draw_first(place, position, m0, n);
        draw_second(place, position, m1, n);
        const auto step = s.role == Role::kLeader ? next_carry<Holds::kAA>
                          : s.role == Role::kNext ? next_carry<Holds::kAB>
                                                  : next_carry<Holds::kBA>;
        step(p0 + at, p1 + at, c0 + at, c1 + at, m0, m1, words_of(out) + at, n);
      }
      carry[j].first = slice_of(out);
      net_.send(previous(), carry[j].first);
    }
    if (i + 1 == planes) continue;
    for (std::size_t j = 0; j < work.size(); ++j) {
      carry[j].second = net_.recv(next(), work[j].stride * 8);
    }
  }
}

namespace {

struct NewPair {
  BufferMut first, second;
  Pair done() const { return {slice_of(first), slice_of(second)}; }
};

// Planes picked out of others, both parts alike.
NewPair pick(std::initializer_list<std::pair<const Pair*, std::vector<int>>> sources,
             std::int64_t stride) {
  std::int64_t planes = 0;
  for (const auto& [pair, which] : sources) planes += static_cast<std::int64_t>(which.size());
  const BufferMut one = allocate_words(planes * stride), two = allocate_words(planes * stride);
  Words *to0 = words_of(one), *to1 = words_of(two);
  for (const auto& [pair, which] : sources) {
    for (const int i : which) {
      to0 = std::copy_n(words_of(pair->first) + i * stride, stride, to0);
      to1 = std::copy_n(words_of(pair->second) + i * stride, stride, to1);
    }
  }
  return {one, two};
}

void xor_into(Words* to, const Words* from, std::int64_t words) {
  for (std::int64_t i = 0; i < words; ++i) to[i] ^= from[i];
}

}  // namespace

// a_i b_i for all planes: the leader contributes nothing, so its two parts are drawn, and only the
// others send: q_N + q_V with q_N = a_N b ^ F_(P+1), q_V = a_V b ^ F_P.
Pair Replicated::generate(const Summands& s, int planes) {
  const std::uint32_t use = uses(2);
  const std::int64_t words = planes * s.stride;
  const BufferMut first = allocate_words(words), second = allocate_words(words);
  if (s.role == Role::kLeader) {
    draw_first(use, 0, words_of(first), words);
    draw_second(use + 1, 0, words_of(second), words);
    return {slice_of(first), slice_of(second)};
  }
  const bool is_next = s.role == Role::kNext;
  const BufferMut sent = allocate_words(words);
  Words* const drawn = words_of(is_next ? first : second);
  Words* const opened = words_of(is_next ? second : first);
  if (is_next) {
    draw_first(use + 1, 0, drawn, words);
  } else {
    draw_second(use, 0, drawn, words);
  }
  const Words *f = words_of(s.p.first), *g = words_of(s.p.second);
  for (std::int64_t i = 0; i < words; ++i) words_of(sent)[i] = (f[i] & g[i]) ^ drawn[i];
  const Slice mine = slice_of(sent);
  const int peer = is_next ? next() : previous();
  net_.send(peer, mine);
  const Slice theirs = net_.recv(peer, words * 8);
  for (std::int64_t i = 0; i < words; ++i) opened[i] = words_of(mine)[i] ^ words_of(theirs)[i];
  return {slice_of(first), slice_of(second)};
}

// The carry that leaves `planes` bits: a tree over (generate, propagate) pairs of neighbours,
// (g, p) after (g', p') = (g ^ p g', p p') (Brent and Kung 1982). The lowest needs no p.
Pair Replicated::carry_out(Pair g, Pair p, int planes, std::int64_t stride) {
  while (planes > 1) {
    const int pairs = planes / 2;
    std::vector<int> high, low, high_but_first, low_but_first;
    for (int t = 0; t < pairs; ++t) {
      low.push_back(2 * t);
      high.push_back(2 * t + 1);
      if (t == 0) continue;
      low_but_first.push_back(2 * t);
      high_but_first.push_back(2 * t + 1);
    }
    const Pair x = pick({{&p, high}, {&p, high_but_first}}, stride).done();
    const Pair y = pick({{&g, low}, {&p, low_but_first}}, stride).done();
    const Pair both = conjunction_words(x, y, (2 * pairs - 1) * stride);
    std::vector<int> front, back;
    for (int t = 0; t < pairs; ++t) front.push_back(t);
    for (int t = 1; t < pairs; ++t) back.push_back(pairs + t - 1);
    std::vector<int> rest;
    if (planes % 2 == 1) rest.push_back(planes - 1);
    const NewPair carries = pick({{&both, front}, {&g, rest}}, stride);
    const NewPair own = pick({{&g, high}}, stride);
    xor_into(words_of(carries.first), words_of(own.first), pairs * stride);
    xor_into(words_of(carries.second), words_of(own.second), pairs * stride);
    g = carries.done();
    p = pick({{&p, {0}}, {&both, back}, {&p, rest}}, stride).done();  // plane 0 is not read again
    planes = pairs + static_cast<int>(rest.size());
  }
  return g;
}

// The carries that leave bits 0, 1, ..., planes - 1 (Sklansky 1960).
Pair Replicated::all_carries(Pair g, Pair p, int planes, std::int64_t stride) {
  for (int d = 1; d < planes; d *= 2) {
    std::vector<int> at, from, at_p, from_p;
    for (int i = 0; i < planes; ++i) {
      if ((i & d) == 0) continue;
      const int j = i / d * d - 1;
      at.push_back(i);
      from.push_back(j);
      if (i < 2 * d) continue;
      at_p.push_back(i);
      from_p.push_back(j);
    }
    const Pair x = pick({{&p, at}, {&p, at_p}}, stride).done();
    const Pair y = pick({{&g, from}, {&p, from_p}}, stride).done();
    const auto total = static_cast<std::int64_t>(at.size() + at_p.size());
    const Pair both = conjunction_words(x, y, total * stride);
    std::vector<int> all(static_cast<std::size_t>(planes));
    for (int i = 0; i < planes; ++i) all[static_cast<std::size_t>(i)] = i;
    const NewPair new_g = pick({{&g, all}}, stride), new_p = pick({{&p, all}}, stride);
    for (const bool second : {false, true}) {
      Words* const gs = words_of(second ? new_g.second : new_g.first);
      Words* const ps = words_of(second ? new_p.second : new_p.first);
      const Words* product = words_of(second ? both.second : both.first);
      for (const int i : at) {
        xor_into(gs + i * stride, product, stride);
        product += stride;
      }
      for (const int i : at_p) {
        std::copy_n(product, stride, ps + i * stride);
        product += stride;
      }
    }
    g = new_g.done();
    p = new_p.done();
  }
  return g;
}

void Replicated::prefix(const RingShare& x, int low, int bits, std::int64_t out_words, Words* first,
                        Words* second) {
  const int planes = low + bits;
  const std::uint32_t use = uses(1);
  const Chunk chunk{0, x.count, 0, 0};
  Summands s = summands(x, chunk, planes, false, use);
  finish_summands(s);
  Pair carries;  // into planes max(low, 1)..planes - 1
  if (planes > 1) {
    Pair g = generate(s, planes - 1);
    carries = bits == 1 ? carry_out(std::move(g), s.p, planes - 1, s.stride)
                        : all_carries(std::move(g), s.p, planes - 1, s.stride);
  }
  for (int i = low; i < planes; ++i) {
    Words* const one = first + (i - low) * out_words;
    Words* const two = second + (i - low) * out_words;
    std::copy_n(words_of(s.p.first) + i * s.stride, s.stride, one);
    std::copy_n(words_of(s.p.second) + i * s.stride, s.stride, two);
    if (i == 0) continue;
    const std::int64_t at = bits == 1 ? 0 : (i - 1) * s.stride;
    xor_into(one, words_of(carries.first) + at, s.stride);
    xor_into(two, words_of(carries.second) + at, s.stride);
  }
}

BitShare Replicated::sum_planes(const RingShare& x, int low, int bits) {
  expect(low >= 0 && bits >= 1 && low + bits <= 64, "a number has bits 0 to 63");
  const std::int64_t out_words = bit_words(x.count);
  const BufferMut first = zeros(out_words * bits), second = zeros(out_words * bits);
  if (x.count >= kRippleFrom) {
    ripple(x, low, bits, out_words, words_of(first), words_of(second));
  } else if (x.count > 0) {
    prefix(x, low, bits, out_words, words_of(first), words_of(second));
  }
  return {bits == 1 ? x.count : out_words * 64 * bits, slice_of(first), slice_of(second)};
}

BitShare Replicated::sign(const RingShare& x) { return sum_planes(x, 63, 1); }

BitShare Replicated::to_bits(const RingShare& x, int low, int bits) {
  return sum_planes(x, low, bits);
}

// x = 0 exactly if the bits of a are those of -b: a tree of conjunctions over ~(a ^ -b).
BitShare Replicated::is_zero(const RingShare& x) {
  constexpr int kPlanes = 64;
  const std::int64_t out_words = bit_words(x.count);
  const BufferMut first = zeros(out_words), second = zeros(out_words);
  const std::uint32_t use = uses(1);
  const std::vector<Chunk> chunks = chunks_of(x.count, kAdderChunk);
  std::vector<Summands> work;
  for (const Chunk& chunk : chunks) work.push_back(summands(x, chunk, kPlanes, true, use));
  for (Summands& s : work) finish_summands(s);
  std::vector<Pair> equal;
  for (const Summands& s : work) {
    const auto flip = [&](const Slice& part, bool constant) {
      const BufferMut out = allocate_words(kPlanes * s.stride);
      const Words ones = constant ? ~Words{0} : Words{0};
      for (std::int64_t i = 0; i < kPlanes * s.stride; ++i) {
        words_of(out)[i] = words_of(part)[i] ^ ones;
      }
      return slice_of(out);
    };
    equal.push_back({flip(s.p.first, rank_ == 0), flip(s.p.second, next() == 0)});
  }
  for (int planes = kPlanes / 2; planes >= 1; planes /= 2) {
    std::vector<std::pair<Pair, Pair>> halves;
    for (std::size_t j = 0; j < work.size(); ++j) {
      const std::int64_t bytes = planes * work[j].stride * 8;
      halves.push_back({{equal[j].first.part(0, bytes), equal[j].second.part(0, bytes)},
                        {equal[j].first.part(bytes, bytes), equal[j].second.part(bytes, bytes)}});
    }
    equal = conjunctions(halves);
  }
  for (std::size_t j = 0; j < work.size(); ++j) {
    const std::int64_t at = work[j].chunk.begin / 64;
    std::copy_n(words_of(equal[j].first), work[j].stride, words_of(first) + at);
    std::copy_n(words_of(equal[j].second), work[j].stride, words_of(second) + at);
  }
  return {x.count, slice_of(first), slice_of(second)};
}

}  // namespace curia::mpc
