// What a value was made of: a tree that ends at puts and datasets, where shared parts are one node.
// Session::lineage() finds it, lineage_text() prints it.
//
// Thread: values, so any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/type.h"

namespace curia {

struct LineageNode {
  struct Input {
    std::string name;      // that the program gives it
    std::size_t node = 0;  // number of its node
  };

  std::string what;   // "value", "dataset" or "stored"
  std::string name;   // the URI; of a dataset its name
  std::string party;  // that has it; a secret device
  Type type;
  // "ready", "failed", "lost" with a worker's restart, "released", "unknown"; of a dataset
  // "present", or "changed" since then.
  std::string state;
  Digest lineage{};     // of a dataset its snapshot; all zero where it is not known
  std::string program;  // name of the one that made it; with its digest, hex
  std::string digest;
  std::string output;
  std::uint64_t task = 0;
  std::string op;  // that made it, "put"; "" where that is not known
  Site site;       // of that op or put; of a dataset, of the op that reads it
  std::vector<Input> inputs;
  bool more = false;  // inputs were left out
};

struct LineageTree {
  std::vector<LineageNode> nodes;  // the first is the one that was asked for
};

// Lines for people, indented by depth; what was printed before, or lies deeper than `depth`, is not
// printed again. Nothing but printable ASCII, whatever names hold.
std::string lineage_text(const LineageTree& tree, int depth = 32);

}  // namespace curia
