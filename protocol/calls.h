// `call`: parts of a program that run after all the rest of it, one after the other. What the
// program gave before is stored, and can be fetched, before the first of them begins; what fails in
// one of them takes nothing of it back. Every party runs them in the program's order, between this
// run and the driver's next, so calls and runs cannot wait for each other in a circle (decision
// 0019).
//
// And aliases: outputs that are other names of what came in.
// Thread: any.
#pragma once

#include <cstddef>
#include <optional>

#include "protocol/graph.h"
#include "protocol/verify.h"

namespace curia {

bool is_call(const Op& op);

// Errors: kInvalid, with the op, where a call stands in a region or before an op that is none, and
// where a result of one is used by anything but another call.
void check_calls(const Graph& graph);

// How many parts a graph has: one, and one for each call.
std::size_t part_count(const Graph& graph);
// The ops of a part, from the first up to before the last. Part 0 are those before all calls.
struct PartOps {
  std::size_t first = 0;
  std::size_t last = 0;
};
PartOps ops_of_part(const Graph& graph, std::size_t part);
// The part that gives a value of the graph.
std::size_t part_of(const Graph& graph, const Verified& verified, ValueId value);

// The input that an output is another name of: it hands on what came in, be it through calls, as
// it is. Label, lineage and releases are then those of the input's object.
std::optional<ValueId> aliased_input(const Graph& graph, const Verified& verified,
                                     const GraphOutput& output);

}  // namespace curia
