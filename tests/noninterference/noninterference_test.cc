// The promise of DESIGN section 8, tried on random scripts: two datasets of alice that give equal
// values at every release she allowed look alike to a driver and the parties it pools with.
#include <doctest/doctest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "protocol/op_table.h"
#include "tests/noninterference/judge.h"
#include "tests/noninterference/random_script.h"

using namespace curia;
using namespace curia::test;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::int64_t kPrograms = 400;
#else
constexpr std::int64_t kPrograms = 10'000;
#endif

const std::map<std::string, std::vector<const char*>> kFamilies = {
    {"secure devices", {"share", "reveal", "relu", "sort", "shuffle", "variance", "reciprocal"}},
    {"tables", {"filter", "join", "group_by", "with_column", "to_tensor", "table_select"}},
    {"branches", {"cond"}},
    {"calls", {"call"}},
    {"loops", {"for"}},
    {"loops with a predicate", {"while"}},
    {"moves", {"transfer"}},
    {"saves", {"save"}},
    {"loads", {"load"}},
    {"shapes", {"broadcast", "concat", "gather", "matmul", "reshape", "slice", "transpose"}},
    {"reductions", {"sum", "mean", "min", "max", "argmin", "argmax", "argsort"}},
    {"elementwise", {"add", "sub", "mul", "div", "lt", "and", "select", "cast", "exp"}},
};

}  // namespace

TEST_CASE("Noninterference: views differ only where released values do") {
  const char* only = std::getenv("CURIA_SEED");
  if (only != nullptr) {
    const Script script = random_script(std::strtoull(only, nullptr, 10));
    std::cout << script.str();
    const WatchedRules rules;
    const auto leak = Judge(rules).look(script);
    CHECK_MESSAGE(!leak, leak->text);
    return;
  }
  const char* limit = std::getenv("CURIA_PROGRAMS");
  const Search found =
      search([] { return std::make_unique<WatchedRules>(); }, limit ? std::atol(limit) : kPrograms);
  REQUIRE_MESSAGE(!found.leak, found.leak->text);
  const Tally& tally = found.tally;
  std::cout << tally.programs << " programs in " << tally.scripts << " scripts, " << tally.ran
            << " ran to their end; released in " << tally.with_release << " scripts, denied in "
            << tally.with_denial << ", approved in " << tally.with_approval << ", compared in "
            << tally.compared << "\n";
  if (limit != nullptr) return;
  // That the scripts are still of the kind that can find something.
  CHECK(tally.ran * 4 > tally.programs);
  CHECK(tally.with_release * 4 > tally.scripts);
  CHECK(tally.with_denial * 4 > tally.scripts);
  CHECK(tally.with_approval * 10 > tally.scripts);
  CHECK(tally.compared * 2 > tally.scripts);
  for (const auto& [family, ops] : kFamilies) {
    INFO(family);
    std::int64_t count = 0;
    for (const char* op : ops) {
      const auto found_op = tally.ops.find(op);
      if (found_op != tally.ops.end()) count += found_op->second;
    }
    CHECK(count * 100 > tally.ran);
  }
  if (tally.ran < 2'000) return;
  for (const OpSpec& spec : op_table()) {
    // What a release with differential privacy tells is little, but not nothing.
    if (spec.name.starts_with("dp_")) continue;
    INFO(spec.name);
    CHECK(tally.ops.contains(std::string(spec.name)));
  }
}
