// Checks a graph before anything runs, and says what every value is.
//
// Verified refers to values by the same numbers as the graph, so the two are kept together.
// Thread: any; the result is immutable.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protocol/graph.h"

namespace curia {

struct TypedOp;

// What the ranges of values say of an op on secrets.
struct RangeNote {
  std::uint32_t op = 0;  // number of the op
  std::string op_name;
  Site site;
  std::string text;
  bool known = false;    // known ranges allow an overflow; else they are unknown
  bool refused = false;  // else a warning: the op accepts it, or nothing is known
};

struct TypedRegion {
  std::vector<Type> types;   // of every value, by ValueId: inputs or parameters, then results
  std::vector<TypedOp> ops;  // one for each op, in order
};

struct TypedOp {
  std::uint32_t number = 0;  // preorder through all regions; names the op in network tags
  ValueId first_result = 0;  // its results are the values from here on
  // Sorted: the op's device, its operands' and those inside; of secure devices the members.
  std::vector<std::string> parties;
  std::vector<TypedRegion> regions;
};

struct Verified {
  TypedRegion body;
  std::vector<std::string> parties;  // sorted: every party and device member that takes part
  std::int64_t ops = 0;              // all regions together
  std::map<std::uint32_t, std::uint32_t> row_wise;  // see row_wise_ops() of stability.h
  bool random = false;                              // some op draws randomness
  std::int64_t steps = 0;                           // upper bound of op runs, loops multiplied out
  std::int64_t type_bytes = 0;                      // that the types of all values take themselves
  // The most that each party's inputs and results take at a time, `?` as nothing. A value counts
  // until its last use; what is returned, sent, or may live on in a part of itself, to the end.
  std::map<std::string, std::int64_t> bytes;
  std::map<std::string, std::int64_t> input_bytes;  // of it: inputs, datasets and loads
  std::vector<RangeNote> range_notes;               // warnings, by op number (range.h)
  // Of outputs that are secrets, where known; see output_range().
  std::vector<Ranges> output_ranges;

  // What a program takes beside its bytes: a graph may name tables of many columns in a few.
  std::int64_t own_bytes() const { return type_bytes + ops * 512; }

  const Ranges& output_range(std::size_t i) const {
    static const Ranges unknown;
    return i < output_ranges.size() ? output_ranges[i] : unknown;
  }

  const Type& output_type(const Graph& graph, std::size_t i) const {
    return body.types[graph.outputs[i].value];
  }
};

// The op of the graph's body whose result the value is; null for an input.
const Op* op_of(const Graph& graph, const Verified& verified, ValueId value);

struct Limits {
  std::int64_t max_bytes = std::int64_t{64} << 30;  // a party; at most 2^61
  std::int64_t max_steps = 1'000'000'000;
};

// Errors: kInvalid, with the op and its source line, for the first thing wrong: an unknown op; a
// wrong number of operands or regions; a missing, unknown or wrongly typed attribute; a dtype or
// shape that does not fit; a value that is undefined or defined later; an operand on another
// device; bad or duplicate names; an overflow of a secret that known ranges allow (range.h), unless
// the op has the attribute overflow "warn"; a dp_ op on what is not made row by row of a dataset
// (stability.h); and every limit passed, those of graph.h, type.h and
// `limits`.
Verified verify(const Graph& graph, const Limits& limits = {});

}  // namespace curia
