// Values of every kind go to a party and come back as they were.
#include <doctest/doctest.h>

#include <set>

#include "tests/driver/samples.h"
#include "tests/driver/session_world.h"

using namespace curia;

TEST_CASE_TEMPLATE("put: every dtype, tables, no dimension and no element come back unchanged", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  std::vector<Ref> refs;
  for (const Value& value : samples()) refs.push_back(session.put("alice", value));
  const std::vector<Value> values = samples();
  for (std::size_t i = 0; i < values.size(); ++i) {
    INFO(refs[i].str());
    CHECK(same(session.fetch(refs[i]), values[i]));
    Program program("move");
    program.output("moved", program.input(refs[i]).to("bob"));
    const Refs moved = session.run(program);
    CHECK(same(session.fetch(moved["moved"]), values[i]));
  }
}

TEST_CASE_TEMPLATE("put: 10 MB go there and come back, several at a time", W, OnSimulation,
                   OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  std::vector<Value> values;
  std::vector<Ref> refs;
  for (int k = 0; k < 3; ++k) {
    std::vector<double> numbers(10'000'000 / 8);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i) * (k + 1);
    values.emplace_back(vector_of(std::move(numbers)));
    refs.push_back(session.put("alice", values.back()));
  }
  for (const std::size_t k : std::vector<std::size_t>{2, 0, 1})
    CHECK(same(session.fetch(refs[k]), values[k]));
  CHECK(stat(session, "alice", "data_bytes_from_driver") == 30'000'000);
  CHECK(stat(session, "alice", "data_bytes_to_driver") == 30'000'000);
}

TEST_CASE_TEMPLATE("describe and list: what there is, without its bytes", W, OnSimulation,
                   OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  const auto datasets = session.datasets("alice");
  REQUIRE(datasets.size() == 2);
  CHECK(datasets[0].name == "people");
  CHECK(datasets[0].type == people().type);
  CHECK(datasets[1].name == "secret");
  CHECK(session.dataset("alice", "people").type == people().type);
  CHECK(session.datasets("bob").empty());

  const Ref put = session.put("alice", vector_of({1, 2}));
  Program program("p");
  const Array table = program.dataset(people());
  program.output("old", table.filter(table.column("age") > 40));
  program.output("sum", sum(table.column("pay")) + sum(program.input(put)));
  const Refs refs = session.run(program);
  session.wait();
  const DescribeReply of_put = session.describe(put);
  CHECK(of_put.type == put.type());
  CHECK(of_put.label == "{dora}");
  CHECK(of_put.state == "ready");
  CHECK(of_put.bytes == 16);
  const DescribeReply old = session.describe(refs["old"]);
  CHECK(old.type.str() == "table[?]{id:string,age:i64,pay:f64} @alice");
  CHECK(old.label == "{alice/people}");
  CHECK(old.bytes == 0);
  CHECK(old.output == "old");
  CHECK(old.program == refs["old"].facts().program);
  CHECK(session.describe(refs["sum"]).label == "{alice/people, dora}");
  CHECK(session.list("alice").size() == 3);
  CHECK(session.list("bob").empty());
}

TEST_CASE("list: more objects than one page holds") {
  const auto world = simulated_world(alice_and_bob());
  Session session = world->connect();
  std::vector<Ref> refs;
  for (int i = 0; i < 250; ++i) refs.push_back(session.put("alice", vector_of({1.0 * i})));
  session.wait();
  std::set<std::string> names;
  for (const ListEntry& entry : session.list("alice")) names.insert(entry.name);
  CHECK(names.size() == 250);
  for (const Ref& ref : refs) CHECK(names.contains(ref.uri().str()));
}
