// A worker verifies by itself what a driver did not.
#include "worker/plan.h"

#include <doctest/doctest.h>

#include "protocol/graph_bytes.h"

using namespace curia;

namespace {

// x * x on abc, with x of alice in a range.
Graph squares(double most, bool accepted) {
  Graph graph;
  graph.name = "squares";
  graph.devices = {{"abc", "replicated3", {"alice", "bob", "carol"}}};
  graph.sites = {{"src/squares.cc", 12}};
  graph.ops = {
      {.name = "dataset",
       .device = "alice",
       .attrs = {{"name", std::string("x")},
                 {"type", parse_type("f64[4]")},
                 {"range", Ranges{{"", {-most, most}}}}}},
      {.name = "share", .device = "abc", .operands = {0}},
      {.name = "mul", .device = "abc", .operands = {1, 1}, .site = 1},
  };
  if (accepted) graph.ops[2].attrs["overflow"] = std::string("warn");
  graph.outputs = {{"out", 2}};
  return graph;
}

Error refusal(const std::string& party, const Graph& graph) {
  const std::string bytes = encode_graph(graph);
  try {
    make_plan(party, "dora", program_digest(bytes), bytes, encode_sites(graph));
  } catch (const Error& error) {
    return error;
  }
  return {Code::kFailed, "accepted"};
}

}  // namespace

TEST_CASE("Plan: every member refuses an overflow that ranges allow, with op and line") {
  for (const char* party : {"alice", "bob", "carol"}) {
    const Error error = refusal(party, squares(1e5, false));
    CHECK(error.code() == Code::kInvalid);
    CHECK(error.op() == "mul");
    CHECK(error.site() == Site{"src/squares.cc", 12});
    CHECK(refusal(party, squares(1e5, true)).message() == "accepted");
    CHECK(refusal(party, squares(1e3, false)).message() == "accepted");
  }
}
