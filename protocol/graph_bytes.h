// The canonical byte form of a graph, and the digest of a program.
//
// Invariant: one graph has one byte form. decode_graph() accepts nothing that encode_graph() would
// not have written. Call sites are not part of it: they travel in a section of their own.
//
// Numbers are varints (bytes.h), signed ones zigzag. In order:
//   graph    "CUG" 02; name; inputs (count; name, type); ops; outputs (count; name, value);
//            secure devices (count; name, protocol, members (count; name)); where an input has
//            ranges, and only there: inputs with ranges (count; number, ranges; ascending)
//   ops      count; each: name, device, operands (count; value), attributes (count; key, kind byte,
//            value; keys strictly ascending), regions (count; params (count; type), ops,
//            results (count; value))
//   type     byte 0: dtype byte, extents (count; signed, `?` is -1); or
//            byte 1: columns (count; name, dtype byte), rows (signed); or
//            byte 2: kind byte, fraction bits byte, extents (count; signed); then the device
//   ranges   count, at least 1; each: column ("" for all), low and high as f64; columns ascending
//   tensor   dtype byte, extents (count; signed, no `?`), the row-major elements, little-endian
// Thread: any.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "protocol/digest.h"
#include "protocol/graph.h"

namespace curia {

inline constexpr std::int64_t kMaxSiteBytes = 1 << 20;

// Errors: kInvalid if the graph has no byte form: larger than kMaxGraphBytes, regions nested too
// deep, too many ops, or a type or constant whose parts contradict each other.
std::string encode_graph(const Graph& graph);
// Checks the form only; verify() comes next. Errors: kInvalid, naming the byte.
Graph decode_graph(std::string_view bytes);

// The debug section: Graph::sites, and which of them each op has.
std::string encode_sites(const Graph& graph);
// Puts a debug section back into the graph it belongs to. Errors: kInvalid, the graph unchanged.
void decode_sites(std::string_view bytes, Graph& graph);

// What a program is: the version of the op set, the canonical bytes, and the hashes of the user
// libraries its ops come from, in the order of their names.
Digest program_digest(std::string_view canonical, std::span<const Digest> libraries = {});
Digest program_digest(const Graph& graph);

}  // namespace curia
