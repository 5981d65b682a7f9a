#include "protocol/stability.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/op_table.h"
#include "protocol/ops.h"

namespace curia {
namespace {

// One result element of the elements at its place, computed alike wherever it stands. Not matmul:
// how it rounds a row depends on how many rows there are.
constexpr auto kElementwise = std::to_array<std::string_view>(
    {"abs", "add", "and", "cast",  "ceil",    "div",     "eq",   "exp", "floor", "ge",
     "gt",  "le",  "log", "lt",    "maximum", "minimum", "mod",  "mul", "ne",    "neg",
     "not", "or",  "pow", "round", "select",  "sigmoid", "sqrt", "sub", "tanh",  "xor"});
static_assert(std::ranges::is_sorted(kElementwise));

// What other ops do to rows, for the one who wonders why they are refused.
struct Reason {
  std::string_view op;
  std::string_view text;
};
constexpr auto kReasons = std::to_array<Reason>({
    {"call", "gives what a call made; release before it"},
    {"concat", "puts rows together, and a row may then count twice; release each part for itself"},
    {"cond", "gives what hangs on which way it went; use select"},
    {"for", "gives what a loop made; write its rounds out, or release before it"},
    {"gather", "takes rows by number, and may take one twice; filter them"},
    {"group_by", "makes one row of many; filter by each key and release the parts"},
    {"join",
     "makes a row of every pair that fits, so that one row may count often; release before "
     "it"},
    {"load", "brings an object from the store; name its dataset in this program"},
    {"matmul", "mixes rows; multiply and add columns"},
    {"reveal", "comes from a secure device; release before sharing"},
    {"transfer", "comes from another party; release it there, then move it"},
    {"while", "gives what a loop made; release before it"},
});
constexpr std::string_view kNoReason = "does not keep rows apart; release what it is made of";

// What is known of a value.
struct Rows {
  enum class Kind : std::uint8_t {
    kPublic,  // of no data at all, or released
    kRows,    // of one dataset, row by row
    kOther,
  };
  Kind kind = Kind::kOther;
  std::uint32_t source = 0;  // kRows: number of the dataset's op
  // kRows: which rows, and in which order: number of the dataset's op or of the last filter. Two
  // values of the same rows have the same number of them.
  std::uint32_t set = 0;
  // kOther: what is wrong and where; nullptr: with an input.
  const Op* broken = nullptr;
  std::string_view why;
};
using Kind = Rows::Kind;

class Analysis {
 public:
  Analysis(const Graph& graph, const TypedRegion& body) : graph_(graph), body_(body) {}

  std::map<std::uint32_t, std::uint32_t> run() {
    const Rows input{Kind::kOther, 0, 0, nullptr,
                     "may be anything; name its dataset in this program"};
    values_.assign(graph_.inputs.size(), input);
    for (std::size_t i = 0; i < graph_.ops.size(); ++i) {
      const Op& op = graph_.ops[i];
      const TypedOp& typed = body_.ops[i];
      for (const Region& region : op.regions) refuse_inside(region.ops);
      Rows result = step(op, typed);
      if (find_op(op.name)->dp) {
        check(op, values_[op.operands[0]]);
        found_[typed.number] = values_[op.operands[0]].source;
        result = {Kind::kPublic};
      } else if (result.kind == Kind::kRows && result.source != typed.number) {
        found_[typed.number] = result.source;
      }
      const std::size_t end =
          i + 1 < graph_.ops.size() ? body_.ops[i + 1].first_result : body_.types.size();
      values_.resize(end, result);
    }
    return std::move(found_);
  }

 private:
  void refuse_inside(const std::vector<Op>& ops) const {
    for (const Op& op : ops) {
      if (find_op(op.name)->dp) {
        throw Error(
            Code::kInvalid,
            "expected outside of branches, whose predicate would say more than the release, "
            "of loops, and of calls; compute in them with what was released")
            .at_op(op.name, graph_.site_of(op));
      }
      for (const Region& region : op.regions) refuse_inside(region.ops);
    }
  }

  void check(const Op& op, const Rows& rows) const {
    if (rows.kind == Kind::kRows) return;
    std::string text = "expected rows that each come from one row of a dataset at " + op.device;
    if (rows.kind == Kind::kPublic) {
      text += "; this operand comes from no dataset";
    } else if (rows.broken == nullptr) {
      text += ", but an input of the program " + std::string(rows.why);
    } else {
      const Site site = graph_.site_of(*rows.broken);
      text += ", but " + rows.broken->name;
      if (!site.file.empty()) text += " (" + site.str() + ")";
      text += " " + std::string(rows.why);
    }
    throw Error(Code::kInvalid, text).at_op(op.name, graph_.site_of(op));
  }

  static Rows broken(const Op& op, std::string_view why) { return {Kind::kOther, 0, 0, &op, why}; }
  static Rows broken(const Op& op) {
    const auto reason = std::ranges::find(kReasons, op.name, &Reason::op);
    return broken(op, reason == kReasons.end() ? kNoReason : reason->text);
  }

  const Type& type(ValueId id) const { return body_.types[id]; }
  const Shape& shape(ValueId id) const { return type(id).tensor().shape; }
  const Rows& in(const Op& op, std::size_t i) const { return values_[op.operands[i]]; }

  Rows step(const Op& op, const TypedOp& typed) const {
    if (op.name == "dataset") {
      const Type& rows = type(typed.first_result);
      if (rows.is_tensor() && rows.tensor().shape.empty()) {
        return broken(op, "has no rows, it is a single number");
      }
      if (rows.is_tensor() && std::ranges::count(rows.tensor().shape, kUnknown) >
                                  (rows.tensor().shape[0] == kUnknown ? 1 : 0)) {
        return broken(op, "does not say how many columns it has; give its type as it is declared");
      }
      return {Kind::kRows, typed.number, typed.number, nullptr, ""};
    }
    if (op.name == "load" || !op.regions.empty()) return broken(op);
    for (const ValueId id : op.operands) {
      if (values_[id].kind == Kind::kOther) return values_[id];
    }
    const auto is_public = [&](ValueId id) { return values_[id].kind == Kind::kPublic; };
    if (std::ranges::all_of(op.operands, is_public)) return {Kind::kPublic, 0, 0, nullptr, ""};
    if (std::ranges::binary_search(kElementwise, op.name)) return elementwise(op, typed);
    if (op.name == "column" || op.name == "table_select") return in(op, 0);
    if (op.name == "with_column" || op.name == "make_table") return beside(op);
    if (op.name == "filter") return filter(op, typed);
    if (op.name == "to_tensor") {
      if (!op.attrs.contains("pad_to")) return in(op, 0);
      return broken(op, "leaves out rows beyond pad_to; leave pad_to out");
    }
    if (op.name == "slice" || op.name == "transpose" || op.name == "reshape" ||
        op.name == "broadcast") {
      return shaped(op, typed);
    }
    return broken(op);
  }

  // All operands that are not public are of the same rows; else what is wrong.
  Rows same_rows(const Op& op) const {
    Rows found{Kind::kPublic, 0, 0, nullptr, ""};
    for (const ValueId id : op.operands) {
      const Rows& rows = values_[id];
      if (rows.kind == Kind::kPublic) continue;
      if (found.kind == Kind::kRows && (rows.source != found.source || rows.set != found.set)) {
        return broken(op,
                      "takes rows of two datasets or of two filters; filter one table once, then "
                      "take its columns");
      }
      found = rows;
    }
    return found;
  }

  Rows elementwise(const Op& op, const TypedOp& typed) const {
    const std::size_t rank = shape(typed.first_result).size();
    for (const ValueId id : op.operands) {
      const Shape& extents = shape(id);
      const bool spread = extents.size() < rank || extents[0] == 1;
      if (values_[id].kind == Kind::kPublic && !spread) {
        return broken(op, "brings an element of its own for each row; give one for all of them");
      }
      if (values_[id].kind == Kind::kRows && extents.size() != rank) {
        return broken(op, "meets rows with columns; give both as many dimensions");
      }
    }
    return same_rows(op);
  }

  Rows beside(const Op& op) const {
    for (const ValueId id : op.operands) {
      if (values_[id].kind == Kind::kPublic) {
        return broken(op, "brings an element of its own for each row; compute it of a column");
      }
    }
    return same_rows(op);
  }

  Rows filter(const Op& op, const TypedOp& typed) const {
    Rows rows = beside(op);
    if (rows.kind != Kind::kRows) return rows;
    const auto& columns = type(op.operands[0]).table().columns;
    if (std::ranges::find(columns, DType::kString, &ColumnType::dtype) != columns.end()) {
      return broken(op,
                    "would copy texts, whose size nobody may learn; table_select the columns of "
                    "numbers first");
    }
    rows.set = typed.number;
    return rows;
  }

  // Whether dimension 0 stays what it is.
  Rows shaped(const Op& op, const TypedOp& typed) const {
    const Shape& from = shape(op.operands[0]);
    const Shape& to = shape(typed.first_result);
    const auto first = [&](const char* key, std::int64_t otherwise) {
      const auto found = op.attrs.find(key);
      return found == op.attrs.end() ? otherwise
                                     : std::get<std::vector<std::int64_t>>(found->second)[0];
    };
    constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
    bool kept = !to.empty() && to[0] == from[0];
    if (op.name == "slice") {
      kept = first("starts", 0) == 0 && first("steps", 1) == 1 &&
             (first("ends", 0) == kEnd || (from[0] != kUnknown && first("ends", 0) >= from[0]));
    } else if (op.name == "transpose") {
      kept = first("perm", std::ssize(from) - 1) == 0;
    } else if (op.name == "broadcast") {
      kept = kept && to.size() == from.size();
    }
    return kept ? in(op, 0) : broken(op);
  }

  const Graph& graph_;
  const TypedRegion& body_;
  std::vector<Rows> values_;
  std::map<std::uint32_t, std::uint32_t> found_;
};

bool has_dp(const std::vector<Op>& ops) {
  return std::ranges::any_of(ops, [](const Op& op) {
    return find_op(op.name)->dp ||
           std::ranges::any_of(op.regions, [](const Region& region) { return has_dp(region.ops); });
  });
}

}  // namespace

std::map<std::uint32_t, std::uint32_t> row_wise_ops(const Graph& graph, const TypedRegion& body) {
  if (!has_dp(graph.ops)) return {};
  return Analysis(graph, body).run();
}

}  // namespace curia
