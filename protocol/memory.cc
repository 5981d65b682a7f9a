#include "protocol/memory.h"

#include <algorithm>
#include <string_view>

namespace curia {
namespace {

// Whether the memory of an operand may be needed after its last use: a value that is sent waits for
// the peer to acknowledge it, and a part of a value keeps the whole.
bool keeps_operands(std::string_view op) {
  return op == "transfer" || op == "share" || op == "reveal" || op == "slice" || op == "column" ||
         op == "table_select" || op == "with_column";
}

}  // namespace

std::int64_t held_bytes(const Type& type) {
  if (type.is_tensor()) return std::max<std::int64_t>(byte_count(type.tensor()), 0);
  if (type.is_secret()) return 2 * part_bytes(type.secret());
  std::int64_t row = 0;
  for (const ColumnType& column : type.table().columns) {
    row += column.dtype == DType::kString ? 8 : dtype_bytes(column.dtype);  // offsets only
  }
  return std::max<std::int64_t>(type.table().rows, 0) * row;
}

std::int64_t type_bytes(const Type& type) {
  std::int64_t bytes = static_cast<std::int64_t>(sizeof(Type) + type.device.size());
  if (type.is_tensor()) return bytes + static_cast<std::int64_t>(type.tensor().shape.size()) * 8;
  if (type.is_secret()) return bytes + std::ssize(type.secret().shape) * 8;
  for (const ColumnType& column : type.table().columns) {
    bytes += static_cast<std::int64_t>(sizeof(ColumnType) + column.name.size());
  }
  return bytes;
}

Lives lives_of(const std::vector<Op>& ops, const std::vector<ValueId>& results) {
  Lives lives;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const std::vector<ValueId>& operands = ops[i].operands;
    for (const ValueId id : operands) lives.last_use[id] = i;
    if (keeps_operands(ops[i].name)) lives.kept.insert(operands.begin(), operands.end());
    for (const Region& region : ops[i].regions) {
      // What is kept inside is kept outside, where it comes from.
      for (const ValueId id : lives_of(region.ops, region.results).kept) {
        if (id >= region.params.size() || operands.size() < region.params.size()) continue;
        lives.kept.insert(operands[operands.size() - region.params.size() + id]);
      }
    }
  }
  lives.kept.insert(results.begin(), results.end());
  return lives;
}

}  // namespace curia
