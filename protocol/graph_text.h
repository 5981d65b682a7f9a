// The text form of a graph, for printing: one op a line. There is no parser for it.
//
//   graph means
//     input x = %0 : f64[150,4] @alice
//     %1 = sum(%0) @alice {axes=[0]} : f64[4] @alice   # iris_means.cc:12
//     output total = %1
//
// Thread: any.
#pragma once

#include <string>

#include "protocol/graph.h"
#include "protocol/verify.h"

namespace curia {

// With the types of all results where `verified` (of this graph) is given. A graph that is not
// verified prints as well, whatever is wrong with it.
std::string graph_to_text(const Graph& graph, const Verified* verified = nullptr);

}  // namespace curia
