// share and reveal. A party that is no member splits or puts together itself (protocol/secret.h).
#include "protocol/secret.h"
#include "worker/mpc/operands.h"

namespace curia::mpc {
namespace {

std::vector<ValuePtr> share(MpcContext& ctx) {
  const SecretType& type = ctx.result.secret();
  const std::int64_t count = element_count(type.shape);
  if (ctx.counting && ctx.owner_rank < 0) return {};
  Slice clear;
  if (!ctx.counting && ctx.protocol.rank() == ctx.owner_rank) {
    expect(ctx.operands.size() == 1 && ctx.operands[0] != nullptr,
           "the owner has nothing to share");
    clear = encode_secret(ctx.operands[0]->tensor(), type);
  }
  if (type.kind == SecretKind::kBool) {
    return done(ctx, ctx.protocol.share_bits(clear, count, ctx.owner_rank));
  }
  return done(ctx, ctx.protocol.share(clear, count, ctx.owner_rank));
}

std::vector<ValuePtr> reveal(MpcContext& ctx) {
  if (ctx.counting && ctx.to_rank < 0) return {};
  const Slice clear = scale_of(ctx, 0).ring()
                          ? ctx.protocol.reveal(ring_operand(ctx, 0), ctx.to_rank)
                          : ctx.protocol.reveal_bits(bit_operand(ctx, 0), ctx.to_rank);
  std::vector<ValuePtr> results(1);
  if (!ctx.counting && ctx.protocol.rank() == ctx.to_rank) {
    results[0] = std::make_shared<const Value>(decode_secret(clear, ctx.operand_types[0].secret()));
  }
  return results;
}

constexpr MpcEntry kTable[] = {{"reveal", reveal, counted}, {"share", share, counted}};

}  // namespace
}  // namespace curia::mpc

namespace curia {
std::span<const MpcEntry> mpc_movement() { return mpc::kTable; }
}  // namespace curia
