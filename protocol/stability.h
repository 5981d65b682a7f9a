// Which values of a program are made row by row of one dataset: that is what the dp_ ops take.
//
// Such a value is 1-stable: each of its rows depends on one row of the dataset and on nothing else
// of it, and each row of the dataset makes at most one of its rows (F. McSherry, "Privacy
// integrated queries", SIGMOD 2009, section 3). So who replaces one row of the dataset replaces,
// adds or removes at most one row of the value, and the noise of a dp_ op covers that.
//
// Only what is seen from the graph itself counts: each op is on a list with what it does to rows,
// and what is on no list is refused. Thread: any.
#pragma once

#include <cstdint>
#include <map>

#include "protocol/graph.h"
#include "protocol/verify.h"

namespace curia {

// For a graph with dp_ ops: of each op outside of regions that makes such a value, or releases one,
// the number of the dataset's op. Such an op never fails for what is in the rows, and the dataset
// has no fewer rows than its results. Empty for all other graphs.
// Errors: kInvalid, with the op and its source line, for a dp_ op on anything else, or in a region;
// the sentence names the op that keeps rows no longer apart.
std::map<std::uint32_t, std::uint32_t> row_wise_ops(const Graph& graph, const TypedRegion& body);

}  // namespace curia
