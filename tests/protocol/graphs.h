// Graphs for tests: a small builder, and random ones.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "protocol/graph.h"
#include "protocol/op_table.h"

namespace curia::test {

// Collects ops of a graph or region and hands out value numbers. The line of the n-th op is n.
class Ops {
 public:
  explicit Ops(std::size_t values = 0) : next_(static_cast<ValueId>(values)) {}

  // The number of the op's first result.
  ValueId add(std::string name, std::string device, std::vector<ValueId> operands = {},
              std::map<std::string, Attr> attrs = {}, std::vector<Region> regions = {}) {
    Op op{std::move(name),  std::move(device),  std::move(operands),
          std::move(attrs), std::move(regions), static_cast<std::uint32_t>(list.size() + 1)};
    const ValueId first = next_;
    next_ += static_cast<ValueId>(result_count(op));
    list.push_back(std::move(op));
    return first;
  }

  std::vector<Op> list;

 private:
  ValueId next_;
};

inline Type type(const char* text) { return parse_type(text); }
inline std::vector<std::int64_t> ints(std::vector<std::int64_t> list) { return list; }
inline std::vector<std::string> strings(std::vector<std::string> list) { return list; }

// A graph of these ops, with a call site for each: op n of any region is line n of plan.cc.
inline Graph graph_of(std::vector<GraphInput> inputs, std::vector<Op> ops,
                      std::vector<GraphOutput> outputs = {}) {
  Graph graph{"plan", std::move(inputs), std::move(ops), std::move(outputs), {}};
  for (std::int32_t line = 1; line <= 40; ++line) graph.sites.push_back({"src/plan.cc", line});
  return graph;
}

using Random = std::mt19937_64;

// One that verify() accepts, with most ops of the table and nested regions.
Graph random_graph(Random& random);
// An op of that name on any of the values, with attributes of the right kinds; no regions.
// verify() may well refuse it.
Op random_op(Random& random, const OpSpec& spec, const std::vector<Type>& values);
// Any tree of the data structure, mostly nonsense, but one that has a byte form.
Graph wild_graph(Random& random);

}  // namespace curia::test
