// add, sub, mul, neg, abs, relu, minimum, maximum, cast, matmul.
#include <algorithm>
#include <string>

#include "worker/mpc/fixed.h"
#include "worker/mpc/operands.h"
#include "worker/mpc/ring_matmul.h"

namespace curia::mpc {
namespace {

using Words = std::uint64_t;

template <RingShare (*f)(MpcProtocol&, const RingShare&, const RingShare&)>
std::vector<ValuePtr> linear(MpcContext& ctx) {
  const Scale scale = common_scale(ctx);
  expect(scale.ring(), "expected numbers, found bits; cast them first");
  const Shape& shape = result_shape(ctx);
  return done(
      ctx, f(ctx.protocol, ring_operand(ctx, 0, scale, shape), ring_operand(ctx, 1, scale, shape)));
}

// What a product of the operands has to be divided by.
struct Factors {
  Scale scale[2];
  int shift = 0;
};

// Whole numbers, secret or public, have no fraction bits that would have to go.
Factors factors(const MpcContext& ctx) {
  Factors found;
  int fixed = 0;
  for (const std::size_t i : {0, 1}) {
    if (is_secret(ctx, i)) {
      found.scale[i] = scale_of(ctx, i);
      expect(found.scale[i].ring(), "expected numbers, found bits; cast them first");
      continue;
    }
    const Scale other = scale_of(ctx, 1 - i);
    if (!is_whole(ctx, i)) {
      expect(other.kind == SecretKind::kFixed,
             "expected whole public numbers to go with secret integers");
      found.scale[i] = other;
    }
  }
  for (const Scale& scale : found.scale) fixed += scale.kind == SecretKind::kFixed ? 1 : 0;
  if (fixed == 2) {
    expect(found.scale[0] == found.scale[1],
           "expected operands of one number of fraction bits; cast one of them");
    found.shift = found.scale[0].fraction_bits;
  }
  return found;
}

RingShare divided(MpcProtocol& p, const RingShare& x, int shift) {
  return shift > 0 ? p.truncate(x, shift) : x;
}

std::vector<ValuePtr> mul(MpcContext& ctx) {
  const Factors found = factors(ctx);
  const Shape& shape = result_shape(ctx);
  MpcProtocol& p = ctx.protocol;
  for (const std::size_t i : {0, 1}) {
    if (is_secret(ctx, i)) continue;
    const RingShare x = ring_operand(ctx, 1 - i, found.scale[1 - i], shape);
    const PublicRing factor = public_ring(ctx, i, found.scale[i], shape);
    return done(ctx, divided(p, times(p, x, factor), found.shift));
  }
  const RingShare a = ring_operand(ctx, 0, found.scale[0], shape);
  const RingShare b = ring_operand(ctx, 1, found.scale[1], shape);
  return done(ctx, found.shift > 0 ? p.multiply_shift(a, b, found.shift) : p.multiply(a, b));
}

std::vector<ValuePtr> matmul(MpcContext& ctx) {
  const Factors found = factors(ctx);
  const Shape &left = shape_of(ctx, 0), &right = shape_of(ctx, 1);
  expect(!left.empty() && left.size() <= 2 && !right.empty() && right.size() <= 2 &&
             left.back() == right.front(),
         "expected vectors or matrices whose inner extents are equal");
  const std::int64_t m = left.size() == 2 ? left[0] : 1, k = left.back(),
                     n = right.size() == 2 ? right[1] : 1;
  MpcProtocol& p = ctx.protocol;
  if (is_secret(ctx, 0) && is_secret(ctx, 1)) {
    return done(ctx, p.matmul(ring_operand(ctx, 0), ring_operand(ctx, 1), m, k, n, found.shift));
  }
  const std::size_t known = is_secret(ctx, 0) ? 1 : 0;
  const PublicRing factor = public_ring(ctx, known, found.scale[known], shape_of(ctx, known));
  const RingShare x = ring_operand(ctx, 1 - known);
  const RingShare product = p.map({&x}, m * n, [&](const Words* const* in, Words* out, bool) {
    const auto* other = reinterpret_cast<const Words*>(factor.data.data);
    std::fill_n(out, m * n, Words{0});
    PackedMatrix(k, n, known == 1 ? other : in[0], nullptr)
        .multiply_add(known == 1 ? in[0] : other, m, out);
  });
  return done(ctx, divided(p, product, found.shift));
}

std::vector<ValuePtr> neg(MpcContext& ctx) {
  return done(ctx, times(ctx.protocol, ring_operand(ctx, 0), ~Words{0}));
}

std::vector<ValuePtr> abs(MpcContext& ctx) {
  return done(ctx, absolute(ctx.protocol, ring_operand(ctx, 0)).value);
}

std::vector<ValuePtr> relu(MpcContext& ctx) {
  MpcProtocol& p = ctx.protocol;
  const RingShare x = ring_operand(ctx, 0);
  return done(ctx, p.multiply(x, p.to_ring(negation(p, p.sign(x)))));
}

template <bool want_larger>
std::vector<ValuePtr> extremum(MpcContext& ctx) {
  const Scale scale = common_scale(ctx);
  expect(scale.ring(), "expected numbers, found bits; cast them first");
  const Shape& shape = result_shape(ctx);
  MpcProtocol& p = ctx.protocol;
  const RingShare a = ring_operand(ctx, 0, scale, shape), b = ring_operand(ctx, 1, scale, shape);
  const RingShare take_b = p.to_ring(want_larger ? less(p, a, b) : less(p, b, a));
  return done(ctx, choose(p, take_b, a, b));
}

// Towards zero: what lies below the point is subtracted from the absolute value.
RingShare cut_off(MpcProtocol& p, const RingShare& x, int fraction_bits) {
  const SignedNumber number = absolute(p, x);
  const RingShare low = low_bits(p, number.value, fraction_bits);
  const RingShare whole = p.truncate(subtract(p, number.value, low), fraction_bits);
  return subtract(p, whole, times(p, p.multiply(whole, number.negative), 2));
}

std::vector<ValuePtr> cast(MpcContext& ctx) {
  MpcProtocol& p = ctx.protocol;
  const Scale from = scale_of(ctx, 0);
  const SecretType& to = ctx.result.secret();
  if (to.kind == SecretKind::kBool) {
    if (!from.ring()) return done(ctx, bit_operand(ctx, 0));
    return done(ctx, negation(p, p.is_zero(ring_operand(ctx, 0))));
  }
  const RingShare x = from.ring() ? ring_operand(ctx, 0) : p.to_ring(bit_operand(ctx, 0));
  if (to.kind == SecretKind::kInt) {
    return done(ctx, from.kind == SecretKind::kFixed ? cut_off(p, x, from.fraction_bits) : x);
  }
  const int more = to.fraction_bits - (from.ring() ? from.fraction_bits : 0);
  if (more > 0) return done(ctx, times(p, x, Words{1} << more));
  return done(ctx, divided(p, x, -more));
}

constexpr MpcEntry kTable[] = {
    {"abs", abs, counted},
    {"add", linear<add>, counted},
    {"cast", cast, counted},
    {"matmul", matmul, counted},
    {"maximum", extremum<true>, counted},
    {"minimum", extremum<false>, counted},
    {"mul", mul, counted},
    {"neg", neg, counted},
    {"relu", relu, counted},
    {"sub", linear<subtract>, counted},
};

}  // namespace
}  // namespace curia::mpc

namespace curia {
std::span<const MpcEntry> mpc_arithmetic() { return mpc::kTable; }
}  // namespace curia
