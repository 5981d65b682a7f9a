// The works of `./dev bench mpc`: each a program on secrets that three workers hold already.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/benches.h"
#include "driver/program.h"
#include "protocol/value.h"

namespace curia::bench {

struct MpcWork {
  std::string name;                // mul_1e6
  std::vector<Tensor> operands{};  // at alice, shared before the clock starts
  // From the secrets of the operands to what is measured.
  std::function<Array(const Arrays& secrets)> body{};
  std::function<double()> arithmetic{};  // seconds of one member, at the bare loops' rate
  double elements = 1;                   // products, bits, comparisons, cells of the result
  double repeats = 1;                    // the figure is for one of them
  double goal = 0;                       // seconds; 0: none for this size
  double goal_mib = 0;                   // of a worker's peak; 0: none
};

// Sizes by kind: mul, and, lt, fixed_mul (elements), matmul (n of n x n), mul_round and logreg_step
// (how many in a row). Kinds that are left out have the sizes of the published figures. A work is
// made when it is called for, so that only one work's operands are in memory.
// Errors: kInvalid: a kind that there is not, or a size out of its range.
std::vector<std::function<MpcWork()>> mpc_works(const MpcSizes& sizes);

// The size of a kind that has one only. Errors: as mpc_works().
std::int64_t one_size(const MpcSizes& sizes, const std::string& kind, std::int64_t otherwise);

}  // namespace curia::bench
