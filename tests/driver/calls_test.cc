// What a program calls comes after all the rest of it, and outputs that hand on an input are other
// names of its object.
#include <doctest/doctest.h>

#include "driver/session.h"
#include "tests/driver/session_world.h"

using namespace curia;

namespace {

Parties three_parties() {
  Parties parties = alice_and_bob();
  parties["carol"] = {};
  return parties;
}

std::vector<double> numbers(const Value& value) {
  const auto cells = value.tensor().as<double>();
  return {cells.begin(), cells.end()};
}

// Never ends by itself.
Arrays count_for_ever(Program& program, std::string_view party) {
  const Array start = program.constant(party, Tensor::scalar(0.0));
  return while_loop(
      200'000'000, {start}, [&](const Arrays& state) { return state[0] < 1e18; },
      [](const Arrays& state) { return Arrays{state[0] + 1}; });
}

// Fails when it runs: how many rows there are is known then only.
Array failing_pay(Program& program) {
  const Array rows = program.dataset(people());
  const Array some = rows.filter(rows.column("age") > 30).column("pay");
  return some + rows.filter(rows.column("age") > 46).column("pay");
}

PreparedPtr hand_on(const std::string& type) {
  Program program("hand_on");
  program.output("out", program.input("in", parse_type(type)));
  return prepare(program);
}

}  // namespace

TEST_CASE_TEMPLATE("Calls: they use what came before, at several parties, one after the other", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(three_parties());
  Session session = world->connect("dora");
  Program program("calls");
  const Array x = program.input(session.put("alice", vector_of({1, 2})));
  const Array twice = x * 2;
  const Array at_bob = program.call("alice", [&] { return Arrays{(twice + 1).to("bob")}; })[0];
  const Array at_carol = program.call("bob", [&] { return Arrays{(at_bob * 10).to("carol")}; })[0];
  program.output("twice", twice);
  program.output("bob", at_bob);
  program.output("carol", at_carol);
  const Refs refs = session.run(program);
  CHECK(numbers(session.fetch(refs["carol"])) == std::vector<double>{30, 50});
  CHECK(numbers(session.fetch(refs["bob"])) == std::vector<double>{3, 5});
  CHECK(numbers(session.fetch(refs["twice"])) == std::vector<double>{2, 4});
}

TEST_CASE_TEMPLATE("Calls: what was given before one is there while it runs, and stays", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  Program program("long_call");
  const Array x = program.input(session.put("alice", vector_of({1, 2})));
  program.output("early", x + 1);
  const auto add = [&] { return Arrays{(x + 2).to("bob")}; };
  program.output("called", program.call("alice", add)[0]);
  const Array endless = program.call("alice", [&] { return count_for_ever(program, "alice"); })[0];
  program.output("endless", endless);
  program.output("after", program.call("bob", [&] { return Arrays{endless.to("bob")}; })[0]);
  const Refs refs = session.run(program);
  // The third has no end of its own: these could not be fetched if they had to wait for it.
  CHECK(numbers(session.fetch(refs["early"])) == std::vector<double>{2, 3});
  CHECK(numbers(session.fetch(refs["called"])) == std::vector<double>{3, 4});
  session.cancel();
  CHECK(error_of([&] { session.fetch(refs["endless"]); }).code() == Code::kCancelled);
  CHECK(error_of([&] { session.fetch(refs["after"]); }).code() == Code::kCancelled);
  CHECK(error_of([&] { session.wait(); }).code() == Code::kCancelled);
  CHECK(numbers(session.fetch(refs["early"])) == std::vector<double>{2, 3});
  CHECK(numbers(session.fetch(refs["called"])) == std::vector<double>{3, 4});
}

TEST_CASE_TEMPLATE("Calls: what may not leave in one is refused before anything runs", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  Program program("refused");
  const Array x = program.input(session.put("alice", vector_of({1, 2})));
  const Array secret =
      sum(program.dataset({"secret", parse_type("table[1]{number:f64} @alice")}).column("number"));
  program.output("first", x + 1);
  program.output("sent", program.call("alice", [&] { return Arrays{secret.to("bob")}; })[0]);
  const Refs refs = session.run(program);
  const Error why = error_of([&] { session.fetch(refs["first"]); });
  CHECK(why.code() == Code::kDenied);
  CHECK(why.op() == "transfer");
  CHECK(error_of([&] { session.fetch(refs["sent"]); }).code() == Code::kDenied);
  CHECK(error_of([&] { session.wait(); }).code() == Code::kDenied);
}

TEST_CASE_TEMPLATE("Calls: a failure in one is that of all that is made of it", W, OnSimulation,
                   OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  Program program("failing");
  const Array pay = failing_pay(program);
  const Array fails = program.call("alice", [&] { return Arrays{sum(pay).to("bob")}; })[0];
  program.output("fails", fails);
  program.output("after", program.call("bob", [&] { return Arrays{fails + 1}; })[0]);
  program.output("apart", program.call("bob", [&] {
    return Arrays{program.constant("bob", Tensor::scalar(5.0))};
  })[0]);
  const Refs refs = session.run(program);
  CHECK(error_of([&] { session.fetch(refs["fails"]); }).op() == "add");
  CHECK(error_of([&] { session.fetch(refs["after"]); }).op() == "add");
  CHECK(session.fetch(refs["apart"]).tensor().template as<double>()[0] == 5);
}

TEST_CASE_TEMPLATE("Calls: to parties that the driver's next runs are for, in no circle", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(three_parties());
  Session session = world->connect("dora");
  Program calling("calling");
  const Array x = calling.input("x", parse_type("f64[2] @alice"));
  const Array there = calling.call("alice", [&] {
    const Array sent = x.to("bob").to("carol") + 1;
    return Arrays{sent.to("bob").to("carol")};
  })[0];
  calling.output("there", there);
  const PreparedPtr caller = prepare(calling);
  // Has no part at alice, who calls: its order beside the calls is bob's and carol's to keep.
  Program between("between");
  const Array b = between.input("b", parse_type("f64[2] @bob"));
  between.output("back", (b.to("carol") * 2).to("bob"));
  const PreparedPtr next = prepare(between);
  const Ref start = session.put("alice", vector_of({1, 2}));
  Ref at_bob = session.put("bob", vector_of({1, 1}));
  std::vector<Ref> called;
  for (int i = 0; i < 60; ++i) {
    called.push_back(session.run(caller, {{"x", start}})["there"]);
    if (i < 40) at_bob = session.run(next, {{"b", at_bob}})["back"];
  }
  session.wait();
  CHECK(numbers(session.fetch(at_bob))[0] == 0x1p40);
  for (const Ref& ref : called) CHECK(numbers(session.fetch(ref)) == std::vector<double>{2, 3});
}

TEST_CASE("Calls: the program tells where one cannot stand, with its line") {
  Program program("wrong");
  const Array x = program.input("x", parse_type("f64[2] @alice"));
  const Array called = program.call("alice", [&] { return Arrays{x + 1}; })[0];
  const Error used = error_of([&] { called + 1; });
  CHECK(used.message().starts_with("the result of a call comes after all that is no call"));
  CHECK(used.op() == "add");
  const auto steered = [&] { return Arrays{called}; };
  CHECK(error_of([&] { cond(sum(x) > 0, steered, steered); }).message() == used.message());
  const auto nested = [&] { return program.call("alice", [&] { return Arrays{x + 1}; }); };
  CHECK(error_of([&] { program.call("alice", nested); }).message() ==
        "a call stands outside of branches, loops and other calls");
  CHECK(error_of([&] { cond(sum(x) > 0, nested, nested); }).op() == "call");
  CHECK(error_of([&] { program.call("", [&] { return Arrays{x}; }); }).op() == "call");
  // Ops after a call are before it in the graph.
  program.output("called", called);
  program.output("other", x * 2);
  CHECK(program.graph().ops.back().name == "call");
}

TEST_CASE_TEMPLATE("Aliases: an output that hands on an input is its object, until both are gone",
                   W, OnSimulation, OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  const std::int64_t none = stat(session, "alice", "memory_bytes");
  const std::vector<double> many(100'000, 0.5);
  Ref value = session.put("alice", vector_of(many));
  session.wait();
  const std::int64_t one = stat(session, "alice", "memory_bytes") - none;
  const PreparedPtr program = hand_on("f64[100000] @alice");
  std::vector<Ref> names{value};
  for (int i = 0; i < 1000; ++i) {
    names.push_back(session.run(program, {{"in", names.back()}})["out"]);
  }
  session.wait();
  CHECK(stat(session, "alice", "memory_bytes") - none < one + one / 2);
  CHECK(stat(session, "alice", "objects") == 1001);
  const DescribeReply of_value = session.describe(value), of_name = session.describe(names.back());
  CHECK(of_name.lineage == of_value.lineage);
  CHECK(of_name.label == of_value.label);
  // Any order of letting go.
  const Ref last = names.back(), middle = names[500];
  value = Ref();
  names.clear();
  CHECK(comes_true([&] { return stat(session, "alice", "objects") == 2; }));
  CHECK(numbers(session.fetch(last)) == many);
  CHECK(numbers(session.fetch(middle)) == many);
}

TEST_CASE_TEMPLATE("Refs: what a value speaks of is kept with it and with its other names", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  Ref part = session.put("bob", vector_of({1, 2}));
  Table list;
  list.rows = 1;
  list.columns = {{"part", StringColumn::of({part.json()})}};
  Ref whole = session.put("alice", list, {.keeps = {part}});
  Ref again = session.put("alice", vector_of({3}), {.keeps = {whole}});
  part = Ref();
  whole = Ref();
  session.wait();
  CHECK(stat(session, "bob", "objects") == 1);
  CHECK(stat(session, "alice", "objects") == 2);
  const Ref name = session.run(hand_on("f64[1] @alice"), {{"in", again}})["out"];
  again = Ref();
  CHECK(comes_true([&] { return stat(session, "alice", "objects") == 2; }));
  CHECK(stat(session, "bob", "objects") == 1);
  {
    // Only the name is left.
    Ref last = name;
    CHECK(numbers(session.fetch(last)) == std::vector<double>{3});
  }
  const Ref text = session.put("alice", vector_of({0}));
  const Error weak =
      error_of([&] { session.put("alice", vector_of({0}), {.keeps = {Ref::parse(text.json())}}); });
  CHECK(weak.code() == Code::kInvalid);
  CHECK(weak.message().find("a weak reference") != std::string::npos);
  Session other = world->connect("dora");
  const Error others = error_of([&] { other.put("alice", vector_of({0}), {.keeps = {text}}); });
  CHECK(others.message().find("another session's") != std::string::npos);
}

TEST_CASE("Refs: a long chain of what is kept goes with its last") {
  const auto world = OnSimulation::make(alice_and_bob());
  Session session = world->connect("dora");
  Ref last = session.put("alice", vector_of({0}));
  for (int i = 0; i < 20'000; ++i) last = session.put("alice", vector_of({1}), {.keeps = {last}});
  session.wait();
  CHECK(stat(session, "alice", "objects") == 20'001);
  last = Ref();
  CHECK(comes_true([&] { return stat(session, "alice", "objects") == 0; }));
}

TEST_CASE_TEMPLATE("Aliases: the owners' rules are those of the object itself", W, OnSimulation,
                   OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  Program program("read");
  const Array secret = program.dataset({"secret", parse_type("table[1]{number:f64} @alice")});
  const Array pay = program.dataset(people()).column("pay");
  program.output("secret", secret.column("number"));
  program.output("pay", pay);
  const Refs refs = session.run(program);
  const Ref hidden = session.run(hand_on("f64[1] @alice"), {{"in", refs["secret"]}})["out"];
  const Ref open = session.run(hand_on("f64[4] @alice"), {{"in", refs["pay"]}})["out"];
  CHECK(numbers(session.fetch(open))[3] == 4.25);
  const Error denied = error_of([&] { session.fetch(hidden); });
  CHECK(denied.code() == Code::kDenied);
  CHECK(denied.message() == error_of([&] { session.fetch(refs["secret"]); }).message());
  // Nobody else has it by that name.
  Session other = world->connect("dora");
  CHECK(error_of([&] { other.fetch(Ref::parse(open.json())); }).code() == Code::kNotFound);
}

TEST_CASE_TEMPLATE("Aliases: the other name of a failure fails like it", W, OnSimulation,
                   OnProcesses) {
  const auto world = W::make(alice_and_bob());
  Session session = world->connect("dora");
  Program program("failing");
  program.output("out", failing_pay(program));
  const Ref failed = session.run(program)["out"];
  const Ref name = session.run(hand_on("f64[?] @alice"), {{"in", failed}})["out"];
  const Error first = error_of([&] { session.fetch(failed); });
  CHECK(first.op() == "add");
  CHECK(error_of([&] { session.fetch(name); }).message() == first.message());
}
