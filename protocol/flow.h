// Where data may flow in a program: the labels of its values (DESIGN section 8, R0-R5), and every
// place where plaintext, or shares of it, would move to another principal.
//
// Each worker computes this itself from the whole graph, before anything runs; the driver can do
// the same to tell its user what will be refused. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/graph.h"
#include "protocol/label.h"
#include "protocol/verify.h"

namespace curia {

// What comes into a program: an input of the graph, a dataset, or a loaded object.
struct External {
  enum class Kind : std::uint8_t { kInput, kDataset, kLoad };
  Kind kind = Kind::kInput;
  std::uint32_t number = 0;          // of the input, or of the op
  std::string place;                 // a party, or for inputs a secure device
  std::vector<std::string> holders;  // the party, or the members
  std::string name;  // dataset: its name; load: its URI; input: the graph's name for it
  Type type;
  Ranges ranges;        // that the program takes for granted
  std::string op_name;  // of a dataset or load
  Site site;
};

// In the order that lineages use: inputs first, then ops by number.
std::vector<External> externals(const Graph& graph, const Verified& verified);

// A place where plaintext moves: a transfer, a predicate that steers several principals, a reveal;
// or where shares go to the members of a secure device.
struct ReleasePoint {
  enum class Kind : std::uint8_t { kTransfer, kPredicate, kShare, kReveal };
  Kind kind = Kind::kTransfer;
  std::uint32_t op = 0;  // number of the op
  std::string op_name;
  std::string name;  // the label of the transfer, share or reveal, or "op<number>"
  Site site;
  // Who would send. Of a reveal every member, each of which withholds its share until all owners
  // have agreed.
  std::vector<std::string> from;
  std::vector<std::string> to;  // principals that would learn it; of a share the members
  SecureDevice device;          // of a share or reveal
  LabelPtr label;
};

struct Flow {
  std::vector<LabelPtr> outputs;  // one for each output of the graph; of an alias, the input's
  std::vector<LabelPtr> saves;    // one for each save op, by ascending op number
  std::vector<ReleasePoint> releases;
  // Of what each op makes or moves, by number; null for cond, loops and calls, whose ops have their
  // own.
  std::vector<LabelPtr> ops;
};

// labels: one for each external, in order. `program` is added to the way of every source.
// driver: the principal whose graph it is; it learns every predicate. run: the instance, which
// tells what this run releases with differential privacy from what others do.
Flow analyze_flow(const Graph& graph, const Verified& verified, const Digest& program,
                  const std::string& driver, const std::vector<LabelPtr>& labels,
                  const Digest& run = {});

}  // namespace curia
