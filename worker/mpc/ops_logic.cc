// and or xor not on bits, and select.
#include "worker/mpc/operands.h"

namespace curia::mpc {
namespace {

// Both operands where both are secret; else the secret one, and the public one as numbers 0 and 1
// packed into bits.
struct TwoBits {
  BitShare a, b;
  bool public_b = false;
};

TwoBits operands(MpcContext& ctx) {
  const Shape& shape = result_shape(ctx);
  const bool swap = !is_secret(ctx, 0);
  TwoBits found{bit_operand(ctx, swap ? 1 : 0, shape), bit_operand(ctx, swap ? 0 : 1, shape),
                swap || !is_secret(ctx, 1)};
  return found;
}

BitShare both(MpcContext& ctx, const TwoBits& x) {
  if (!x.public_b) return ctx.protocol.conjunction(x.a, x.b);
  const std::size_t known = is_secret(ctx, 0) ? 1 : 0;
  const PublicRing flags = public_flags(ctx, known, result_shape(ctx));
  const PublicBits keep = ctx.protocol.public_bits(flags.count, [&](std::uint64_t* out) {
    pack_bits(reinterpret_cast<const std::uint64_t*>(flags.data.data), flags.count, out);
  });
  return ctx.protocol.map_bits(
      {&x.a}, flags.count, [&](const std::uint64_t* const* in, std::uint64_t* out, bool) {
        const auto* bits = reinterpret_cast<const std::uint64_t*>(keep.data.data);
        for (std::int64_t i = 0; i < bit_words(flags.count); ++i) out[i] = in[0][i] & bits[i];
      });
}

std::vector<ValuePtr> conjunction(MpcContext& ctx) { return done(ctx, both(ctx, operands(ctx))); }

std::vector<ValuePtr> disjunction(MpcContext& ctx) {
  const TwoBits x = operands(ctx);
  const BitShare either = exclusive_or(ctx.protocol, x.a, x.b);
  return done(ctx, exclusive_or(ctx.protocol, either, both(ctx, x)));
}

std::vector<ValuePtr> difference(MpcContext& ctx) {
  const TwoBits x = operands(ctx);
  return done(ctx, exclusive_or(ctx.protocol, x.a, x.b));
}

std::vector<ValuePtr> negated(MpcContext& ctx) {
  return done(ctx, negation(ctx.protocol, bit_operand(ctx, 0)));
}

// a where the condition holds, else b: b ^ c (a ^ b), or b + c (a - b).
std::vector<ValuePtr> select(MpcContext& ctx) {
  const Shape& shape = result_shape(ctx);
  const SecretType& type = ctx.result.secret();
  const Scale scale{type.kind, type.fraction_bits};
  MpcProtocol& p = ctx.protocol;
  if (!scale.ring()) {
    const BitShare a = bit_operand(ctx, 1, shape), b = bit_operand(ctx, 2, shape);
    const BitShare condition = bit_operand(ctx, 0, shape);
    return done(ctx, exclusive_or(p, b, p.conjunction(condition, exclusive_or(p, a, b))));
  }
  const RingShare a = ring_operand(ctx, 1, scale, shape), b = ring_operand(ctx, 2, scale, shape);
  if (!is_secret(ctx, 0)) {
    const RingShare gap = subtract(p, a, b);
    return done(ctx, add(p, b, times(p, gap, public_flags(ctx, 0, shape))));
  }
  const RingShare condition = p.to_ring(bit_operand(ctx, 0));
  const View view = View::of(shape_of(ctx, 0)).broadcast(shape);
  return done(ctx, choose(p, seen(p, condition, view), b, a));
}

constexpr MpcEntry kTable[] = {
    {"and", conjunction, counted}, {"not", negated, counted},    {"or", disjunction, counted},
    {"select", select, counted},   {"xor", difference, counted},
};

}  // namespace
}  // namespace curia::mpc

namespace curia {
std::span<const MpcEntry> mpc_logic() { return mpc::kTable; }
}  // namespace curia
