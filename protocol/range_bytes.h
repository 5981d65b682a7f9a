// Declared ranges in the canonical form of a graph (graph_bytes.h).
#pragma once

#include <vector>

#include "protocol/bytes.h"
#include "protocol/graph.h"

namespace curia {

// Errors: kInvalid for none: they have no byte form.
void write_ranges(ByteWriter& out, const Ranges& ranges);
// Errors: kInvalid, naming the byte.
Ranges read_ranges(ByteReader& in);

// The list behind a graph's devices; nothing where no input has ranges. Read it where bytes are
// left. Errors: kInvalid, naming the byte.
void write_input_ranges(ByteWriter& out, const std::vector<GraphInput>& inputs);
void read_input_ranges(ByteReader& in, std::vector<GraphInput>& inputs);

}  // namespace curia
