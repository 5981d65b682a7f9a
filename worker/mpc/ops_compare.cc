// eq ne lt le gt ge. REQUIRES of the ordered ones: |a - b| < 2^63 in the ring.
#include "worker/mpc/operands.h"

namespace curia::mpc {
namespace {

BitShare equal_bits(MpcContext& ctx) {
  const Shape& shape = result_shape(ctx);
  MpcProtocol& p = ctx.protocol;
  return negation(p, exclusive_or(p, bit_operand(ctx, 0, shape), bit_operand(ctx, 1, shape)));
}

BitShare equal(MpcContext& ctx) {
  const Scale scale = common_scale(ctx);
  if (!scale.ring()) return equal_bits(ctx);
  const Shape& shape = result_shape(ctx);
  MpcProtocol& p = ctx.protocol;
  return p.is_zero(
      subtract(p, ring_operand(ctx, 0, scale, shape), ring_operand(ctx, 1, scale, shape)));
}

BitShare less_than(MpcContext& ctx, std::size_t a, std::size_t b) {
  const Scale scale = common_scale(ctx);
  expect(scale.ring(), "expected numbers to order, found bits; cast them first");
  const Shape& shape = result_shape(ctx);
  return less(ctx.protocol, ring_operand(ctx, a, scale, shape), ring_operand(ctx, b, scale, shape));
}

std::vector<ValuePtr> eq(MpcContext& ctx) { return done(ctx, equal(ctx)); }
std::vector<ValuePtr> ne(MpcContext& ctx) { return done(ctx, negation(ctx.protocol, equal(ctx))); }
std::vector<ValuePtr> lt(MpcContext& ctx) { return done(ctx, less_than(ctx, 0, 1)); }
std::vector<ValuePtr> gt(MpcContext& ctx) { return done(ctx, less_than(ctx, 1, 0)); }
std::vector<ValuePtr> le(MpcContext& ctx) {
  return done(ctx, negation(ctx.protocol, less_than(ctx, 1, 0)));
}
std::vector<ValuePtr> ge(MpcContext& ctx) {
  return done(ctx, negation(ctx.protocol, less_than(ctx, 0, 1)));
}

constexpr MpcEntry kTable[] = {
    {"eq", eq, counted}, {"ge", ge, counted}, {"gt", gt, counted},
    {"le", le, counted}, {"lt", lt, counted}, {"ne", ne, counted},
};

}  // namespace
}  // namespace curia::mpc

namespace curia {
std::span<const MpcEntry> mpc_compare() { return mpc::kTable; }
}  // namespace curia
