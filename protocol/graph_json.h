// The JSON form of a graph, for people and `curia run`: values have names instead of numbers.
//
//   {"name": "means",
//    "inputs": [{"name": "x", "type": "f64[150,4] @alice"}],
//    "ops": [{"op": "sum", "at": "alice", "in": ["x"], "out": ["s"], "axes": [0]},
//            {"op": "transfer", "at": "bob", "in": ["s"], "out": ["total"]}],
//    "outputs": {"total": "total"}}
//
// A range (of a dataset, load or input) is [low, high], of a table also {"column": [low, high]}.
// Attributes stand beside the fields op, at, in, out and site ("file:line", optional). A constant's
// value is {"type": "f64[2]", "data": [1, 2.5]}, flat and row-major, with "nan", "inf", "-inf" for
// what JSON has no number for and "nan:<16 or 8 hex digits>" for other NaNs. A control op has one
// more field for each region (cond: then, else; while: test, body; for: body):
//   {"params": [{"name": "s", "type": "f64[] @alice"}], "ops": [...], "results": ["s"]}
// Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "protocol/graph.h"

namespace curia {

inline constexpr std::int64_t kMaxJsonBytes = 4 << 20;
inline constexpr std::int64_t kMaxJsonDepth = 64;
inline constexpr std::int64_t kMaxJsonFields = 1024;  // of one object

// Results are called as the output they are, else v<number>.
// Errors: kInvalid where a name or attribute has no JSON form, or a value is not defined.
std::string graph_to_json(const Graph& graph);

// Errors: kInvalid, with the place ("ops[3].in[0]") and what was expected there.
Graph graph_from_json(std::string_view json);

}  // namespace curia
