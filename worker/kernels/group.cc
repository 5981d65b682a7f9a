// group_by{keys, aggs}: one row a distinct key, sorted by key ascending (strings by bytes), the key
// columns first, then one column an aggregate "function:column:result". Functions: sum mean min
// max, with the dtypes and rules of the ops of those names, and count (of rows; i64).
#include <algorithm>
#include <numeric>
#include <type_traits>

#include "worker/kernels/keys.h"
#include "worker/kernels/map.h"
#include "worker/kernels/order.h"
#include "worker/kernels/reduce.h"

namespace curia {
namespace {

struct Aggregate {
  std::string function, column, result;
};

Aggregate parse(const std::string& text) {
  const std::size_t first = text.find(':');
  const std::size_t second = first == std::string::npos ? first : text.find(':', first + 1);
  if (second == std::string::npos || text.find(':', second + 1) != std::string::npos) {
    throw Error(Code::kInvalid, "aggregate \"" + text + "\": expected function:column:result");
  }
  Aggregate aggregate{text.substr(0, first), text.substr(first + 1, second - first - 1),
                      text.substr(second + 1)};
  check_column_name(aggregate.result);
  return aggregate;
}

// The number of the result row of every row.
struct Groups {
  std::span<const std::int64_t> of_row;
  std::int64_t count;
};

// Folds `values` group by group with fold(state, value), then to[g] = finish(state).
template <class State, class T, class Fold>
std::vector<State> fold(const Groups& groups, const T* values, State init, const Fold& step) {
  std::vector<State> states(static_cast<std::size_t>(groups.count), init);
  for (std::size_t row = 0; row < groups.of_row.size(); ++row) {
    step(states[static_cast<std::size_t>(groups.of_row[row])], values[row]);
  }
  return states;
}

template <class R, class State, class Finish>
Tensor finish(DType dtype, const std::vector<State>& states, const Finish& value) {
  Output out(dtype, {static_cast<std::int64_t>(states.size())});
  R* to = out.as<R>();
  for (std::size_t i = 0; i < states.size(); ++i) to[i] = static_cast<R>(value(states[i], i));
  return std::move(out).finish();
}

std::vector<std::int64_t> sizes(const Groups& groups) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(groups.count), 0);
  for (const std::int64_t g : groups.of_row) ++counts[static_cast<std::size_t>(g)];
  return counts;
}

template <class T>
std::vector<Sum> sums(const Groups& groups, const T* values) {
  return fold(groups, values, Sum{}, [](Sum& sum, T x) { sum.add(static_cast<double>(x)); });
}

Tensor sum(const Groups& groups, const Tensor& x) {
  const DType dtype = sum_dtype(x.dtype);
  return with_dtype(x.dtype, [&](auto zero) -> Tensor {
    using T = decltype(zero);
    const T* values = elements_of<T>(x);
    if constexpr (std::is_floating_point_v<T>) {
      return finish<T>(dtype, sums(groups, values), [](const Sum& s, auto) { return s.total(); });
    } else {
      return finish<std::uint64_t>(
          dtype,
          fold(groups, values, std::uint64_t{0},
               [](std::uint64_t& s, T v) { s += static_cast<std::uint64_t>(v); }),
          [](std::uint64_t s, auto) { return s; });
    }
  });
}

Tensor mean(const Groups& groups, const Tensor& x) {
  const std::vector<std::int64_t> counts = sizes(groups);
  const DType dtype = is_float(x.dtype) ? x.dtype : DType::kF64;
  return with_dtype(x.dtype, [&](auto zero) -> Tensor {
    using T = decltype(zero);
    using R = std::conditional_t<std::is_same_v<T, float>, float, double>;
    return finish<R>(dtype, sums(groups, elements_of<T>(x)), [&](const Sum& s, std::size_t i) {
      return s.total() / static_cast<double>(counts[i]);
    });
  });
}

// Every group has a first value, so there is no identity to start from.
template <bool largest>
Tensor extremum(const Groups& groups, const Tensor& x) {
  return with_dtype(x.dtype, [&](auto zero) -> Tensor {
    using T = decltype(zero);
    struct State {
      T best{};
      bool any = false;
    };
    const auto states = fold(groups, elements_of<T>(x), State{}, [](State& s, T v) {
      const bool keep = s.any && ((largest ? s.best > v : s.best < v) || s.best != s.best);
      if (!keep) s = {v, true};
    });
    return finish<T>(x.dtype, states, [](const State& s, auto) { return s.best; });
  });
}

Tensor aggregate(const Groups& groups, const Aggregate& what, const Column& column) {
  if (what.function == "count") {
    return finish<std::int64_t>(DType::kI64, sizes(groups),
                                [](std::int64_t n, std::size_t) { return n; });
  }
  const auto* x = std::get_if<Tensor>(&column.data);
  if (x == nullptr) {
    throw Error(Code::kInvalid, "aggregate \"" + what.function + "\" of column \"" + column.name +
                                    "\": expected numbers, found strings");
  }
  if (what.function == "sum") return sum(groups, *x);
  if (what.function == "mean") return mean(groups, *x);
  if (what.function == "min") return extremum<false>(groups, *x);
  if (what.function == "max") return extremum<true>(groups, *x);
  throw Error(Code::kInvalid,
              "unknown aggregate \"" + what.function + "\": expected sum, mean, min, max or count");
}

// The first rows of the groups, in the order of their keys.
std::vector<std::int64_t> sorted_groups(const KeyIndex& index,
                                        const std::vector<const Column*>& keys) {
  const auto first = index.first_row();
  std::vector<std::int64_t> order(first.size());
  const auto* only = keys.size() == 1 ? std::get_if<Tensor>(&keys[0]->data) : nullptr;
  if (only != nullptr) {
    std::vector<Keyed> rows, spare;
    with_dtype(only->dtype, [&](auto zero) {
      const auto* values = elements_of<decltype(zero)>(*only);
      for (std::size_t g = 0; g < first.size(); ++g) {
        rows.push_back({order_key(values[first[g]]), static_cast<std::int64_t>(g)});
      }
    });
    sort_stable(rows, spare);
    for (std::size_t g = 0; g < rows.size(); ++g) order[g] = rows[g].index;
    return order;
  }
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return key_less(keys, first[static_cast<std::size_t>(a)], keys,
                    first[static_cast<std::size_t>(b)]);
  });
  return order;
}

std::vector<ValuePtr> group_by(const KernelContext& ctx) {
  const Table& table = ctx.table(0);
  const auto keys = key_columns(table, ctx.strings_attr("keys"));
  std::vector<Aggregate> aggregates;
  for (const std::string& text : ctx.strings_attr("aggs")) aggregates.push_back(parse(text));

  const KeyIndex index(keys);
  ctx.poll();
  const std::vector<std::int64_t> order = sorted_groups(index, keys);
  std::vector<std::int64_t> rank(order.size()), first(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    rank[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
    first[i] = index.first_row()[static_cast<std::size_t>(order[i])];
  }
  std::vector<std::int64_t> group(index.group_of_row().begin(), index.group_of_row().end());
  for (std::int64_t& g : group) g = rank[static_cast<std::size_t>(g)];
  const Groups groups{group, index.groups()};

  Table result;
  result.rows = groups.count;
  for (const Column* key : keys) result.columns.push_back(take(ctx, *key, first));
  const std::size_t lead = result.columns.size();
  for (const Aggregate& what : aggregates) {
    for (const Column& column : result.columns) {
      if (column.name == what.result) {
        throw Error(Code::kInvalid, "column \"" + what.result + "\" is named twice");
      }
    }
    result.columns.push_back({what.result, Tensor{}});
  }
  ctx.reserve(groups.count * 8 * static_cast<std::int64_t>(aggregates.size()));
  ctx.for_chunks(static_cast<std::int64_t>(aggregates.size()), 1,
                 [&](std::int64_t i, std::int64_t) {
                   const auto at = static_cast<std::size_t>(i);
                   result.columns[lead + at].data =
                       aggregate(groups, aggregates[at], table.column(aggregates[at].column));
                 });
  return one(std::move(result));
}

constexpr KernelEntry kTable[] = {{"group_by", group_by}};

}  // namespace

std::span<const KernelEntry> group_kernels() { return kTable; }

}  // namespace curia
