// Ranges of the columns of tables.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "protocol/range_rules.h"

namespace curia::ranges {
namespace {

using Columns = std::vector<Interval>;
using Names = std::vector<std::string>;

std::vector<ValueRange> table_of(Columns columns) {
  return {ValueRange{kAnything, std::make_shared<const Columns>(std::move(columns))}};
}

// The columns of operand i by name.
class Index {
 public:
  Index(const Context& ctx, std::size_t i)
      : types_(ctx.type(i).table().columns), ranges_(*ctx.value(i).columns) {
    for (std::size_t c = 0; c < types_.size(); ++c) by_name_.emplace(types_[c].name, c);
  }
  std::size_t at(std::string_view name) const { return by_name_.at(name); }
  const Interval& range(std::string_view name) const { return ranges_[at(name)]; }
  DType dtype(std::string_view name) const { return types_[at(name)].dtype; }

 private:
  const std::vector<ColumnType>& types_;
  const Columns& ranges_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
};

std::vector<ValueRange> column(Context& ctx) {
  return one(Index(ctx, 0).range(ctx.attr<std::string>("name")));
}

std::vector<ValueRange> same_columns(Context& ctx) { return {ctx.value(0)}; }

std::vector<ValueRange> table_select(Context& ctx) {
  const Index index(ctx, 0);
  Columns found;
  for (const std::string& name : ctx.attr<Names>("columns")) found.push_back(index.range(name));
  return table_of(std::move(found));
}

std::vector<ValueRange> join(Context& ctx) {
  Columns found = *ctx.value(0).columns;
  const auto& on = ctx.attr<Names>("on");
  const std::unordered_set<std::string_view> keys(on.begin(), on.end());
  const auto& right = ctx.type(1).table().columns;
  for (std::size_t c = 0; c < right.size(); ++c) {
    if (!keys.contains(right[c].name)) found.push_back((*ctx.value(1).columns)[c]);
  }
  return table_of(std::move(found));
}

// "function:column:name" of group_by. A group has at least one row.
Interval aggregate(const Context& ctx, const Index& index, const std::string& spec, DType result) {
  const auto first = spec.find(':');
  const std::string function = spec.substr(0, first);
  const std::int64_t rows = ctx.type(0).table().rows;
  const std::string source = spec.substr(first + 1, spec.rfind(':') - first - 1);
  if (function == "count") {
    return {1,
            static_cast<double>(rows == kUnknown ? kMaxElements : std::max<std::int64_t>(1, rows))};
  }
  const Interval& x = index.range(source);
  if (function == "min" || function == "max") return x;
  const bool real = is_float(result);
  const double each = result == DType::kF32 ? 0x1p-22 : 0x1p-51;
  const double most = static_cast<double>(rows == kUnknown ? kMaxElements : rows);
  if (real && sum_may_overflow(result, x, most)) return kAnything;
  if (function == "mean") {
    if (each * (most + 1) >= 1) return kAnything;
    return widened(x, each * (most + 1) * x.size());
  }
  // From one row up to all of them.
  Interval sum = unite(x, times(x, static_cast<std::int64_t>(most)));
  if (real) sum = each * most < 1 ? widened(sum, each * most * sum.size()) : kAnything;
  return real || in_dtype(sum, result) ? sum : natural_range(result);
}

std::vector<ValueRange> group_by(Context& ctx) {
  const Index index(ctx, 0);
  Columns found;
  for (const std::string& key : ctx.attr<Names>("keys")) found.push_back(index.range(key));
  for (const std::string& spec : ctx.attr<Names>("aggs")) {
    const DType result = ctx.result().table().columns[found.size()].dtype;
    found.push_back(aggregate(ctx, index, spec, result));
  }
  return table_of(std::move(found));
}

std::vector<ValueRange> to_tensor(Context& ctx) {
  const Index index(ctx, 0);
  const DType dtype = ctx.result().tensor().dtype;
  Interval found;
  bool first = true;
  for (const std::string& name : ctx.attr<Names>("columns")) {
    const Interval cells = cast_range(index.range(name), dtype);
    found = first ? cells : unite(found, cells);
    first = false;
  }
  if (!ctx.has("pad_to")) return one(found);
  return {ValueRange{unite(found, exactly(0)), nullptr}, ValueRange{{0, 1}, nullptr}};
}

std::vector<ValueRange> with_column(Context& ctx) {
  Columns found = *ctx.value(0).columns;
  const std::string& name = ctx.attr<std::string>("name");
  const auto& types = ctx.type(0).table().columns;
  const auto same = std::ranges::find(types, name, &ColumnType::name);
  if (same == types.end()) {
    found.push_back(ctx.in(1));
  } else {
    found[static_cast<std::size_t>(same - types.begin())] = ctx.in(1);
  }
  return table_of(std::move(found));
}

std::vector<ValueRange> make_table(Context& ctx) {
  Columns found;
  for (std::size_t i = 0; i < ctx.operands(); ++i) found.push_back(ctx.in(i));
  return table_of(std::move(found));
}

// With noise.
std::vector<ValueRange> count(Context&) { return one(natural_range(DType::kI64)); }

constexpr Row kRows[] = {
    {"column", column},
    {"dp_count", count},
    {"filter", same_columns},
    {"group_by", group_by},
    {"join", join},
    {"make_table", make_table},
    {"table_select", table_select},
    {"to_tensor", to_tensor},
    {"with_column", with_column},
};

}  // namespace

std::span<const Row> table_rows() { return kRows; }

}  // namespace curia::ranges
