#include "driver/session.h"

#include <doctest/doctest.h>

#include "tests/driver/session_world.h"

using namespace curia;

namespace {

PreparedPtr plus_one() {
  Program program("plus_one");
  program.output("out", program.input("in", parse_type("f64[2] @alice")) + 1);
  return prepare(program);
}

}  // namespace

TEST_CASE_TEMPLATE("Session: an object is released when the last copy of its Ref goes", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  Ref kept = session.put("alice", vector_of({1, 2}));
  {
    const Ref gone = session.put("alice", vector_of({3}));
    const Ref copy = kept;
    const Refs refs = session.run(plus_one(), {{"in", kept}});
    const Ref weak = Ref::parse(kept.json());
    CHECK(session.fetch(weak).tensor().as<double>()[1] == 2);
    session.wait();
    CHECK(stat(session, "alice", "objects") == 3);
  }
  CHECK(comes_true([&] { return stat(session, "alice", "objects") == 1; }));
  CHECK(session.fetch(kept).tensor().as<double>()[0] == 1);
  kept = Ref();
  CHECK(comes_true([&] { return stat(session, "alice", "objects") == 0; }));
}

TEST_CASE_TEMPLATE("Session: its objects go when it ends, and refs may outlive it", W, OnSimulation,
                   OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session other = world->connect("dora");
  const Ref others = other.put("alice", vector_of({9}));
  Ref survivor;
  {
    Session session = world->connect("dora");
    survivor = session.put("alice", vector_of({1, 2}));
    session.put("bob", vector_of({1}));
    session.wait();
    CHECK(stat(other, "alice", "objects") == 2);
  }
  CHECK(comes_true(
      [&] { return stat(other, "alice", "objects") == 1 && stat(other, "bob", "objects") == 0; }));
  CHECK(other.fetch(others).tensor().as<double>()[0] == 9);
  CHECK(error_of([&] { other.fetch(survivor); }).code() == Code::kNotFound);
}

TEST_CASE_TEMPLATE("Session: 2,000 runs submitted without waiting finish in order", W, OnSimulation,
                   OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  const PreparedPtr program = plus_one();
  Ref value = session.put("alice", vector_of({0, 0.5}));
  std::vector<Ref> all;
  for (int i = 0; i < 2000; ++i) {
    value = session.run(program, {{"in", value}})["out"];  // used before it exists
    if (i % 100 == 0) all.push_back(value);
  }
  CHECK(session.fetch(value).tensor().as<double>()[1] == 2000.5);
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(session.fetch(all[i]).tensor().as<double>()[0] == static_cast<double>(100 * i + 1));
    CHECK(all[i].facts().task == 100 * i + 1);
  }
  session.wait();
  CHECK(stat(session, "alice", "runs") == 2000);
}

TEST_CASE_TEMPLATE("Session: runs at two parties use each other's results before they exist", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  Program there("there");
  there.output("out", (there.input("in", parse_type("f64[2] @alice")) * 2).to("bob"));
  Program back("back");
  back.output("out", (back.input("in", parse_type("f64[2] @bob")) + 1).to("alice"));
  const PreparedPtr both[] = {prepare(there), prepare(back)};
  Ref value = session.put("alice", vector_of({0, 1}));
  for (int i = 0; i < 40; ++i) value = session.run(both[i % 2], {{"in", value}})["out"];
  const Value found = session.fetch(value);
  CHECK(found.tensor().as<double>()[0] == (1 << 20) - 1);
  CHECK(found.tensor().as<double>()[1] == (1 << 21) - 1);
}

TEST_CASE_TEMPLATE("Session: what depends on a failed run fails with the first cause", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  Program program("failing");
  const int line = write_failing(program);
  const Refs failed = session.run(program);
  Program next("next");
  next.output("out", next.input("in", failed["out"].type()) * 2);
  next.output("there", next.input("more", failed["out"].type()).to("bob"));
  const Refs dependant = session.run(next, {{"in", failed["out"]}, {"more", failed["out"]}});
  Program last("last");
  last.output("out", last.input(dependant["there"]) * 2);
  const Refs third = session.run(last);
  for (const Ref& ref : {failed["out"], dependant["out"], dependant["there"], third["out"]}) {
    const Error error = error_of([&] { session.fetch(ref); });
    INFO(ref.str() << ": " << error.what());
    CHECK(error.code() != Code::kNotFound);
    CHECK(error.party() == "alice");
    CHECK(error.op() == "cond");
    CHECK(error.site().str() == "session_world.h:" + std::to_string(line));
    CHECK(session.describe(ref).state == "failed");
  }
  const Error first = error_of([&] { session.wait(); });
  CHECK(first.op() == "cond");
  session.wait();  // it was told once
}

TEST_CASE_TEMPLATE("Session: a fetch that times out names who waits for whom, at which line", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  Program program("slow");
  const Array zero = program.constant("bob", Tensor::scalar(0.0));
  const Arrays counted = for_loop(
      100'000'000, {zero}, [](const Arrays& state, const Index&) { return Arrays{state[0] + 1}; });
  const int line = __LINE__ + 1;
  program.output("out", counted[0].to("alice") + 1);
  const Refs refs = session.run(program);
  const Error error =
      error_of([&] { session.fetch(refs["out"], std::chrono::milliseconds(2500)); });
  INFO(error.what());
  CHECK(error.code() == Code::kTimeout);
  const std::string message = error.message();
  CHECK(message.find(refs["out"].uri().str()) != std::string::npos);
  CHECK(message.find("alice waits for bob (transfer, op transfer at session_test.cc:" +
                     std::to_string(line) + ", task 1)") != std::string::npos);

  // And cancel() ends it, with what waits behind it.
  const Ref value = session.put("alice", vector_of({1, 2}));
  const Refs behind = session.run(plus_one(), {{"in", value}});
  session.cancel();
  CHECK(error_of([&] { session.fetch(refs["out"]); }).code() == Code::kCancelled);
  CHECK(error_of([&] { session.fetch(behind["out"]); }).code() == Code::kCancelled);
  CHECK(error_of([&] { session.wait(); }).code() == Code::kCancelled);
  // What comes later runs, with the value that was put.
  const Refs after = session.run(plus_one(), {{"in", value}});
  CHECK(session.fetch(after["out"]).tensor().as<double>()[1] == 3);
}

TEST_CASE_TEMPLATE("Session: another's objects are not found, with the words for none at all", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session mine = world->connect("dora");
  Session second = world->connect("dora");
  Session mallory = world->connect("mallory");
  const Ref ref = mine.put("alice", vector_of({1, 2}));
  mine.wait();
  RefFacts none = ref.facts();
  none.uri = Uri::fresh();
  const auto text_of = [](const Error& error, const Ref& of) {
    std::string text = error.what();
    for (auto at = text.find(of.uri().str()); at != std::string::npos;
         at = text.find(of.uri().str())) {
      text.replace(at, of.uri().str().size(), "URI");
    }
    return text;
  };
  const Ref weak = Ref::parse(ref.json());
  const Ref missing(none, nullptr);
  for (Session* session : {&second, &mallory}) {
    const auto ask = [&](const Ref& of, int what) {
      const Error error = error_of([&] {
        if (what == 0) session->fetch(of);
        if (what == 1) session->describe(of);
        if (what == 2) session->fetch(session->run(plus_one(), {{"in", of}})["out"]);
      });
      CHECK(error.code() == Code::kNotFound);
      return text_of(error, of);
    };
    for (const int what : {0, 1, 2}) CHECK(ask(weak, what) == ask(missing, what));
    session->release(weak);
    for (const ListEntry& entry : session->list("alice")) CHECK(entry.name != ref.uri().str());
  }
  CHECK(mine.fetch(ref).tensor().as<double>()[0] == 1);
  CHECK(mine.list("alice").size() == 1);
}

TEST_CASE_TEMPLATE("Session: a run with an input that is missing at one party ends at all", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  Program program("both");
  const Array y = program.input("y", parse_type("f64[2] @bob"));
  program.output("out", program.dataset(people()).column("pay").slice({0}, {2}) + y.to("alice"));
  Ref put = session.put("bob", vector_of({1, 2}));
  RefFacts facts = put.facts();
  facts.uri = Uri::fresh();
  const Refs refs = session.run(program, {{"y", Ref(facts, nullptr)}});
  const Error error = error_of([&] { session.fetch(refs["out"]); });
  CHECK(error.code() == Code::kNotFound);
  CHECK(error.party() == "bob");
  const Refs good = session.run(program, {{"y", put}});
  CHECK(session.fetch(good["out"]).tensor().as<double>()[1] == 4.5);
}

TEST_CASE("Session: submitted runs were overtaken on their way by later ones, and by the fetch") {
  const auto world = simulated_world(alice_and_bob());
  Session session = world->connect();
  const PreparedPtr program = plus_one();
  for (int round = 0; round < 10; ++round) {
    Ref value = session.put("alice", vector_of({0, 0.5}));
    for (int i = 0; i < 3000; ++i) value = session.run(program, {{"in", value}})["out"];
    CHECK(session.fetch(value).tensor().as<double>()[0] == 3000);
  }
  session.wait();
}

TEST_CASE("Session: wait() could return before a failure was noted") {
  const auto world = simulated_world(alice_and_bob());
  Session session = world->connect();
  Program program("failing");
  write_failing(program);
  const PreparedPtr failing = prepare(program);
  for (int i = 0; i < 500; ++i) {
    session.run(failing);
    CHECK(error_of([&] { session.wait(); }).op() == "cond");
  }
  session.wait();
}

TEST_CASE("Session: wait() tells the first failure of several") {
  const auto world = simulated_world(alice_and_bob());
  Session session = world->connect();
  Program failing("failing");
  write_failing(failing);
  session.run(failing);
  Program strange("strange");
  strange.output("out", strange.dataset({"none", parse_type("f64[1] @alice")}));
  session.run(strange);
  session.run(failing);
  CHECK(error_of([&] { session.wait(); }).op() == "cond");
  session.run(strange);
  CHECK(error_of([&] { session.wait(); }).code() == Code::kNotFound);
}

TEST_CASE("Session: a run with wrong inputs is refused before it is sent") {
  const auto world = simulated_world(alice_and_bob());
  Session session = world->connect();
  const PreparedPtr program = plus_one();
  CHECK_THROWS_WITH_AS(session.run(program), doctest::Contains("input \"in\" (f64[2] @alice)"),
                       Error);
  const Ref bob = session.put("bob", vector_of({1, 2}));
  CHECK_THROWS_WITH_AS(session.run(program, {{"in", bob}}), doctest::Contains("f64[2] @bob"),
                       Error);
  const Ref longer = session.put("alice", vector_of({1, 2, 3}));
  CHECK_THROWS_WITH_AS(session.run(program, {{"in", longer}}), doctest::Contains("f64[3] @alice"),
                       Error);
  const Ref good = session.put("alice", vector_of({1, 2}));
  CHECK_THROWS_WITH_AS(session.run(program, {{"in", good}, {"out", good}}),
                       doctest::Contains("no input \"out\""), Error);
  CHECK_THROWS_AS(session.run(program, {{"in", Ref()}}), Error);
  // A ref may claim a type that its object does not have; the worker looks at the object.
  RefFacts liar = longer.facts();
  liar.type = good.type();
  const Refs refs = session.run(program, {{"in", Ref(liar, nullptr)}});
  CHECK_THROWS_WITH_AS(session.fetch(refs["out"]), doctest::Contains("f64[3]"), Error);
  CHECK_THROWS_WITH_AS(refs["nothing"], doctest::Contains("it has out"), Error);
  CHECK_THROWS_WITH_AS(session.put("zoe", vector_of({1})), doctest::Contains("alice, bob"), Error);
  CHECK_THROWS_WITH_AS(session.dataset("alice", "none"), doctest::Contains("no dataset \"none\""),
                       Error);
}

TEST_CASE("Session: one program too many for a worker left the other parties waiting") {
  const auto world = simulated_world(alice_and_bob());
  Session session = world->connect();
  std::vector<Ref> refs;
  for (int i = 0; i < kMaxPrepared; ++i) {
    Program program("p");
    program.output("out", program.constant("bob", Tensor::scalar(std::int64_t{i})));
    refs.push_back(session.run(program)["out"]);
  }
  Program both("both");
  both.output("out", both.dataset(people()).to("bob"));
  CHECK(error_of([&] { session.run(both); }).code() == Code::kQuota);
  session.wait();
  CHECK(session.fetch(refs.back()).tensor().as<std::int64_t>()[0] == kMaxPrepared - 1);
}

TEST_CASE(
    "Session: small programs of many wide tables are refused before their types fill memory") {
  const auto world = simulated_world(alice_and_bob());
  Session session = world->connect();
  TableType wide{{}, kUnknown};
  for (int i = 0; i < 4000; ++i) wide.columns.push_back({"c" + std::to_string(i), DType::kU8});
  std::vector<PreparedPtr> programs;
  for (int i = 0; i < 4; ++i) {
    Graph graph;
    graph.name = "wide";
    graph.inputs = {{"t", Type{wide, "alice"}},
                    {"m", Type{TensorType{DType::kBool, {kUnknown}}, "alice"}}};
    for (int k = 0; k < 350; ++k) graph.ops.push_back({"filter", "alice", {0, 1}, {}, {}});
    graph.outputs.push_back({"out" + std::to_string(i), 2});
    programs.push_back(prepare(std::move(graph)));
  }
  std::int64_t taken = 0;
  const Error error = error_of([&] {
    for (const PreparedPtr& program : programs) {
      std::map<std::string, Ref> none;
      for (const GraphInput& input : program->graph.inputs) {
        none[input.name] = Ref(RefFacts{.uri = Uri::fresh(), .type = input.type}, nullptr);
      }
      session.run(program, none);
      taken += program->verified.own_bytes();
    }
  });
  CHECK(error.code() == Code::kQuota);
  CHECK(taken > 0);
  CHECK(taken <= kMaxPreparedTypes);
}

TEST_CASE("Session: programs of too many bytes are refused before any party hears of the run") {
  const auto world = simulated_world(alice_and_bob());
  Session session = world->connect();
  const auto run = [&](int i) {
    Program program("p");
    const std::vector<double> numbers(7000, i);
    program.output("out", program.constant("bob", vector_of(numbers)).to("alice"));
    session.run(program);
  };
  int sent = 0;
  const Error error = error_of([&] {
    for (; sent < 1000; ++sent) run(sent);
  });
  CHECK(error.code() == Code::kQuota);
  CHECK(sent > 250);
  session.wait();
  run(0);  // this one is known
  session.wait();
}

TEST_CASE("Session: after close() every call says that it is over") {
  const auto world = simulated_world(alice_and_bob());
  Session session = world->connect();
  const Ref ref = session.put("alice", vector_of({1, 2}));
  session.close();
  session.close();
  CHECK(error_of([&] { session.fetch(ref); }).code() == Code::kSessionOver);
  CHECK(error_of([&] { session.put("alice", vector_of({1})); }).code() == Code::kSessionOver);
  CHECK(error_of([&] { session.run(plus_one(), {{"in", ref}}); }).code() == Code::kSessionOver);
}
