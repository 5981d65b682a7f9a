// The rule of labels (R1), stated once more as a graph of influences: the label of a value is the
// set of sources from which it can be reached.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "protocol/flow.h"
#include "protocol/op_table.h"

namespace curia::test {

// What influences what. Nodes are numbers; sources are named by the number of their External.
class Influences {
 public:
  // What the rule may leave out, for tests that have to notice.
  struct Without {
    bool other_operands = false;  // all but the first
    bool predicates = false;      // that govern a region
  };

  Influences(const Graph& graph, const Verified& verified, Without without) : without_(without) {
    const std::vector<External> outside = externals(graph, verified);
    for (std::size_t i = 0; i < outside.size(); ++i) {
      const int node = fresh();
      sources_.push_back(node);
      if (outside[i].kind == External::Kind::kInput) {
        values_.push_back(fresh());
        edge(node, values_.back());
      } else {
        source_of_op_[outside[i].number] = node;
      }
    }
    values_ = region(graph.ops, verified.body, values_, fresh());
  }

  std::set<std::size_t> of_value(ValueId id) const { return reaching(values_.at(id)); }
  // Of what the release of this op would show.
  std::set<std::size_t> of_release(std::uint32_t op) const { return reaching(shown_.at(op)); }
  // Of what is saved by this op.
  std::set<std::size_t> of_save(std::uint32_t op) const { return reaching(saved_.at(op)); }
  std::size_t releases() const { return shown_.size(); }

 private:
  int fresh() {
    before_.emplace_back();
    return static_cast<int>(before_.size()) - 1;
  }
  void edge(int from, int to) { before_[static_cast<std::size_t>(to)].push_back(from); }

  // The nodes of a region's values. governs: of what decides whether it runs.
  std::vector<int> region(const std::vector<Op>& ops, const TypedRegion& typed,
                          std::vector<int> values, int governs) {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const Op& op = ops[i];
      std::vector<int> results;
      for (std::int64_t r = 0; r < result_count(op); ++r) results.push_back(fresh());
      for (const int result : results) edge(governs, result);
      std::vector<int> operands;
      for (const ValueId id : op.operands) operands.push_back(values[id]);
      if (op.name == "call") {
        in_call(op, typed.ops[i], operands, results, governs);
      } else if (op.regions.empty()) {
        plain(op, typed.ops[i], operands, results, governs);
      } else {
        control(op, typed.ops[i], operands, results, governs);
      }
      values.insert(values.end(), results.begin(), results.end());
    }
    return values;
  }

  void plain(const Op& op, const TypedOp& typed, const std::vector<int>& operands,
             const std::vector<int>& results, int governs) {
    std::vector<int> from = operands;
    if (const auto source = source_of_op_.find(typed.number); source != source_of_op_.end()) {
      from.push_back(source->second);
    }
    if (without_.other_operands && from.size() > 1) from.erase(from.begin() + 1, from.end());
    for (const int result : results) {
      for (const int node : from) edge(node, result);
    }
    if (op.name == "save") {
      const int saved = saved_[typed.number] = fresh();
      edge(operands[0], saved);
      edge(governs, saved);
    }
    if (op.name != "transfer" && op.name != "share" && op.name != "reveal") return;
    const int shown = shown_[typed.number] = fresh();
    edge(operands[0], shown);
    edge(governs, shown);
  }

  void in_call(const Op& op, const TypedOp& typed, const std::vector<int>& operands,
               const std::vector<int>& results, int governs) {
    const Region& body = op.regions[0];
    const std::vector<int> values = region(body.ops, typed.regions[0], operands, governs);
    for (std::size_t k = 0; k < results.size(); ++k) edge(values[body.results[k]], results[k]);
  }

  void control(const Op& op, const TypedOp& typed, const std::vector<int>& operands,
               const std::vector<int>& results, int governs) {
    const bool branches = op.name == "cond";
    const int steers = fresh();
    const int governed = without_.predicates ? fresh() : steers;
    edge(governs, steers);
    for (const int result : results) edge(governed, result);
    if (branches) edge(operands[0], steers);
    if (op.name != "for") shown_[typed.number] = steers;
    std::vector<std::vector<int>> params;
    for (std::size_t r = 0; r < op.regions.size(); ++r) {
      const Region& inside = op.regions[r];
      params.emplace_back();
      for (std::size_t p = 0; p < inside.params.size(); ++p) {
        params[r].push_back(fresh());
        edge(operands[operands.size() - inside.params.size() + p], params[r][p]);
      }
      const std::vector<int> values = region(inside.ops, typed.regions[r], params[r], governed);
      if (op.name == "while" && r == 0) {
        edge(values[inside.results[0]], steers);
        continue;
      }
      for (std::size_t k = 0; k < inside.results.size(); ++k) {
        const int result = values[inside.results[k]];
        edge(result, results[k]);
        if (branches) continue;
        // No round at all, or one more with what this one gave.
        edge(operands[k], results[k]);
        for (const std::vector<int>& of_region : params) {
          edge(result, of_region[k]);
          edge(governed, of_region[k]);
        }
      }
    }
  }

  std::set<std::size_t> reaching(int node) const {
    std::vector<bool> seen(before_.size());
    std::vector<int> open{node};
    while (!open.empty()) {
      const auto at = static_cast<std::size_t>(open.back());
      open.pop_back();
      if (seen[at]) continue;
      seen[at] = true;
      open.insert(open.end(), before_[at].begin(), before_[at].end());
    }
    std::set<std::size_t> found;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      if (seen[static_cast<std::size_t>(sources_[i])]) found.insert(i);
    }
    return found;
  }

  const Without without_;
  std::vector<std::vector<int>> before_;
  std::vector<int> sources_;
  std::map<std::uint32_t, int> source_of_op_;
  std::map<std::uint32_t, int> shown_;
  std::map<std::uint32_t, int> saved_;
  std::vector<int> values_;
};

}  // namespace curia::test
