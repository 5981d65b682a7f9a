// Values on a secure device, as a driver program uses them: in a simulation and in real processes.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/driver/secret_world.h"

using namespace curia;

namespace {

Simulation four_simulated(const std::vector<std::string>& readers) {
  return Simulation(four_parties(readers), {"dora", "mallory"});
}

template <class T>
std::vector<T> values_of(const Value& value) {
  const auto values = value.tensor().as<T>();
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE_TEMPLATE("Secret: shared by two owners, added and multiplied, revealed and fetched", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(four_parties({"carol", "dora"}));
  Session session = world->connect("dora");
  Program program("product");
  const Device abc = program.device("abc", kMembers);
  const Array a = secret_of(program, abc, "alice");
  const Array b = secret_of(program, abc, "bob");
  const Array result = a * b + a;
  program.output("secret", result);
  program.output("plain", result.reveal("carol"));
  const Refs refs = session.run(program);
  const std::vector<double> expected = {4.5, -10, 1.5, 2.25};
  check_near(session.fetch(refs["plain"]), expected);
  check_near(session.fetch(refs["secret"]), expected);
  CHECK(refs["secret"].type().str() == "secret<fixed,18>[4] @abc");
  CHECK(refs["secret"].parties() == kMembers);
  CHECK(refs["plain"].party() == "carol");
}

TEST_CASE_TEMPLATE("Secret: numbers, constants and other programs' secrets mix with secrets", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(four_parties({"dora"}));
  Session session = world->connect("dora");
  Program first("first");
  const Device abc = first.device("abc", kMembers);
  const Array a = secret_of(first, abc, "alice");  // 1.5 -2 3 0.25
  const Array steps = first.iota(abc, 4);
  first.output("mixed", 2 * a - 0.5 + a * steps);
  first.output("positive", a > 0);
  first.output("best", argmax(a, 0));
  first.output("mean", mean(a));
  const Refs refs = session.run(first);
  check_near(session.fetch(refs["mixed"]), {2.5, -6.5, 11.5, 0.75});
  CHECK(values_of<bool>(session.fetch(refs["positive"])) ==
        std::vector<bool>{true, false, true, true});
  CHECK(values_of<std::int64_t>(session.fetch(refs["best"])) == std::vector<std::int64_t>{2});
  check_near(session.fetch(refs["mean"]), {0.6875});

  Program second("second");
  const Array mixed = second.input(refs["mixed"]);
  const Array b = secret_of(second, second.device("abc", kMembers), "bob");  // 2 4 -0.5 8
  second.output("chosen", select(second.input(refs["positive"]), mixed, b));
  second.output("largest", max(concat({mixed, b}, 0)));
  const Refs chosen = session.run(second);
  check_near(session.fetch(chosen["chosen"]), {2.5, 4, 11.5, 0.75});
  check_near(session.fetch(chosen["largest"]), {11.5});
}

TEST_CASE_TEMPLATE("Secret: an owner and a recipient may be no members, or members", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(four_parties({"alice", "bob", "dan", "carol", "dora"}));
  Session session = world->connect("dora");
  Program program("both");
  const Device abc = program.device("abc", kMembers);
  const Array a = secret_of(program, abc, "alice");
  const Array d = secret_of(program, abc, "dan");  // 10 20 30.5 40
  const Array total = a + d;
  program.output("dans", total.reveal("dan"));
  program.output("alices", total.reveal("alice", "again"));
  const Array whole = program.constant("dan", Tensor::of<std::int64_t>({2}, {-7, 1L << 40}));
  program.output("ints", (whole.to(abc) * 3).reveal("dan"));
  const Array bits = program.constant("bob", Tensor::of<bool>({3}, std::array{true, false, true}));
  program.output("bits", (!bits.to(abc)).reveal("dan"));
  const Refs refs = session.run(program);
  check_near(session.fetch(refs["dans"]), {11.5, 18, 33.5, 40.25});
  check_near(session.fetch(refs["alices"]), {11.5, 18, 33.5, 40.25});
  CHECK(values_of<std::int64_t>(session.fetch(refs["ints"])) ==
        std::vector<std::int64_t>{-21, 3L << 40});
  CHECK(values_of<bool>(session.fetch(refs["bits"])) == std::vector<bool>{false, true, false});
}

TEST_CASE_TEMPLATE("Secret: loops carry secrets, and plain predicates steer what members do", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(four_parties({"alice", "bob", "carol", "dora"}));
  Session session = world->connect("dora");
  Program program("loops");
  const Device abc = program.device("abc", kMembers);
  const Array a = secret_of(program, abc, "alice");
  const Arrays powers = for_loop(3, {a}, [&](const Arrays& state, const Index& index) {
    return Arrays{state[0] * a + index(abc)};
  });
  program.output("powers", powers[0]);
  const Array large = (sum(a) > 2).reveal("bob");  // 2.75
  program.output("branch",
                 cond(
                     large, [&] { return Arrays{a * 2}; }, [&] { return Arrays{a * 3}; })[0]);
  const Refs refs = session.run(program);
  std::vector<double> expected;
  for (const double x : {1.5, -2.0, 3.0, 0.25}) {
    double power = x;
    for (int i = 0; i < 3; ++i) power = power * x + i;
    expected.push_back(power);
  }
  check_near(session.fetch(refs["powers"]), expected, 64);
  check_near(session.fetch(refs["branch"]), {3, -4, 6, 0.5});
}

TEST_CASE_TEMPLATE("Secret: what the driver puts it may share without anybody's grant", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(four_parties({}));
  Session session = world->connect("dora");
  const Ref put = session.put("dan", vector_of({0.5, -1.25}));
  Program program("own");
  const Device abc = program.device("abc", kMembers);
  const Array own = program.input(put).to(abc, {.fraction_bits = 24, .label = "mine"});
  program.output("out", own * own);
  const Refs refs = session.run(program);
  CHECK(refs["out"].type().str() == "secret<fixed,24>[2] @abc");
  check_near(session.fetch(refs["out"]), {0.25, 1.5625});
}

TEST_CASE_TEMPLATE("Secret: numbers out of range saturate, and the run does not tell", W,
                   OnSimulation) {
  const auto world = W::make(four_parties({}));
  Session session = world->connect("dora");
  const double inf = std::numeric_limits<double>::infinity();
  const Ref put = session.put("alice", vector_of({1e300, -inf, std::nan(""), 3}));
  Program program("wide");
  program.output("out", program.input(put).to(program.device("abc", kMembers)));
  const auto found = values_of<double>(session.fetch(session.run(program)["out"]));
  CHECK(found[0] > 1.7e13);
  CHECK(found[1] < -1.7e13);
  CHECK(found[2] == 0);
  CHECK(found[3] == 3);
}

TEST_CASE(
    "Secret: a saved reference names the members, and describe, list and release reach them") {
  Simulation cluster = four_simulated({"dora"});
  Session session(cluster.wiring("dora"), {});
  Program program("kept");
  const Device abc = program.device("abc", kMembers);
  program.output("secret", secret_of(program, abc, "alice"));
  Ref ref = session.run(program)["secret"];
  const Ref back = Ref::parse(ref.json());
  CHECK(back.json() == ref.json());
  CHECK(back.parties() == kMembers);
  check_near(session.fetch(back), {1.5, -2, 3, 0.25});
  const DescribeReply about = session.describe(back);
  CHECK(about.type == ref.type());
  CHECK(about.label == "{alice/x}");
  CHECK(about.state == "ready");
  CHECK(about.bytes == 64);  // two parts of four elements
  for (const std::string& member : kMembers) {
    INFO(member);
    const auto listed = session.list(member);
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].name == ref.uri().str());
    CHECK(listed[0].type == ref.type());
  }
  CHECK(session.list("dan").empty());
  ref = Ref();
  for (const std::string& member : kMembers) {
    CHECK(comes_true([&] { return session.list(member).empty(); }));
  }
  CHECK_THROWS_AS(Ref::parse(R"({"uri":"mem://00112233445566778899aabbccddeeff",)"
                             R"("type":"secret<int>[4] @abc","session":"","task":1,"program":"",)"
                             R"("output":"x","file":"","line":0})"),
                  Error);
}

TEST_CASE("Secret: the program says at once what is wrong, with the line") {
  Program program("wrong");
  const Device abc = program.device("abc", kMembers);
  const Array a = program.constant("alice", vector_of({1, 2}));
  const Array s = a.to(abc);
  const auto says = [](const std::function<void()>& f, const std::string& part) {
    const Error error = error_of(f);
    INFO(std::string(error.what()));
    CHECK(error.code() == Code::kInvalid);
    CHECK(error.message().find(part) != std::string::npos);
    CHECK(error.site().str().find("secret_test.cc") == 0);
  };
  says([&] { s + a; }, "move it first with .to(\"abc\")");
  says([&] { a + s; }, "move it first with .reveal(\"alice\")");
  says([&] { s.to("bob"); }, "leaves its device by reveal only");
  says([&] { a.reveal("bob"); }, "it is plain already");
  says([&] { tanh(s); }, "is not offered on secure device abc");
  says([&] { s / s; }, "is not offered on secure device abc");
  says([&] { s & 1; }, "secret<bool>");
  CHECK_THROWS_AS(program.device("two", {"alice", "bob"}), Error);
  CHECK_THROWS_AS(program.device("abc", {"bob", "alice", "carol"}), Error);
  CHECK(&s.to(abc).type() == &s.type());
}

TEST_CASE_TEMPLATE("Secret: what ops took is told after the run, the same at a plain repeat", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(four_parties({"carol"}));
  Session session = world->connect("dora");
  Program program("costs");
  const Device abc = program.device("abc", kMembers);
  const Array a = secret_of(program, abc, "alice");
  program.output("plain", (a * a).reveal("dan"));
  Parties unused;
  const PreparedPtr prepared = prepare(program);
  std::map<std::string, std::vector<MpcUse>> before;
  for (int run = 0; run < 2; ++run) {
    const Ref ref = session.run(prepared)["plain"];
    CHECK_THROWS_AS(session.wait(), Error);  // dan was granted nothing
    CHECK(session.measured(ref.facts().task).empty());
  }
  Program open("costs");
  const Array b = secret_of(open, open.device("abc", kMembers), "bob");
  open.output("plain", (b * b).reveal("carol"));
  for (int run = 0; run < 2; ++run) {
    const Ref ref = session.run(open)["plain"];
    session.wait();
    auto measured = session.measured(ref.facts().task);
    REQUIRE(measured.size() == 3);
    CHECK(measured.at("bob").size() == 3);  // share, mul, reveal
    CHECK(measured.at("alice")[1].rounds >= 1);
    CHECK(measured.at("alice")[1].bytes > 0);
    if (run == 1) {
      CHECK(measured.at("alice")[1].bytes == before.at("alice")[1].bytes);
      CHECK(measured.at("alice")[1].rounds == before.at("alice")[1].rounds);
    }
    before = std::move(measured);
  }
  CHECK(stat(session, "alice", "mpc_bytes") > 0);
  CHECK(session.measured(99).empty());
}

TEST_CASE_TEMPLATE("Secret: cancel ends a long secure run at every member", W, OnSimulation,
                   OnProcesses) {
  const auto world = W::make(four_parties({}));
  Session session = world->connect("dora");
  Program program("long");
  const Device abc = program.device("abc", kMembers);
  const Array a = secret_of(program, abc, "alice");
  program.output("out", for_loop(1'000'000'000 / 4, {a}, [&](const Arrays& s, const Index&) {
                   return Arrays{s[0] * a};
                 })[0]);
  session.run(program);
  CHECK(comes_true([&] {
    for (const StatusReply& status : session.status()) {
      if (status.party != "dan" && status.queued == 0) return false;
    }
    return true;
  }));
  session.cancel();
  CHECK(error_of([&] { session.wait(std::chrono::seconds(30)); }).code() == Code::kCancelled);
  for (const std::string& member : kMembers) CHECK(stat(session, member, "failed_runs") == 1);
}

TEST_CASE("Secret: a member that dies ends the run at the others, with op and line") {
  Simulation cluster = four_simulated({});
  Session session(cluster.wiring("dora"), {});
  Program program("long");
  const Device abc = program.device("abc", kMembers);
  const Array a = secret_of(program, abc, "alice");
  program.output("out", for_loop(1'000'000'000 / 4, {a}, [&](const Arrays& s, const Index&) {
                   return Arrays{s[0] * a};
                 })[0]);
  session.run(program);
  CHECK(comes_true([&] { return stat(session, "alice", "runs") == 0; }));
  cluster.kill("carol");
  const Error error = error_of([&] { session.wait(std::chrono::seconds(30)); });
  INFO(std::string(error.what()));
  const bool lost = error.code() == Code::kPeerLost || error.code() == Code::kWorkerLost ||
                    error.code() == Code::kSessionOver;
  CHECK(lost);
  CHECK(comes_true([&] { return stat(session, "alice", "failed_runs") == 1; }));
}
