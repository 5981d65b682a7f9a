// Random programs over alice's, bob's and the driver's data, made so that most of them run:
// operands and attributes are chosen by type. Thread: one.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "protocol/graph.h"
#include "protocol/op_table.h"

namespace curia::test {

using Random = std::mt19937_64;

inline std::int64_t pick(Random& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1));
}
template <class T>
const T& pick(Random& random, const std::vector<T>& list) {
  return list[random() % list.size()];
}
inline bool chance(Random& random, int percent) { return pick(random, 0, 99) < percent; }

inline const std::vector<SecureDevice> kDevices = {
    {"abc", "replicated3", {"alice", "bob", "carol"}},
    {"bcd", "replicated3", {"bob", "carol", "dan"}}};

// What earlier steps of the script left at the parties, as far as it went well.
struct KnownObject {
  std::string uri;
  Type type;
  bool stored = false;  // by `save`: programs load it; else it comes in as an input
};

struct RandomProgram {
  Graph graph;
  std::vector<std::string> inputs;  // URIs
  std::vector<KnownObject> saves;
};

// One that verify() accepts, or nothing where luck was bad. `saves`: URIs that it may save to.
std::optional<RandomProgram> random_program(Random& random, const std::vector<KnownObject>& objects,
                                            std::vector<std::string> saves);

// Attributes for an op of that row on operands of these types, each of them fitting as far as one
// can tell.
std::map<std::string, Attr> random_attrs(Random& random, const OpSpec& spec,
                                         const std::vector<Type>& operands);

}  // namespace curia::test
