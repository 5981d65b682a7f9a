// What a value was made of, as the workers and the session remember it.
#include "driver/lineage.h"

#include <doctest/doctest.h>

#include "driver/connection.h"
#include "tests/driver/restarts.h"
#include "tests/driver/session_world.h"

using namespace curia;

namespace {

Simulation alice_with_x() {
  Parties parties;
  parties["alice"].datasets.emplace("x", vector_of({1, 2}));
  parties["alice"].grants = {{"x", "dora"}};
  return Simulation(std::move(parties), {"dora", "mallory"});
}

struct Made {
  Ref put;
  Ref last;
  int put_line = 0;
};

// last = (x + put) + (x + put), by two programs; the value between them is released.
Made make(Session& session) {
  Made made;
  made.put = session.put("alice", vector_of({5, 6}));
  made.put_line = made.put.facts().site.line;
  Program first("first");
  first.output("both", first.dataset(session.dataset("alice", "x")) + first.input(made.put));
  const Ref both = session.run(first)["both"];
  Program second("second");
  const Array value = second.input(both);
  second.output("last", value + value);
  made.last = session.run(second)["last"];
  session.wait();
  return made;
}

// URIs, digests and lines as the words they stand for.
std::string masked(const LineageTree& tree) {
  LineageTree copy = tree;
  std::map<std::string, std::string> uris;
  for (LineageNode& node : copy.nodes) {
    if (node.what == "value") node.name = "mem://" + std::to_string(uris.size()), uris[node.name];
    if (!node.digest.empty()) node.digest = "digest";
    node.lineage = {};
    if (node.site.line != 0) node.site.line = 7;
  }
  return lineage_text(copy);
}

const std::string kTree =
    "mem://0 f64[2] @alice, ready\n"
    "  by add (lineage_test.cc:7), output last of program \"second\" digest, task 2\n"
    "  ref0: mem://1 f64[2] @alice, released\n"
    "    by add (lineage_test.cc:7), output both of program \"first\" digest, task 1\n"
    "    ref0: mem://2 f64[2] @alice, ready\n"
    "      put (lineage_test.cc:7)\n"
    "    dataset alice/x (lineage_test.cc:7)\n";

}  // namespace

TEST_CASE("Lineage: the tree down to puts and datasets, also of values that are released") {
  Simulation cluster = alice_with_x();
  Session session(cluster.wiring("dora"), {});
  const Made made = make(session);
  REQUIRE(eventually([&] { return session.list("alice").size() == 2; }));
  const LineageTree tree = session.lineage(made.last);
  CHECK(masked(tree) == kTree);
  REQUIRE(tree.nodes.size() == 4);
  for (const LineageNode& node : tree.nodes) {
    if (node.op == "put") CHECK(node.site.line == made.put_line);
    if (node.what == "dataset") CHECK(node.lineage == session.snapshot("alice", "x"));
  }
}

TEST_CASE("Lineage: another process of the session is told the same, another principal nothing") {
  Simulation cluster = alice_with_x();
  Session first(cluster.wiring("dora"), {});
  const Made made = make(first);
  REQUIRE(eventually([&] { return first.list("alice").size() == 2; }));
  Session stranger(cluster.wiring("mallory"), {});
  CHECK(code_of([&] { stranger.lineage(made.last.weak()); }) == Code::kNotFound);
  Session other(cluster.wiring("dora"), {});
  CHECK(code_of([&] { other.lineage(made.last.weak()); }) == Code::kNotFound);
  ConnectionOptions options;
  options.resume = first.detach();
  Session second(cluster.wiring("dora"), options);
  CHECK(masked(second.lineage(Ref::parse(made.last.json()))) == kTree);
}

TEST_CASE("Lineage: what a worker lost with a restart, the session knows itself") {
  Simulation cluster = alice_with_x();
  Session session(cluster.wiring("dora"), {});
  const Made made = make(session);
  restart(cluster, session, "alice");
  const LineageTree tree = session.lineage(made.last);
  REQUIRE(tree.nodes.size() == 4);
  CHECK(tree.nodes[0].state == "lost");
  CHECK(tree.nodes[0].program == "second");
  CHECK(tree.nodes[1].program == "first");
}

TEST_CASE("Lineage: long trees are cut, and shared parts are printed once") {
  Simulation cluster = alice_with_x();
  Session session(cluster.wiring("dora"), {});
  Ref ref = session.put("alice", vector_of({1}));
  for (int i = 0; i < 20; ++i) {
    Program program("step");
    const Array value = program.input(ref);
    program.output("out", value + program.input(ref));
    ref = session.run(program)["out"];
  }
  CHECK(session.lineage(ref).nodes.size() == 21);
  const LineageTree cut = session.lineage(ref, 5);
  CHECK(cut.nodes.size() == 5);
  CHECK(cut.nodes.back().more);
  CHECK(contains(lineage_text(cut), "..."));
  const std::string shallow = lineage_text(session.lineage(ref), 3);
  CHECK(std::count(shallow.begin(), shallow.end(), '\n') < 14);
  CHECK(contains(shallow, "..."));
}

TEST_CASE("Lineage: nothing that a name holds reaches the terminal but printable text") {
  LineageTree tree;
  LineageNode node;
  node.what = "value";
  node.name = "mem://x\x1b[2J";
  node.type = parse_type("f64[2] @alice");
  node.op = "add\r\n";
  node.program = "p\x9b";
  node.digest = "\xff\xfe";
  node.site = {"a\tb.cc", 3};
  tree.nodes = {node};
  for (const char c : lineage_text(tree)) CHECK((c == '\n' || (c >= 0x20 && c < 0x7F)));
}
