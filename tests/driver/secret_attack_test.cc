// What drivers try in order to get at secrets: every owner has to agree before anything leaves a
// member, and shares of different runs never meet.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/driver/secret_world.h"
#include "tests/driver/two_faced.h"
#include "tests/support/errors.h"
#include "worker/parts.h"

using namespace curia;

namespace {

// a * b of two owners, kept on the device.
Ref product_of(Session& session, const std::string& first, const std::string& second) {
  Program program("product");
  const Device abc = program.device("abc", kMembers);
  program.output("secret", secret_of(program, abc, first) * secret_of(program, abc, second));
  return session.run(program)["secret"];
}

// The same object as one member alone knows it.
Ref at_member(const Ref& secret, const std::string& member) {
  RefFacts facts = secret.facts();
  facts.type = {clear_type(facts.type.secret()), member};
  facts.device = {};
  return {facts, nullptr};
}

Refs reveal_to(Session& session, const Ref& secret, const std::string& party) {
  Program program("reveal");
  program.output("plain", program.input(secret).reveal(party, "result"));
  return session.run(program);
}

std::int64_t to_driver(Session& session) {
  std::int64_t bytes = 0;
  for (const std::string& party : session.parties()) {
    bytes += stat(session, party, "data_bytes_to_driver");
  }
  return bytes;
}

Graph product_graph() {
  Program program("product");
  const Device abc = program.device("abc", kMembers);
  program.output("secret", secret_of(program, abc, "alice") * secret_of(program, abc, "bob"));
  return program.graph();
}

Graph sum_graph(const Type& type) {
  Program program("sum");
  program.device("abc", kMembers);
  program.output("plain", (program.input("a", type) + program.input("b", type)).reveal("carol"));
  return program.graph();
}

}  // namespace

TEST_CASE_TEMPLATE("Secret attack: nothing is shared unless its owner accepts these members", W,
                   OnSimulation, OnProcesses) {
  Parties parties = four_parties({"dora"});
  parties["alice"].grants = {{.source = "x", .to = "dora"},
                             {.source = "x", .to = "bob"},
                             {.source = "x", .to = "carol"},
                             to_share("x", {"alice", "bob", "dan"})};
  const auto world = W::make(std::move(parties));
  Session session = world->connect("dora");
  const Ref secret = product_of(session, "alice", "bob");
  const Error error = error_of([&] { session.fetch(secret); });
  INFO(std::string(error.what()));
  CHECK(error.code() == Code::kDenied);
  CHECK(contains(error.message(),
                 "alice has no grant of alice/x to be shared among alice, bob, "
                 "carol by replicated3; its owner can grant it"));
  CHECK(error.op() == "share");
  CHECK(contains(error.site().file, "secret_world.h"));
  CHECK(error.party() == "alice");
  CHECK(to_driver(session) == 0);
}

TEST_CASE(
    "Secret attack: who shares what came from another owner needs that owner's grant to share") {
  Parties parties = four_parties({"alice", "dora"});
  parties["dan"].grants = {{.source = "x", .to = "alice"}, {.source = "x", .to = "dora"}};
  Simulation cluster(std::move(parties), {"dora"});
  Session session(cluster.wiring("dora"), {});
  Program program("onward");
  const Device abc = program.device("abc", kMembers);
  const Array dans = program.dataset({"x", parse_type("table[4]{v:f64} @dan")}).column("v");
  const Array alices = program.dataset({"x", parse_type("table[4]{v:f64} @alice")}).column("v");
  program.output("out", (dans.to("alice") + alices).to(abc, {.label = "onward"}));
  session.run(program);
  const Error error = error_of([&] { session.wait(); });
  INFO(std::string(error.what()));
  CHECK(error.code() == Code::kDenied);
  CHECK(contains(error.message(), "dan has no grant of dan/x to be shared among"));
  CHECK_FALSE(contains(error.message(), "alice has no grant"));
  // And the driver is told beforehand.
  const std::vector<Error> refused = session.refusals(prepare(program));
  REQUIRE(refused.size() == 1);
  CHECK(contains(refused[0].message(), "dan has no grant of dan/x to be shared among"));
  CHECK(refused[0].op() == "share");
}

TEST_CASE("Secret attack: a driver cannot ask for the grants of another") {
  Simulation cluster(four_parties({"dora"}), {"dora", "mallory"});
  DriverConnection connection(cluster.wiring("mallory"), {});
  connection.wait_up();
  const auto ask = [&](const std::string& recipient, const std::string& asker = "mallory") {
    ConsentRequest request;
    request.principal = asker;
    request.items.push_back({"x", {}, recipient, Digest{}, "out", kNoOp, "", {}});
    return decode<ConsentReply>(
        connection.call("alice", Kind::kCheck, encode(request), std::chrono::seconds(20)));
  };
  CHECK(ask("mallory").allowed[0] == 0);
  CHECK(ask("bob").allowed[0] == 0);
  CHECK(error_of([&] { ask("dora"); }).code() == Code::kDenied);
  // A question in the name of another driver was answered by what was approved for that one.
  CHECK(error_of([&] { ask("bob", "dora"); }).code() == Code::kDenied);
}

TEST_CASE_TEMPLATE("Secret attack: no member gives its share to a driver without every grant", W,
                   OnSimulation, OnProcesses) {
  Parties parties = four_parties({});
  parties["alice"].grants.push_back({.source = "x", .to = "dora"});  // bob grants nothing
  const auto world = W::make(std::move(parties));
  Session session = world->connect("dora");
  const Ref secret = product_of(session, "alice", "bob");
  const std::string missing = "bob has no grant of bob/x to dora";
  CHECK(contains(error_of([&] { session.fetch(secret); }).message(), missing));
  for (const std::string& member : kMembers) {
    const Error error = error_of([&] { session.fetch(at_member(secret, member)); });
    INFO(member << ": " << std::string(error.what()));
    CHECK(error.code() == Code::kDenied);
    CHECK(contains(error.message(), missing));
    CHECK(stat(session, member, "denied") >= 1);
  }
  CHECK(to_driver(session) == 0);
  // The URI is no right: another driver's session knows nothing of it.
  Session mallory = world->connect("mallory");
  CHECK(error_of([&] { mallory.fetch(secret); }).code() == Code::kNotFound);
  for (const std::string& member : kMembers) {
    CHECK(error_of([&] { mallory.fetch(at_member(secret, member)); }).code() == Code::kNotFound);
  }
}

TEST_CASE_TEMPLATE("Secret attack: an owner who takes no part is asked before a reveal", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(four_parties({"dora"}));
  Session session = world->connect("dora");
  const Ref secret = product_of(session, "alice", "dan");
  session.wait();
  // dan holds no share and runs no op of this program.
  const Refs refs = reveal_to(session, secret, "carol");
  const Error error = error_of([&] { session.fetch(refs["plain"]); });
  INFO(std::string(error.what()));
  CHECK(error.code() == Code::kDenied);
  CHECK(contains(error.message(), "dan has no grant of dan/x to carol"));
  CHECK(contains(error.message(), "alice has no grant of alice/x to carol"));
  CHECK(error.op() == "reveal");
  CHECK(contains(error.site().file, "secret_attack_test.cc"));
  CHECK(to_driver(session) == 0);
}

TEST_CASE("Secret attack: every member checks a reveal by itself, whoever else would refuse") {
  Simulation cluster(four_parties({"dora"}), {"dora"});
  Session session(cluster.wiring("dora"), {});
  const Ref secret = product_of(session, "alice", "dan");
  session.wait();
  // What bob asks and refuses does not depend on alice and carol: all three count denials. In one
  // run the first may have told the others before they asked.
  CHECK(comes_true([&] {
    reveal_to(session, secret, "carol");
    CHECK_THROWS_AS(session.wait(), Error);
    return std::ranges::all_of(
        kMembers, [&](const std::string& member) { return stat(session, member, "denied") > 0; });
  }));
}

TEST_CASE_TEMPLATE("Secret attack: an owner who is gone has not agreed", W, OnSimulation) {
  Parties parties = four_parties({"dora", "carol"});
  Simulation cluster(std::move(parties), {"dora"});
  Session session(cluster.wiring("dora"), {});
  const Ref secret = product_of(session, "alice", "dan");
  session.wait();
  cluster.kill("dan");
  const Error error = error_of([&] { session.fetch(secret); });
  INFO(std::string(error.what()));
  CHECK(error.code() == Code::kDenied);
  CHECK(contains(error.message(), "dan could not be asked"));
}

TEST_CASE("Secret attack: narrowed grants hold for shares and for what is revealed of them") {
  Parties parties = four_parties({});
  Graph graph = product_graph();
  const Digest digest = prepare(graph)->digest;
  Grant narrowed = to_share("x");
  narrowed.programs = {digest};
  parties["alice"].grants = {narrowed};
  parties["bob"].grants = {to_share("x")};
  Simulation cluster(std::move(parties), {"dora"});
  Session session(cluster.wiring("dora"), {});
  session.run(prepare(graph));
  CHECK_NOTHROW(session.wait());
  Program other("other");
  const Device abc = other.device("abc", kMembers);
  other.output("secret", secret_of(other, abc, "alice") + secret_of(other, abc, "bob"));
  session.run(other);
  const Error error = error_of([&] { session.wait(); });
  INFO(std::string(error.what()));
  CHECK(error.code() == Code::kDenied);
  CHECK(contains(error.message(), "but not through program"));
}

TEST_CASE("Secret attack: members that were given different programs notice before they share") {
  Simulation cluster(four_parties({"dora", "carol"}), {"dora"});
  TwoFaced driver(cluster);
  Graph honest = product_graph();
  Graph other = product_graph();
  other.ops.back().name = "add";
  std::map<std::string, RunRequest> requests;
  for (const std::string& member : kMembers) {
    RunRequest& request = requests[member];
    request.task = 1;
    request.digest = driver.prepare(member, member == "bob" ? other : honest);
    request.outputs = {"mem://00112233445566778899aabbccddeeff"};
  }
  for (const auto& [member, text] : driver.run(requests)) {
    INFO(member << ": " << text);
    CHECK(contains(text, "DENIED"));
    CHECK(contains(text, "another program"));
    CHECK(contains(driver.fetch_error(member, requests[member].outputs[0]), "another program"));
  }
}

TEST_CASE("Secret attack: shares of different runs do not meet, whatever URIs the driver gives") {
  Simulation cluster(four_parties({"dora", "carol"}), {"dora"});
  TwoFaced driver(cluster);
  const Graph product = product_graph();
  const Type type = parse_type("secret<fixed,18>[4] @abc");
  const Graph sum = sum_graph(type);
  std::uint64_t task = 1;
  const auto run_product = [&](const std::string& uri) {
    std::map<std::string, RunRequest> requests;
    for (const std::string& member : kMembers) {
      requests[member] = {task, driver.prepare(member, product), 0, {}, {uri}};
    }
    ++task;
    for (const auto& [member, text] : driver.run(requests)) CHECK(text == "");
  };
  const std::string first = Uri::fresh().str();
  const std::string second = Uri::fresh().str();
  run_product(first);
  run_product(second);
  // One value twice is fine, and so are values of different runs as different operands.
  const auto add = [&](const std::map<std::string, std::vector<std::string>>& inputs) {
    std::map<std::string, RunRequest> requests;
    for (const std::string& member : kMembers) {
      requests[member] = {
          task, driver.prepare(member, sum), 0, inputs.at(member), {Uri::fresh().str()}};
    }
    ++task;
    return driver.run(requests);
  };
  const std::vector<std::string> both = {first, second};
  for (const auto& [member, text] : add({{"alice", both}, {"bob", both}, {"carol", both}})) {
    CHECK(text == "");
  }
  // bob is given the shares of the other run of the same program: the same lineage and label.
  for (const auto& [member, text] :
       add({{"alice", both}, {"bob", {second, first}}, {"carol", both}})) {
    INFO(member << ": " << text);
    CHECK(contains(text, "INVALID"));
    CHECK(contains(text, "hold shares of different runs of one program, which do not fit"));
  }
}

TEST_CASE("Secret attack: shares are used by the members they were made for only, in their order") {
  Simulation cluster(four_parties({"dora", "carol"}), {"dora"});
  Session session(cluster.wiring("dora"), {});
  const Ref secret = product_of(session, "alice", "bob");
  session.wait();
  for (const std::vector<std::string>& members :
       {std::vector<std::string>{"bob", "alice", "carol"}, {"alice", "bob", "dan"}}) {
    RefFacts facts = secret.facts();
    facts.device.members = members;  // a lie
    const Ref lie(facts, nullptr);
    Program program("lie");
    program.output("plain", program.input(lie).reveal("carol"));
    session.run(program);
    const Error error = error_of([&] { session.wait(); });
    INFO(std::string(error.what()));
    const bool known =
        contains(error.message(), "is shared on abc = replicated3(alice, bob, carol)");
    CHECK((known || contains(error.message(), "no object")));
  }
  Program program("honest");
  CHECK(error_of([&] {
          program.device("abc", {"bob", "alice", "carol"});
          program.input(secret);
        }).code() == Code::kInvalid);
}

TEST_CASE("Secret attack: no share and no mask is seen twice, also after aborts and restarts") {
  Simulation cluster(four_parties({"dora", "carol"}), {"dora"});
  std::set<std::string> seen;
  std::size_t parts = 0;
  std::size_t values = 0;
  // The same program on the same data, and runs between that fail after the members have shared and
  // multiplied: a predicate of alice's cannot be computed, since two columns turn out to have
  // different lengths.
  const auto run_again = [&](Session& session) {
    std::vector<Ref> kept;
    for (int run = 0; run < 8; ++run) {
      Program program("again");
      const Device abc = program.device("abc", kMembers);
      const Array a = secret_of(program, abc, "alice");
      program.output("shared", a);
      program.output("dans", secret_of(program, abc, "dan"));
      program.output("product", a * a);
      for (const auto& [name, ref] : session.run(program)) kept.push_back(ref);
      session.wait();
      if (run % 2 == 0) continue;
      Program failing("again");
      const Device same = failing.device("abc", kMembers);
      const Array b = secret_of(failing, same, "alice");
      failing.output("product", b * b);
      const Array rows = failing.dataset({"x", parse_type("table[4]{v:f64} @alice")});
      const Array v = rows.column("v");
      const Array lengths = rows.filter(v > 0).column("v") + rows.filter(v > 1).column("v");
      const auto rows_of = [&] { return Arrays{v}; };
      failing.output("wrong", cond(sum(lengths) > 0, rows_of, rows_of)[0]);
      session.run(failing);
      CHECK_THROWS_AS(session.wait(), Error);
    }
    for (const Ref& ref : kept) {
      for (const std::string& member : kMembers) {
        const auto object = cluster.parts(member).store->get(ref.uri());
        REQUIRE(object);
        const Share& share = object->value->share();
        // One part at a time: the other holder of it has the same bytes. A member that shares a
        // value of its own leaves the part that it does not hold at zero.
        const std::string part(reinterpret_cast<const char*>(share.first.data), 32);
        if (part == std::string(32, '\0')) continue;
        CHECK(seen.insert(part).second);
        ++parts;
      }
    }
    values += kept.size();
  };
  {
    Session session(cluster.wiring("dora"), {});
    run_again(session);
  }
  for (const std::vector<std::string>& crash :
       {std::vector<std::string>{"bob"}, std::vector<std::string>{"alice", "carol"}, kMembers}) {
    for (const std::string& member : crash) cluster.kill(member);
    for (const std::string& member : crash) cluster.restart(member);
    Session session(cluster.wiring("dora"), {});
    run_again(session);
  }
  CHECK(parts >= values * 2);
}
