#include "worker/mpc/kernel.h"

#include <algorithm>
#include <string>

#include "worker/mpc/counting.h"

namespace curia {
namespace {

std::vector<MpcEntry> all_entries() {
  std::vector<MpcEntry> all;
  for (const auto table : {mpc_arithmetic(), mpc_compare(), mpc_functions(), mpc_logic(),
                           mpc_movement(), mpc_order(), mpc_reduce(), mpc_shape()}) {
    all.insert(all.end(), table.begin(), table.end());
  }
  std::sort(all.begin(), all.end(),
            [](const MpcEntry& a, const MpcEntry& b) { return a.name < b.name; });
  return all;
}

const MpcEntry& entry_of(const Op& op) {
  const MpcEntry* entry = find_mpc(op.name);
  if (entry == nullptr) {
    throw Error(Code::kUnimplemented, "secure devices have no op " + op.name +
                                          "; reveal its operands, if their owners agree");
  }
  return *entry;
}

void check_operand(const MpcContext& ctx, std::size_t i) {
  const Type& type = ctx.operand_types[i];
  if (ctx.operands[i] == nullptr) {
    expect(ctx.op.name == "share", "an operand is missing");
    return;
  }
  const Value& value = *ctx.operands[i];
  if (!type.is_secret()) {
    const TensorType found = value.tensor().type();
    if (found == type.tensor()) return;
    throw Error(Code::kInvalid, "expected operand " + std::to_string(i) + " to be " +
                                    type_text(type.tensor()) + ", found " + type_text(found));
  }
  const Share& share = value.share();
  if (share.type != type.secret()) {
    throw Error(Code::kInvalid, "expected operand " + std::to_string(i) + " to be " +
                                    type_text(type.secret()) + ", found " + type_text(share.type));
  }
  expect(share.instance == ctx.instance,
         "operand " + std::to_string(i) +
             " is a share of another run of a task; shares of different runs never meet");
  if (share.first.size != part_bytes(share.type) || share.second.size != share.first.size) {
    throw Error(Code::kCorrupt, "operand " + std::to_string(i) + " does not have the bytes of " +
                                    type_text(share.type));
  }
}

}  // namespace

std::span<const MpcEntry> mpc_table() {
  static const std::vector<MpcEntry> table = all_entries();
  return table;
}

const MpcEntry* find_mpc(std::string_view name) {
  const auto table = mpc_table();
  const auto found = std::lower_bound(
      table.begin(), table.end(), name,
      [](const MpcEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  return found != table.end() && found->name == name ? &*found : nullptr;
}

std::vector<ValuePtr> run_mpc(MpcContext& ctx) {
  const MpcEntry& entry = entry_of(ctx.op);
  expect(ctx.operands.size() == ctx.operand_types.size(), "operands and their types differ");
  for (std::size_t i = 0; i < ctx.operands.size(); ++i) check_operand(ctx, i);
  ctx.protocol.begin(ctx.number, ctx.step, ctx.cancelled);
  return entry.kernel(ctx);
}

MpcCost mpc_cost(const MpcCostContext& cost) {
  mpc::Counting counting;
  MpcContext ctx{.op = cost.op,
                 .operands = {},
                 .operand_types = cost.operand_types,
                 .result = cost.result,
                 .owner_rank = cost.owner_rank,
                 .to_rank = cost.to_rank,
                 .instance = {},
                 .protocol = counting,
                 .counting = true};
  entry_of(cost.op).kernel(ctx);
  return counting.cost();
}

}  // namespace curia
