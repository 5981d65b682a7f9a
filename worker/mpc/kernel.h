// What an op does on a secure device: one function an op, found in a table by the op's name. The
// names are those of the plaintext ops, see OPS.md.
//
// A kernel works through MpcProtocol only, never on the memory of a share, so that its cost can be
// counted by running it without data. Thread: any; kernels share nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "protocol/graph.h"
#include "protocol/value.h"
#include "worker/mpc/protocol.h"

namespace curia {

struct MpcContext {
  const Op& op;
  std::uint32_t number = 0;  // of the op in the graph, counted through regions in order
  std::uint32_t step = 0;    // how often this op has run in this task
  // Shares, or tensors that every member knows. For `share`: the clear tensor at the owner, null
  // elsewhere.
  std::span<const ValuePtr> operands;
  std::span<const Type> operand_types;
  const Type& result;
  int owner_rank = -1;  // share: the member that has the clear tensor
  int to_rank = -1;     // reveal: the member that gets it
  Digest instance;      // of the task run; results carry it, operands must have it
  MpcProtocol& protocol;
  const std::function<bool()>* cancelled = nullptr;  // polled once a chunk
  bool counting = false;                             // no operand has data; set by mpc_cost()
};

// Results in the order of the op's; a null pointer where this member gets nothing (reveal).
using MpcKernel = std::vector<ValuePtr> (*)(MpcContext&);

struct MpcCostContext {
  const Op& op;
  std::span<const Type> operand_types;
  const Type& result;
  int owner_rank = -1;  // share: -1 when the owner is no member; then the task moves the parts
  int to_rank = -1;     // reveal: likewise
};
using MpcCostRule = MpcCost (*)(const MpcCostContext&);

struct MpcEntry {
  std::string_view name;
  MpcKernel kernel;
  MpcCostRule cost;
};

// nullptr where secure devices have no op of that name.
const MpcEntry* find_mpc(std::string_view name);

// Every op, sorted by name.
std::span<const MpcEntry> mpc_table();

// Runs the op: checks operands (kinds, instance), begins its random streams, calls the kernel.
// Errors: kUnimplemented for an op that is not in the table; kInvalid for operands that do not fit;
// kCancelled; what the net throws.
std::vector<ValuePtr> run_mpc(MpcContext& ctx);

// What the op costs, by running its kernel without data. Errors: as run_mpc, for the types.
MpcCost mpc_cost(const MpcCostContext& ctx);

// The tables it is made of, one a file.
std::span<const MpcEntry> mpc_arithmetic();
std::span<const MpcEntry> mpc_compare();
std::span<const MpcEntry> mpc_functions();
std::span<const MpcEntry> mpc_logic();
std::span<const MpcEntry> mpc_movement();
std::span<const MpcEntry> mpc_order();
std::span<const MpcEntry> mpc_reduce();
std::span<const MpcEntry> mpc_shape();

}  // namespace curia
