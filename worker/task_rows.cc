// Ops between a dataset and a release with differential privacy (protocol/stability.h).
//
// Whether such an op succeeds, and what it counts in any quota, must not depend on rows: the
// release would tell of it without noise. So it takes as much memory as if no row had been left
// out, in the account whose sizes everybody knows, and a failure is one of the run.
#include "protocol/op_table.h"
#include "worker/kernels/kernel.h"
#include "worker/task.h"

namespace curia {
namespace {

// Bytes of a value of this type with `rows` rows at most. Texts have no size here: what holds them
// shares the dataset's.
std::int64_t most_bytes(Type type, std::int64_t rows) {
  if (type.is_tensor()) {
    TensorType tensor = type.tensor();
    tensor.shape[0] = rows;
    return byte_count(tensor);
  }
  std::int64_t bytes = 0;
  for (const ColumnType& column : type.table().columns) bytes += rows * dtype_bytes(column.dtype);
  return bytes;
}

std::int64_t rows_of(const Value& value) {
  return value.is_table() ? value.table().rows : value.tensor().shape.at(0);
}

bool knows_rows(const Type& type) {
  return (type.is_table() ? type.table().rows : type.tensor().shape.at(0)) != kUnknown;
}

}  // namespace

Task::Values Task::compute_rows(const Op& op, const TypedRegion& around, const TypedOp& typed,
                                const Values& values, std::uint32_t source) {
  Values operands;
  for (const ValueId operand : op.operands) operands.push_back(values[operand]);
  const Type& result = around.types[typed.first_result];
  const bool release = find_op(op.name)->dp;
  std::shared_ptr<const void> charge;
  if (!release && !knows_rows(result)) {
    charge = parts_.store->backend("mem").hold(Account::open_of({info_.driver, info_.session}),
                                               most_bytes(result, rows_of(*sources_.at(source))));
  }
  KernelContext context{op, operands, parts_.pool, &cancelled_};
  context.public_rows = release && knows_rows(around.types[op.operands[0]]);
  Values results = (*find_kernel(op.name))(context);
  if (charge != nullptr) results[0] = with_charge(results[0], charge);
  return results;
}

}  // namespace curia
