// join{on}: the rows of both tables that agree in the key columns. Rows come in the left table's
// order, within one left row in the right table's order; columns are the left table's, then the
// right table's but for the keys.
#include <algorithm>

#include "worker/kernels/keys.h"

namespace curia {
namespace {

void check_names(const Table& left, const Table& right, const std::vector<std::string>& on) {
  for (const Column& column : right.columns) {
    if (std::find(on.begin(), on.end(), column.name) != on.end()) continue;
    for (const Column& other : left.columns) {
      if (other.name == column.name) {
        throw Error(Code::kInvalid, "both tables have a column \"" + column.name +
                                        "\" that is not a key: select or rename first");
      }
    }
  }
}

struct Pairs {
  std::vector<std::int64_t> left, right;
};

Pairs match(const KernelContext& ctx, const std::vector<const Column*>& left,
            const std::vector<const Column*>& right) {
  const KeyIndex index(right);
  // Right rows by key, each key's rows in their order.
  const auto group = index.group_of_row();
  std::vector<std::int64_t> start(static_cast<std::size_t>(index.groups()) + 1, 0);
  for (const std::int64_t g : group) ++start[static_cast<std::size_t>(g) + 1];
  for (std::size_t g = 1; g < start.size(); ++g) start[g] += start[g - 1];
  std::vector<std::int64_t> sorted(group.size());
  std::vector<std::int64_t> next(start.begin(), start.end() - 1);
  for (std::size_t row = 0; row < group.size(); ++row) {
    sorted[static_cast<std::size_t>(next[static_cast<std::size_t>(group[row])]++)] =
        static_cast<std::int64_t>(row);
  }

  // Count before allocating: equal keys multiply.
  const std::vector<std::uint64_t> hashes = index.hash_rows(left);
  std::vector<std::int64_t> found(hashes.size());
  ctx.for_chunks(static_cast<std::int64_t>(found.size()), 1 << 14,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t row = begin; row < end; ++row) {
                     found[static_cast<std::size_t>(row)] =
                         index.find(left, row, hashes[static_cast<std::size_t>(row)]);
                   }
                 });
  std::int64_t rows = 0;
  for (const std::int64_t g : found) {
    if (g < 0) continue;
    rows += start[static_cast<std::size_t>(g) + 1] - start[static_cast<std::size_t>(g)];
    if (rows > kMaxJoinRows) {
      throw Error(Code::kQuota, "a join gives more than " + std::to_string(kMaxJoinRows) +
                                    " rows: make the keys of one table distinct first");
    }
  }
  Pairs pairs;
  ctx.reserve(rows * 16);
  pairs.left.reserve(static_cast<std::size_t>(rows));
  pairs.right.reserve(static_cast<std::size_t>(rows));
  for (std::size_t row = 0; row < found.size(); ++row) {
    if (found[row] < 0) continue;
    const auto g = static_cast<std::size_t>(found[row]);
    for (std::int64_t i = start[g]; i < start[g + 1]; ++i) {
      pairs.left.push_back(static_cast<std::int64_t>(row));
      pairs.right.push_back(sorted[static_cast<std::size_t>(i)]);
    }
    if (row % (1 << 14) == 0) ctx.poll();
  }
  return pairs;
}

std::vector<ValuePtr> join(const KernelContext& ctx) {
  const Table& left = ctx.table(0);
  const Table& right = ctx.table(1);
  const auto& on = ctx.strings_attr("on");
  const auto left_keys = key_columns(left, on);
  const auto right_keys = key_columns(right, on);
  for (std::size_t i = 0; i < on.size(); ++i) {
    if (left_keys[i]->dtype() != right_keys[i]->dtype()) {
      throw Error(Code::kInvalid, "key column \"" + on[i] + "\" is " +
                                      std::string(dtype_name(left_keys[i]->dtype())) +
                                      " on the left and " +
                                      std::string(dtype_name(right_keys[i]->dtype())) +
                                      " on the right: cast one of them");
    }
  }
  check_names(left, right, on);
  const Pairs pairs = match(ctx, left_keys, right_keys);
  Table result = take(ctx, left, pairs.left);
  for (const Column& column : right.columns) {
    if (std::find(on.begin(), on.end(), column.name) == on.end()) {
      result.columns.push_back(take(ctx, column, pairs.right));
    }
  }
  return one(std::move(result));
}

constexpr KernelEntry kTable[] = {{"join", join}};

}  // namespace

std::span<const KernelEntry> join_kernels() { return kTable; }

}  // namespace curia
