#include "protocol/memory.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "graphs.h"
#include "protocol/verify.h"

using namespace curia;
using namespace curia::test;

namespace {

const Type kX = parse_type("f64[4,3] @alice");  // 96 bytes

std::int64_t bytes_of(const std::vector<Op>& ops, ValueId result) {
  return verify(graph_of({{"x", kX}}, ops, {{"out", result}})).bytes.at("alice");
}

ValueId chain(Ops& ops, ValueId from, int length) {
  for (int i = 0; i < length; ++i) from = ops.add("neg", "alice", {from});
  return from;
}

// Runs a graph without its data, as a worker does: what is used for the last time goes. Counts what
// is alive; loops run a few rounds, and branches go any way.
class Runner {
 public:
  Runner(const Graph& graph, Random& random)
      : graph_(graph), random_(random), verified_(verify(graph)) {
    Values values;
    for (const GraphInput& input : graph.inputs) values.push_back(make(input.type));
    const Values inputs = values;
    std::vector<ValueId> ends;
    for (const GraphOutput& output : graph.outputs) ends.push_back(output.value);
    region(graph.ops, ends, verified_.body, std::move(values));
  }
  // The most that was alive at a time, and what verify() said of it.
  std::map<std::string, std::int64_t> peak;
  const Verified& verified() const { return verified_; }

 private:
  struct Memory {
    Memory(Runner& owner, const Type& type)
        : runner(owner),
          parties(holders(owner.graph_.devices, type.device)),
          bytes(held_bytes(type)) {
      for (const std::string& party : parties) {
        std::int64_t& most = runner.peak[party];
        most = std::max(most, runner.now_[party] += bytes);
      }
    }
    ~Memory() {
      for (const std::string& party : parties) runner.now_[party] -= bytes;
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    Runner& runner;
    const std::vector<std::string> parties;
    const std::int64_t bytes;
  };
  using Value = std::vector<std::shared_ptr<Memory>>;  // a part of a value keeps the whole
  using Values = std::vector<Value>;

  Value make(const Type& type) { return {std::make_shared<Memory>(*this, type)}; }

  Values region(const std::vector<Op>& ops, const std::vector<ValueId>& results,
                const TypedRegion& typed, Values values) {
    Lives lives = lives_of(ops, results);
    for (const ValueId id : results) lives.last_use.erase(id);
    Values sent;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const Op& op = ops[i];
      const std::size_t first = typed.ops[i].first_result;
      Values made = run(op, typed, typed.ops[i], values);
      if (op.name == "transfer" || op.name == "share" || op.name == "reveal") {
        sent.push_back(values[op.operands[0]]);
      }
      for (std::size_t r = 0; r < made.size(); ++r) {
        const auto id = static_cast<ValueId>(first + r);
        const bool used =
            lives.last_use.contains(id) || std::ranges::find(results, id) != results.end();
        values.push_back(used ? std::move(made[r]) : Value{});
      }
      for (const ValueId id : op.operands) {
        const auto at = lives.last_use.find(id);
        if (at != lives.last_use.end() && at->second == i) values[id].clear();
      }
    }
    Values ends;
    for (const ValueId id : results) ends.push_back(values[id]);
    return ends;
  }

  Values run(const Op& op, const TypedRegion& around, const TypedOp& typed, const Values& values) {
    Values given;
    for (const ValueId id : op.operands) given.push_back(values[id]);
    if (op.name == "cond") {
      const std::size_t way = random_() % 2;
      given.erase(given.begin());
      return region(op.regions[way].ops, op.regions[way].results, typed.regions[way],
                    std::move(given));
    }
    if (op.name == "call") {
      return region(op.regions[0].ops, op.regions[0].results, typed.regions[0], std::move(given));
    }
    if (!op.regions.empty()) return loop(op, typed, std::move(given));
    Values made;
    const auto count = static_cast<std::size_t>(result_count(op));
    for (std::size_t r = 0; r < count; ++r) {
      const bool part = op.name == "slice" || op.name == "column" || op.name == "table_select";
      made.push_back(part ? given[0] : make(around.types[typed.first_result + r]));
      if (op.name == "with_column")
        made[r] = given[0], made[r].insert(made[r].end(), given[1].begin(), given[1].end());
    }
    return made;
  }

  Values loop(const Op& op, const TypedOp& typed, Values state) {
    const bool has_test = op.regions.size() == 2;
    const auto limit = std::get<std::int64_t>(op.attrs.at(has_test ? "limit" : "count"));
    const Region& body = op.regions.back();
    const auto carried = static_cast<std::ptrdiff_t>(body.results.size());
    for (std::int64_t round = 0; round < std::min<std::int64_t>(limit, 3); ++round) {
      if (has_test) {
        region(op.regions[0].ops, op.regions[0].results, typed.regions[0], state);
        if (random_() % 4 == 0) break;
      }
      Values given = state;
      std::fill(state.begin(), state.begin() + carried, Value{});
      Values next = region(body.ops, body.results, typed.regions.back(), std::move(given));
      std::move(next.begin(), next.end(), state.begin());
    }
    state.resize(static_cast<std::size_t>(carried));
    return state;
  }

  const Graph& graph_;
  Random& random_;
  const Verified verified_;
  std::map<std::string, std::int64_t> now_;
};

}  // namespace

TEST_CASE("Memory: a long chain of values that die takes no more than a short one") {
  for (const int length : {3, 30}) {
    Ops ops(1);
    const ValueId end = chain(ops, 0, length);
    CHECK(bytes_of(ops.list, end) == 3 * 96);
  }
}

TEST_CASE("Memory: a loop takes its body's peak and the state of two rounds") {
  Ops body(1);
  const ValueId inner = chain(body, 0, 30);
  Ops ops(1);
  const ValueId end =
      ops.add("for", "alice", {0}, {{"carried", std::int64_t{1}}, {"count", std::int64_t{9}}},
              {{{kX}, body.list, {inner}}});
  CHECK(bytes_of(ops.list, end) == 3 * 96);
  // A state that the body still needs, beside the first one and what it computes.
  Ops late(1);
  const ValueId sum = late.add("add", "alice", {0, chain(late, 0, 3)});
  Ops around(1);
  const ValueId last =
      around.add("for", "alice", {0}, {{"carried", std::int64_t{1}}, {"count", std::int64_t{9}}},
                 {{{kX}, late.list, {sum}}});
  CHECK(bytes_of(around.list, last) == 4 * 96);
}

TEST_CASE("Memory: what is sent, or may live on in a part of itself, counts to the end") {
  Ops sends(1);
  const ValueId moved = sends.add("neg", "alice", {0});
  sends.add("transfer", "bob", {moved});
  const ValueId after = chain(sends, 0, 5);
  CHECK(bytes_of(sends.list, after) == 4 * 96);
  Ops parts(1);
  const ValueId whole = parts.add("neg", "alice", {0});
  const ValueId part =
      parts.add("slice", "alice", {whole}, {{"starts", ints({0, 0})}, {"ends", ints({3, 3})}});
  parts.add("sum", "alice", {part}, {{"axes", ints({0})}});
  const ValueId end = chain(parts, 0, 5);
  CHECK(bytes_of(parts.list, end) == 4 * 96);
}

TEST_CASE("Memory: inputs count to the end, and are told apart from what a run takes") {
  Ops ops(1);
  const ValueId total = ops.add("sum", "alice", {0}, {{"axes", ints({0})}});
  const Verified verified = verify(graph_of({{"x", kX}, {"y", kX}}, ops.list, {{"out", total}}));
  CHECK(verified.bytes.at("alice") == 2 * 96 + 24);
  CHECK(verified.input_bytes.at("alice") == 2 * 96);
}

TEST_CASE("Memory: no run of a random graph holds more than was said") {
  Random random(7);
  std::int64_t peaks = 0;
  std::int64_t said = 0;
  for (int round = 0; round < 600; ++round) {
    const Graph graph = random_graph(random);
    const Runner runner(graph, random);
    for (const auto& [device, bytes] : runner.peak) {
      INFO("graph " << round << " at " << device);
      CHECK(bytes <= runner.verified().bytes.at(device));
      peaks += bytes;
      said += runner.verified().bytes.at(device);
    }
  }
  CHECK(peaks > 0);
  MESSAGE("held " << peaks << " of " << said);
}

TEST_CASE("Memory: ranges of inputs and loads count as a copy, whose size has to be known") {
  const auto program = [](const char* type_text, const Ranges& ranges, bool loads) {
    Ops ops(loads ? 0 : 1);
    std::map<std::string, Attr> attrs = {
        {"uri", std::string("mem://0123456789abcdef0123456789abcdef")},
        {"type", parse_type(type_text)}};
    if (!ranges.empty()) attrs["range"] = ranges;
    if (loads) ops.add("load", "alice", {}, attrs);
    std::vector<GraphInput> inputs;
    if (!loads) inputs = {{"x", parse_type(std::string(type_text) + " @alice"), ranges}};
    return graph_of(inputs, ops.list, {{"out", 0}});
  };
  for (const bool loads : {false, true}) {
    const Verified as_it_is = verify(program("f64[100]", {}, loads));
    CHECK(as_it_is.bytes.at("alice") - as_it_is.input_bytes.at("alice") == 0);
    const Verified copied = verify(program("f64[100]", {{"", {0, 1}}}, loads));
    CHECK(copied.bytes.at("alice") == 800);
    CHECK(copied.input_bytes.count("alice") == 0);
    CHECK_NOTHROW(verify(program("f64[?]", {}, loads)));
    for (const char* unknown : {"f64[?]", "table[?]{v:f64}"}) {
      CHECK_THROWS_WITH_AS(verify(program(unknown, {{"", {0, 1}}}, loads)),
                           doctest::Contains("expected a known number of rows"), Error);
    }
  }
}
