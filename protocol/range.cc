#include "protocol/range.h"

#include <algorithm>
#include <set>
#include <utility>

#include "protocol/calls.h"
#include "protocol/ops.h"
#include "protocol/range_rules.h"

namespace curia {
namespace ranges {

Rule find_rule(std::string_view op, bool secret) {
  static const auto sorted = [](std::initializer_list<std::span<const Row>> families) {
    std::vector<Row> rows;
    for (const auto family : families) rows.insert(rows.end(), family.begin(), family.end());
    std::ranges::sort(rows, {}, &Row::name);
    return rows;
  };
  static const std::vector<Row> plain = sorted({plain_rows(), table_rows()});
  static const std::vector<Row> secrets = sorted({secret_rows()});
  const std::vector<Row>& rows = secret ? secrets : plain;
  const auto it = std::ranges::lower_bound(rows, op, {}, &Row::name);
  return it == rows.end() || it->name != op ? nullptr : it->rule;
}

ValueRange of_type(const Type& type, const Ranges& declared) {
  if (type.is_tensor()) return {declared_range(declared, "", type.tensor().dtype), nullptr};
  if (type.is_secret()) {
    const bool bits = type.secret().kind == SecretKind::kBool;
    const auto range = declared.find("");
    if (bits || range == declared.end()) return {bits ? Interval{0, 1} : Interval{}, nullptr};
    return {range->second, nullptr};
  }
  auto columns = std::make_shared<std::vector<Interval>>();
  for (const ColumnType& column : type.table().columns) {
    columns->push_back(declared_range(declared, column.name, column.dtype));
  }
  return {kAnything, std::move(columns)};
}

}  // namespace ranges

namespace {

using ranges::Context;
using Values = std::vector<ValueRange>;

// Rounds of a loop whose bounds may still move before they are given up, and before all are.
constexpr int kPatientRounds = 3;
constexpr int kLastRounds = 12;

bool same(const ValueRange& a, const ValueRange& b) {
  if (a.columns == nullptr) return a.all == b.all;
  return a.columns == b.columns || *a.columns == *b.columns;
}

// Of each cell of two values of one type.
template <class F>
ValueRange both(const ValueRange& a, const ValueRange& b, F&& f) {
  if (a.columns == nullptr) return {f(a.all, b.all), nullptr};
  if (a.columns == b.columns) return a;
  auto columns = std::make_shared<std::vector<Interval>>();
  for (std::size_t i = 0; i < a.columns->size(); ++i) {
    columns->push_back(f((*a.columns)[i], (*b.columns)[i]));
  }
  return {kAnything, std::move(columns)};
}

ValueRange unite_values(const ValueRange& a, const ValueRange& b) { return both(a, b, unite); }

// A bound that has moved is given up.
Interval widen(const Interval& before, const Interval& after) {
  return {after.low < before.low ? kAnything.low : before.low,
          after.high > before.high ? kAnything.high : before.high, before.nan || after.nan};
}

// Values that are handed on take their time as well.
std::int64_t work_of(std::size_t values) { return 1 + static_cast<std::int64_t>(values) / 16; }

std::int64_t work_of(const Type& type) {
  return type.is_table() ? std::ssize(type.table().columns) / 16 : 0;
}

// Each counts for itself, so that many unknown ranges leave room for what is accepted or refused.
enum NoteKind { kUnknownRange, kAccepted, kRefused };

class Analysis {
 public:
  Analysis(const Graph& graph, const Verified& verified) : graph_(graph), verified_(verified) {}

  RangeAnalysis run() {
    out_.results.resize(static_cast<std::size_t>(verified_.ops));
    Values inputs;
    for (const GraphInput& input : graph_.inputs) {
      inputs.push_back(ranges::of_type(input.type, input.ranges));
    }
    const Values values = region(graph_.ops, verified_.body, std::move(inputs), {0, 0});
    for (const GraphOutput& output : graph_.outputs) out_.outputs.push_back(values[output.value]);
    std::ranges::stable_sort(out_.notes, {}, &RangeNote::op);
    return std::move(out_);
  }

 private:
  Values region(const std::vector<Op>& ops, const TypedRegion& typed, Values values,
                const Interval& index) {
    work_ += work_of(values.size());
    for (std::size_t i = 0; i < ops.size(); ++i) {
      Values results = step(ops[i], typed, typed.ops[i], values, index);
      note_results(typed.ops[i].number, results);
      std::ranges::move(results, std::back_inserter(values));
    }
    return values;
  }

  Values region_of(const Op& op, const TypedOp& typed, std::size_t r, Values params,
                   const Interval& index) {
    const Region& inner = op.regions[r];
    const Values values = region(inner.ops, typed.regions[r], std::move(params), index);
    work_ += work_of(inner.results.size());
    Values results;
    for (const ValueId id : inner.results) results.push_back(values[id]);
    return results;
  }

  Values step(const Op& op, const TypedRegion& around, const TypedOp& typed, const Values& values,
              const Interval& index) {
    work_ += work_of(op.operands.size());
    if (op.name == "cond") return cond(op, typed, values, index);
    if (op.name == "for") return for_loop(op, typed, values);
    if (op.name == "while") return while_loop(op, typed, values, index);
    if (is_call(op)) return region_of(op, typed, 0, operands(op, values), index);
    bool secret = op.name == "share";
    for (const ValueId id : op.operands) {
      secret = secret || around.types[id].is_secret();
      work_ += work_of(around.types[id]);
    }
    if (const auto value = op.attrs.find("value"); value != op.attrs.end()) {
      work_ += std::get<Tensor>(value->second).data.size / 1024;
    }
    const ranges::Rule rule = ranges::find_rule(op.name, secret);
    expect(rule != nullptr, "op " + op.name + " has no rule for ranges");
    Context context(op, around, typed, values, index, counts_[kUnknownRange] < kMaxRangeNotes);
    Values results = rule(context);
    note(op, typed, context);
    return results;
  }

  Values cond(const Op& op, const TypedOp& typed, const Values& values, const Interval& index) {
    Values params;
    for (std::size_t i = 1; i < op.operands.size(); ++i) params.push_back(values[op.operands[i]]);
    Values results = region_of(op, typed, 0, params, index);
    const Values otherwise = region_of(op, typed, 1, std::move(params), index);
    for (std::size_t i = 0; i < results.size(); ++i) {
      results[i] = unite_values(results[i], otherwise[i]);
    }
    return results;
  }

  static Values operands(const Op& op, const Values& values) {
    Values found;
    for (const ValueId id : op.operands) found.push_back(values[id]);
    return found;
  }

  bool patient(std::int64_t round) const { return round < kExactRounds && work_ < kMaxRangeWork; }

  Values for_loop(const Op& op, const TypedOp& typed, const Values& values) {
    const std::int64_t count = std::get<std::int64_t>(op.attrs.at("count"));
    const auto carried = static_cast<std::size_t>(std::get<std::int64_t>(op.attrs.at("carried")));
    Values state = operands(op, values);
    std::int64_t round = 0;
    const bool exact = count <= kExactRounds;
    for (; exact && round < count && patient(round); ++round) {
      std::ranges::move(region_of(op, typed, 0, state, exactly(static_cast<double>(round))),
                        state.begin());
    }
    if (round < count) {
      const Interval rest{static_cast<double>(round), static_cast<double>(count - 1)};
      state = settled(std::move(state), typed, carried,
                      [&](const Values& now) { return region_of(op, typed, 0, now, rest); });
    }
    state.resize(carried);
    return state;
  }

  // It may stop before each round.
  Values while_loop(const Op& op, const TypedOp& typed, const Values& values,
                    const Interval& index) {
    const std::int64_t limit = std::get<std::int64_t>(op.attrs.at("limit"));
    const auto carried = static_cast<std::size_t>(std::get<std::int64_t>(op.attrs.at("carried")));
    const auto turn = [&](const Values& now) {
      region_of(op, typed, 0, now, index);
      return region_of(op, typed, 1, now, index);
    };
    Values state = operands(op, values), all = state;
    std::int64_t round = 0;
    const bool exact = limit <= kExactRounds;
    for (; exact && round < limit && patient(round); ++round) {
      std::ranges::move(turn(state), state.begin());
      for (std::size_t i = 0; i < carried; ++i) all[i] = unite_values(all[i], state[i]);
    }
    if (round < limit) all = settled(std::move(all), typed, carried, turn);
    all.resize(carried);
    return all;
  }

  // What holds the state before and after any number of rounds. Ends, and in one round where too
  // much work has been done, since loops stand in loops: whatever a round gives is what its type
  // allows.
  template <class Turn>
  Values settled(Values state, const TypedOp& typed, std::size_t carried, Turn&& turn) {
    for (int round = 0;; ++round) {
      const bool give_up = round >= kLastRounds || work_ >= kMaxRangeWork;
      for (std::size_t i = 0; give_up && i < carried; ++i) {
        state[i] = ranges::of_type(typed.regions.back().types[i]);
      }
      const Values next = turn(state);
      bool moved = false;
      for (std::size_t i = 0; !give_up && i < carried; ++i) {
        const ValueRange wide = unite_values(state[i], next[i]);
        if (same(wide, state[i])) continue;
        moved = true;
        state[i] = round < kPatientRounds ? wide : both(state[i], wide, widen);
      }
      if (!moved) return state;
    }
  }

  void note_results(std::uint32_t number, const Values& results) {
    Values& known = out_.results[number];
    if (known.empty()) {
      known = results;
      return;
    }
    for (std::size_t i = 0; i < known.size(); ++i) known[i] = unite_values(known[i], results[i]);
  }

  // Of an op in a loop the first note of each kind.
  void note(const Op& op, const TypedOp& typed, const Context& context) {
    if (context.quiet()) return;
    work_ += 8;  // texts were made, in each round
    const bool accepted = op.attrs.contains("overflow");
    for (const std::string& text : context.impossible) add(op, typed, text, true, true);
    for (const std::string& text : context.refusals) add(op, typed, text, !accepted, true);
    for (const std::string& text : context.unknowns) add(op, typed, text, false, false);
  }

  void add(const Op& op, const TypedOp& typed, const std::string& text, bool refused, bool known) {
    const int kind = refused ? kRefused : known ? kAccepted : kUnknownRange;
    if (!noted_.emplace(typed.number, kind).second) return;
    if (counts_[kind] >= kMaxRangeNotes) return;
    ++counts_[kind];
    out_.notes.push_back({typed.number, op.name, graph_.site_of(op), text, known, refused});
  }

  const Graph& graph_;
  const Verified& verified_;
  RangeAnalysis out_;
  std::int64_t counts_[3] = {};  // of notes, by kind
  std::set<std::pair<std::uint32_t, int>> noted_;
  std::int64_t work_ = 0;
};

}  // namespace

void check_taken_ranges(const Ranges& ranges, const Type& type) {
  check_ranges(ranges, type);
  if (!may_be_copied(ranges, type)) return;
  const bool known =
      type.is_table() ? type.table().rows != kUnknown : byte_count(type.tensor()) != kUnknown;
  if (!known) {
    ops::refuse("expected a known number of rows where a range is given, found " +
                ops::brief(type) + "; leave the range out, and use minimum and maximum");
  }
}

RangeAnalysis analyze_ranges(const Graph& graph, const Verified& verified) {
  return Analysis(graph, verified).run();
}

}  // namespace curia
