// Approvals by lineage, from the plan of a driver program to its run: what was approved can be
// done, and nothing else can be put in its place.
#include <doctest/doctest.h>

#include "driver/session.h"
#include "tests/driver/session_world.h"
#include "tests/support/errors.h"
#include "tests/support/planned.h"
#include "worker/simulation/simulation.h"

using namespace curia;

namespace {

const DatasetInfo kPay{"pay", parse_type("table[3]{amount:f64} @alice")};

Table amounts(std::vector<double> values) {
  const auto rows = std::ssize(values);
  return {{{"amount", Tensor::of<double>({rows}, values)}}, rows};
}

std::map<std::string, SimulatedParty> parties() {
  std::map<std::string, SimulatedParty> parties;
  parties["alice"].datasets.emplace("pay", amounts({1, 2, 3}));
  parties["alice"].datasets.emplace("bonus", amounts({10, 20, 30}));
  parties["bob"];
  parties["carol"];
  return parties;
}

// The driver program of these tests: what alice earns, scaled by a put number, summed, at bob.
struct Script {
  DatasetInfo dataset = kPay;
  double scale = 2;
  std::string salt = "a salt that is secret";
  bool mean = false;

  // The sum, as it would be fetched.
  Ref run(Session& session) const {
    const Ref factor = session.put("alice", Tensor::scalar(scale), {.salt = salt});
    Program first("scale");
    first.output("scaled", first.dataset(dataset).column("amount") * first.input(factor));
    const Refs scaled = session.run(first);
    Program second("sum");
    const Array values = second.input(scaled["scaled"]);
    second.output("total", (mean ? curia::mean(values) : sum(values)).to("bob"));
    return session.run(second)["total"];
  }
  double fetch(Session& session) const {
    return session.fetch(run(session)).tensor().as<double>()[0];
  }
};

// What `script` would release, as the session's plan says.
template <class F>
ReleasePlan planned(Simulation& simulation, const F& script) {
  return planned(simulation.wiring("dora"), script);
}

Approval approved(const ReleasePlan& plan, std::int64_t times = 1) {
  Approval approval = approval_of(plan, check_plan(plan), "alice");
  approval.times = times;
  approval.until = parse_time("2200-01-01T00:00:00Z");
  approval.nonce = random_digest();
  return approval;
}

Session session_of(Simulation& simulation) { return Session(simulation.wiring("dora"), {}); }

Error refusal(Simulation& simulation, const Script& script) {
  return error_of([&] {
    Session session = session_of(simulation);
    script.fetch(session);
  });
}

const std::vector<std::string> kMembers = {"alice", "bob", "carol"};

// With a grant to share.
std::map<std::string, SimulatedParty> sharing() {
  auto all = parties();
  all["alice"].grants = {
      {.source = "pay", .to = "", .members = {"alice", "bob", "carol"}, .protocol = "replicated3"}};
  return all;
}

// alice's amounts on shares, in an order that nobody knows, another one in each run.
PreparedPtr mixed() {
  Program program("mixed");
  const Device abc = program.device("abc", kMembers);
  program.output("mixed", shuffle(program.dataset(kPay).column("amount").to(abc)));
  return prepare(program);
}

// The first of them goes to `to`.
void show_first(Session& session, const Ref& mixed, const std::string& to) {
  Program program("first." + to);
  program.device("abc", kMembers);
  program.output("first", program.input(mixed).slice({0}, {1}).reveal(to));
  session.run(program);
  session.wait();
}

}  // namespace

TEST_CASE("Approval: a driver program of several runs does what was approved, so many times") {
  Simulation simulation(parties(), {"dora"});
  const Script script;
  CHECK(refusal(simulation, script).code() == Code::kDenied);
  const ReleasePlan plan = planned(simulation, [&](Session& session) {
    CHECK(script.fetch(session) == 0);  // nothing was run
  });
  REQUIRE(plan.steps.size() == 2);
  CHECK(plan.fetches.size() == 1);
  simulation.approve("alice", approved(plan, 2));
  for (int i = 0; i < 2; ++i) {
    Session session = session_of(simulation);
    CHECK(script.fetch(session) == 12);
  }
  CHECK(says(refusal(simulation, script), "2 time(s)"));
}

TEST_CASE("Approval: of what is fetched by another name, and of what is called, is of the value") {
  Simulation simulation(parties(), {"dora"});
  const auto script = [](Session& session) {
    Program first("called");
    const Array amount = first.dataset(kPay).column("amount");
    first.output("total", first.call("alice", [&] { return Arrays{sum(amount).to("bob")}; })[0]);
    const Ref total = session.run(first)["total"];
    Program second("named");
    second.output("name", second.input(total));
    return session.fetch(session.run(second)["name"]).tensor().as<double>()[0];
  };
  const ReleasePlan plan = planned(simulation, script);
  // The fetch by the other name is one of the value itself.
  REQUIRE(plan.fetches.size() == 1);
  CHECK(plan.fetches[0].step == 0);
  CHECK(approved(plan).releases.size() == 2);
  simulation.approve("alice", approved(plan));
  Session session = session_of(simulation);
  CHECK(script(session) == 6);
  CHECK(error_of([&] {
          Session again = session_of(simulation);
          script(again);
        }).code() == Code::kDenied);
}

TEST_CASE("Approval: another dataset, program, factor or salt is another value") {
  Simulation simulation(parties(), {"dora"});
  const Script script;
  simulation.approve("alice", approved(planned(simulation, [&](Session& s) { script.fetch(s); })));
  Script other = script;
  other.dataset.name = "bonus";
  CHECK(says(refusal(simulation, other), "no grant of alice/bonus to bob"));
  other = script;
  other.mean = true;
  CHECK(says(refusal(simulation, other), "no grant of alice/pay to bob"));
  other = script;
  other.scale = 1000;
  CHECK(says(refusal(simulation, other), "no grant of alice/pay to bob"));
  other = script;
  other.salt = "another secret salt";
  CHECK(says(refusal(simulation, other), "no grant of alice/pay to bob"));
  other = script;
  other.salt = "";
  CHECK(says(refusal(simulation, other), "no grant of alice/pay to bob"));
  // And none of these used it up.
  Session session = session_of(simulation);
  CHECK(script.fetch(session) == 12);
}

TEST_CASE("Approval: the intermediate value cannot be fetched, nor another put in its place") {
  Simulation simulation(parties(), {"dora"});
  const Script script;
  simulation.approve("alice", approved(planned(simulation, [&](Session& s) { script.fetch(s); })));
  Session session = session_of(simulation);
  const Ref factor = session.put("alice", Tensor::scalar(2.0), {.salt = script.salt});
  Program first("scale");
  first.output("scaled", first.dataset(kPay).column("amount") * first.input(factor));
  const Ref scaled = session.run(first)["scaled"];
  CHECK(error_of([&] { session.fetch(scaled); }).code() == Code::kDenied);
  // One row alone, through the approved second program.
  Program one("one");
  const Array rows = one.dataset(kPay).column("amount");
  one.output("scaled", select(rows > 2.5, rows, 0.0));
  const Ref row = session.run(one)["scaled"];
  Program second("sum");
  second.output("total", sum(second.input("v", kPay.type.is_table() ? parse_type("f64[3] @alice")
                                                                    : kPay.type))
                             .to("bob"));
  const Refs refs = session.run(second, {{"v", row}});
  CHECK(error_of([&] { session.fetch(refs["total"]); }).code() == Code::kDenied);
}

TEST_CASE("Approval: lasts over a restart of the owner's worker, and so do its uses") {
  Simulation simulation(parties(), {"dora"});
  const Script script;
  simulation.approve("alice",
                     approved(planned(simulation, [&](Session& s) { script.fetch(s); }), 2));
  {
    Session session = session_of(simulation);
    CHECK(script.fetch(session) == 12);
  }
  simulation.restart("alice");
  {
    Session session = session_of(simulation);
    CHECK(script.fetch(session) == 12);
  }
  simulation.restart("alice");
  CHECK(says(refusal(simulation, script), "2 time(s)"));
}

TEST_CASE("Approval: the transfer of one session and the fetch of another are not one execution") {
  Simulation simulation(parties(), {"dora"});
  const Script script;
  simulation.approve("alice", approved(planned(simulation, [&](Session& s) { script.fetch(s); })));
  Session first = session_of(simulation);
  const Ref total = script.run(first);
  first.wait();
  CHECK(says(refusal(simulation, script), "none is left"));
  CHECK(first.fetch(total).tensor().as<double>()[0] == 12);
  CHECK(error_of([&] { first.fetch(total); }).code() == Code::kDenied);
}

TEST_CASE("Approval: of shares, of what is revealed, and of what was saved") {
  auto with_disk = parties();
  const TemporaryFolder folder;
  with_disk["alice"].fs_root = folder.path();
  {
    Simulation simulation(with_disk, {"dora"});
    const Uri saved = Uri::parse("fs:///amounts");
    const auto script = [&](Session& session) {
      Program keep("keep");
      keep.save(keep.dataset(kPay).column("amount"), saved);
      session.run(keep);
      Program secure("secure");
      const Device abc = secure.device("abc", {"alice", "bob", "carol"});
      const Array shared = secure.load(saved, parse_type("f64[3] @alice")).to(abc);
      secure.output("product", sum(shared * shared).reveal("carol"));
      return session.fetch(session.run(secure)["product"]).tensor().as<double>()[0];
    };
    CHECK(error_of([&] {
            Session session = session_of(simulation);
            script(session);
          }).code() == Code::kDenied);
    const Approval approval = approved(planned(simulation, script));
    REQUIRE(approval.releases.size() == 3);
    CHECK(approval.releases[0].members.size() == 3);
    CHECK(approval.releases[1].to == "carol");
    CHECK(approval.releases[2].to == "dora");
    simulation.approve("alice", approval);
    Session session = session_of(simulation);
    CHECK(script(session) == doctest::Approx(14).epsilon(0.001));
  }
}

TEST_CASE("Approval: random numbers are drawn once for all that an execution releases") {
  Simulation simulation(sharing(), {"dora"});
  const PreparedPtr program = mixed();
  simulation.approve("alice", approved(planned(simulation, [&](Session& session) {
                       const Ref order = session.run(program)["mixed"];
                       show_first(session, order, "bob");
                       show_first(session, order, "carol");
                     })));
  // bob would see a row, and carol another one.
  Session session = session_of(simulation);
  const Ref first = session.run(program)["mixed"];
  show_first(session, first, "bob");
  const Ref second = session.run(program)["mixed"];
  CHECK(says(error_of([&] { show_first(session, second, "carol"); }), "none is left"));
  show_first(session, first, "carol");
}

TEST_CASE("Approval: a value of two draws is covered by no approval of a value of one") {
  Simulation simulation(sharing(), {"dora"});
  const PreparedPtr program = mixed();
  const auto difference = [](Session& session, const Ref& a, const Ref& b) {
    Program minus("difference");
    minus.device("abc", kMembers);
    minus.output("zero", (minus.input("a", a.type()) - minus.input("b", b.type())).reveal("bob"));
    session.run(minus, {{"a", a}, {"b", b}});
    session.wait();
  };
  simulation.approve("alice", approved(planned(simulation, [&](Session& session) {
                       const Ref order = session.run(program)["mixed"];
                       difference(session, order, order);
                     })));
  Session session = session_of(simulation);
  const Ref first = session.run(program)["mixed"];
  const Ref second = session.run(program)["mixed"];
  CHECK(
      says(error_of([&] { difference(session, first, second); }), "no grant of alice/pay to bob"));
  difference(session, second, second);
}

TEST_CASE("Approval: the driver can ask beforehand whether one covers a program") {
  Simulation simulation(parties(), {"dora"});
  Program program("total");
  program.output("total", sum(program.dataset(kPay).column("amount")).to("bob"));
  const PreparedPtr prepared = prepare(program);
  const auto script = [&](Session& session) { session.fetch(session.run(prepared)["total"]); };
  Session session = session_of(simulation);
  const std::vector<Error> refused = session.refusals(prepared, {"total"});
  REQUIRE(refused.size() == 2);
  CHECK(says(refused[0], "alice has no grant of alice/pay to bob"));
  CHECK(says(refused[1], "alice has no grant of alice/pay to dora"));
  CHECK(says(refused[0], "curia plan --release"));
  CHECK_THROWS_AS(session.refusals(prepared, {"totals"}), Error);
  simulation.approve("alice", approved(planned(simulation, script)));
  CHECK(session.refusals(prepared, {"total"}).empty());
  script(session);
  CHECK(session.refusals(prepared, {"total"}).size() == 2);
}

TEST_CASE("Planning: what a plan cannot know is an error that says so, and nothing is sent") {
  Simulation simulation(parties(), {"dora"});
  Session real = session_of(simulation);
  const Ref put = real.put("alice", Tensor::scalar(1.0));
  const auto runs = [&] { return stat(real, "alice", "runs"); };
  real.wait();
  const std::int64_t before = runs();
  planned(simulation, [&](Session& session) {
    Program program("foreign");
    program.output("x", program.input(put) + 1.0);
    CHECK(says(error_of([&] { session.run(program); }), "nothing in this plan makes"));
    Program loads("loads");
    loads.output("x", loads.load(Uri::parse("fs:///x"), parse_type("f64[] @alice")));
    CHECK(says(error_of([&] { session.run(loads); }), "nothing in this plan makes"));
    CHECK(error_of([&] { session.fetch(put); }).code() == Code::kInvalid);
    CHECK(error_of([&] { session.detach(); }).code() == Code::kInvalid);
    CHECK(error_of([&] { session.put("alice", Tensor::scalar(1.0), {.salt = "short"}); }).code() ==
          Code::kInvalid);
    Program good("good");
    good.output("x", good.dataset(kPay).column("amount") + 1.0);
    const Refs refs = session.run(good);
    CHECK(session.describe(refs["x"]).state == "planned");
    CHECK(session.fetch(refs["x"]).tensor().shape == Shape{3});
    session.wait();
  });
  CHECK(runs() == before);
}
