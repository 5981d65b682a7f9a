// What the analysis of ranges must not do: take unbounded work, or miss an overflow on the way.
#include <doctest/doctest.h>

#include <numeric>

#include "graphs.h"
#include "protocol/range.h"

using namespace curia;
using namespace curia::test;

namespace {

using Attrs = std::map<std::string, Attr>;

const SecureDevice kAbc = {"abc", "replicated3", {"alice", "bob", "carol"}};
constexpr std::size_t kCarried = 4096;

}  // namespace

// Three deep, each of many rounds that do nothing but hand on thousands of values: followed round
// by round it would take hours.
TEST_CASE("Ranges: loops with nothing in them took unbounded work") {
  const std::vector<Type> params(kCarried, parse_type("f64[] @alice"));
  std::vector<ValueId> all(kCarried);
  std::iota(all.begin(), all.end(), ValueId{0});
  const Attrs attrs = {{"count", std::int64_t{990}},
                       {"carried", static_cast<std::int64_t>(kCarried)}};
  Region region{params, {}, all};
  for (int depth = 0; depth < 2; ++depth) {
    Ops ops(kCarried);
    const ValueId first = ops.add("for", "alice", all, attrs, {region});
    std::vector<ValueId> results(kCarried);
    std::iota(results.begin(), results.end(), first);
    region = {params, ops.list, results};
  }
  Ops ops(0);
  const Tensor one = Tensor::scalar<double>(1);
  const std::vector<ValueId> start(kCarried, ops.add("constant", "alice", {}, {{"value", one}}));
  ops.add("for", "alice", start, attrs, {region});
  Graph graph = graph_of({}, ops.list, {});
  graph.devices = {kAbc};
  CHECK_NOTHROW(verify(graph));
}

TEST_CASE("Ranges: a mean whose sum may overflow was taken to be finite") {
  const auto mean_of = [](const std::string& dtype, double size, const std::string& rows) {
    Ops ops(1);
    const ValueId mean = ops.add("mean", "alice", {0});
    Graph graph = graph_of({{"x", parse_type(dtype + "[" + rows + "] @alice"), {{"", {1, size}}}}},
                           ops.list, {{"out", mean}});
    return analyze_ranges(graph, verify(graph)).outputs[0].all;
  };
  CHECK(mean_of("f64", 1e300, "20").known());
  CHECK_FALSE(mean_of("f64", 1.7e308, "20").known());
  CHECK(mean_of("f32", 1e35, "20").known());
  CHECK_FALSE(mean_of("f32", 3e38, "20").known());
  for (const std::string function : {"mean", "sum"}) {
    for (const double size : {1e36, 3e38}) {
      Ops ops(1);
      const ValueId groups = ops.add("group_by", "alice", {0},
                                     {{"keys", std::vector<std::string>{"k"}},
                                      {"aggs", std::vector<std::string>{function + ":v:out"}}});
      const ValueId column = ops.add("column", "alice", {groups}, {{"name", std::string("out")}});
      Graph graph = graph_of(
          {{"x", parse_type("table[20]{k:i64,v:f32} @alice"), {{"k", {0, 5}}, {"v", {1, size}}}}},
          ops.list, {{"out", column}});
      CHECK(analyze_ranges(graph, verify(graph)).outputs[0].all.known() == (size < 1e38));
    }
  }
}
