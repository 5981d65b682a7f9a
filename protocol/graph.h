// The program a driver submits: flat static single assignment with nested regions.
//
// Values are numbered in order of definition: first the inputs (or a region's parameters), then the
// results of each op. An operand must be smaller than the number of its op's first result, so a
// verified graph has no cycles and its byte form is unique. A region sees its parameters only.
// Thread: immutable once built.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/device.h"
#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/interval.h"
#include "protocol/type.h"
#include "protocol/value.h"

namespace curia {

using ValueId = std::uint32_t;

inline constexpr std::int64_t kMaxOps = 100'000;  // all regions together
inline constexpr std::int64_t kMaxRegionDepth = 16;
inline constexpr std::int64_t kMaxConstantBytes = 64 << 10;  // larger ones are put
inline constexpr std::int64_t kMaxGraphBytes = 1 << 20;  // canonical form, without debug section
inline constexpr std::int64_t kMaxParties = 64;

// The version of the set of ops and their meaning; part of every program digest.
inline constexpr std::uint32_t kOpSetVersion = 3;

using Attr = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
                          std::vector<std::string>, Tensor, Type, Ranges>;

struct Op;

struct Region {
  std::vector<Type> params;
  std::vector<Op> ops;
  std::vector<ValueId> results;
};

struct Op {
  std::string name;  // a row of the op table
  // The party or secure device that runs it; for `transfer`, `share` and `reveal` the one that
  // receives.
  std::string device;
  std::vector<ValueId> operands;
  std::map<std::string, Attr> attrs;  // sorted, so that the byte form is unique
  std::vector<Region> regions;
  std::uint32_t site = 0;  // index into Graph::sites plus one; 0: unknown. Not digested.
};

struct GraphInput {
  std::string name;
  Type type;
  Ranges ranges = {};  // what the program takes for granted; empty: nothing
};

struct GraphOutput {
  std::string name;
  ValueId value = 0;
};

struct Graph {
  std::string name;
  std::vector<GraphInput> inputs;
  std::vector<Op> ops;
  std::vector<GraphOutput> outputs;
  std::vector<Site> sites;  // the debug section: call sites of the driver program. Not digested.
  std::vector<SecureDevice> devices;  // names that are none of these are parties

  // The call site of an op; an empty Site where unknown.
  Site site_of(const Op& op) const {
    return op.site == 0 || op.site > sites.size() ? Site{} : sites[op.site - 1];
  }
};

}  // namespace curia
