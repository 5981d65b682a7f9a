// What drivers try that lie about ranges, or do not look at them: a program that could overflow
// runs at no member, and no worker takes a range from a driver's word.
#include <doctest/doctest.h>

#include "tests/driver/secret_world.h"
#include "tests/driver/two_faced.h"
#include "tests/support/errors.h"

using namespace curia;

namespace {

// alice declares numbers up to 1e5 in size.
Parties parties_with_range() {
  Parties parties = four_parties({"carol", "dora"});
  parties["alice"].ranges["x"] = {{"v", {-1e5, 1e5}}};
  return parties;
}

// x * x of alice, who is said to have numbers in this range; as the driver library writes it but
// never verified.
Graph square_graph(double most, bool accepted = false) {
  Program program("square");
  const Device abc = program.device("abc", kMembers);
  const Array x =
      program.dataset({"x", parse_type("table[4]{v:f64} @alice"), {}}).column("v").to(abc);
  program.accept_overflow(accepted);
  program.output("square", x * x);
  Graph graph = program.graph();
  graph.ops[0].attrs["range"] = Ranges{{"v", {-most, most}}};
  return graph;
}

std::map<std::string, RunRequest> requests_of(std::uint64_t task,
                                              const std::map<std::string, Digest>& digests) {
  const std::string uri = Uri::fresh().str();
  std::map<std::string, RunRequest> requests;
  for (const auto& [member, digest] : digests) requests[member] = {task, digest, 0, {}, {uri}};
  return requests;
}

}  // namespace

TEST_CASE("Range attack: every member refuses a program that its driver did not verify") {
  Simulation cluster(parties_with_range(), {"dora"});
  TwoFaced driver(cluster);
  for (const std::string& member : kMembers) {
    const Error error = error_of([&] { driver.prepare(member, square_graph(1e5)); });
    INFO(std::string(error.what()));
    CHECK(error.code() == Code::kInvalid);
    CHECK(error.op() == "mul");
    CHECK(contains(error.site().file, "range_attack_test.cc"));
    CHECK(contains(error.message(), "expected products below 2^26"));
    CHECK(contains(error.message(), "found [0, 1e+10] from operands in [-100000, 100000]"));
  }
}

TEST_CASE("Range attack: a narrower range than the owner's runs nowhere") {
  Simulation cluster(parties_with_range(), {"dora"});
  TwoFaced driver(cluster);
  std::map<std::string, Digest> digests;
  for (const std::string& member : kMembers) {
    digests[member] = driver.prepare(member, square_graph(1000));
  }
  const auto requests = requests_of(1, digests);
  const auto answers = driver.run(requests);
  INFO(answers.at("alice"));
  CHECK(contains(answers.at("alice"), "INVALID at alice, op dataset (range_attack_test.cc"));
  CHECK(contains(answers.at("alice"), "has the range [-1e+05, 1e+05]"));
  CHECK(contains(answers.at("alice"), "takes [-1000, 1000] for granted"));
  for (const std::string& member : kMembers) {
    INFO(member << ": " << answers.at(member));
    CHECK(answers.at(member) != "");
    CHECK(driver.fetch_error(member, requests.at(member).outputs[0]) != "");
  }
}

TEST_CASE("Range attack: members that are told different ranges notice") {
  Simulation cluster(parties_with_range(), {"dora"});
  TwoFaced driver(cluster);
  // What alice sees is true and accepted; bob and carol are told what makes it harmless.
  const std::map<std::string, Digest> digests = {
      {"alice", driver.prepare("alice", square_graph(1e5, true))},
      {"bob", driver.prepare("bob", square_graph(1000))},
      {"carol", driver.prepare("carol", square_graph(1000))}};
  for (const auto& [member, text] : driver.run(requests_of(1, digests))) {
    INFO(member << ": " << text);
    CHECK(contains(text, "DENIED"));
    CHECK(contains(text, "another program"));
  }
}

TEST_CASE("Range attack: a program that was accepted cannot come again with other ranges") {
  Simulation cluster(parties_with_range(), {"dora"});
  TwoFaced driver(cluster);
  const Graph graph = square_graph(1e5, true);
  const Digest accepted = driver.prepare("alice", graph);
  for (const Graph& other : {square_graph(1000), square_graph(1e5), square_graph(1e6, true)}) {
    driver.prepare_as("alice", other, accepted);  // the first one stays
    const Error error = error_of([&] { driver.prepare_as("bob", other, accepted); });
    INFO(std::string(error.what()));
    CHECK(error.code() == Code::kInvalid);
    CHECK(contains(error.message(), "but it was announced as"));
  }
  // With the first of the others alice would refuse to run.
  std::map<std::string, Digest> digests;
  for (const std::string& member : kMembers) digests[member] = driver.prepare(member, graph);
  for (const auto& [member, text] : driver.run(requests_of(1, digests))) CHECK(text == "");
}

TEST_CASE("Range attack: whether cells of an owner are beyond a range does not show") {
  // The same program over ranges that hold all of alice's numbers, some, and none: it ends alike,
  // so that no sequence of runs finds out what they are.
  Simulation cluster(four_parties({}), {"dora"});
  Session session(cluster.wiring("dora"), {});
  Program source("source");
  source.output("v", source.dataset({"x", parse_type("table[4]{v:f64} @alice"), {}}).column("v"));
  const Refs kept = session.run(source);
  for (const double most : {8000.0, 2.0, 0.125}) {
    Program program("probe");
    const Device abc = program.device("abc", kMembers);
    const Array x = program.input("x", kept["v"].type(), {{"", {-most, most}}});
    program.output("square", x.to(abc) * x.to(abc));
    session.run(program, {{"x", kept["v"]}});
    CHECK_NOTHROW(session.wait());
  }
}
