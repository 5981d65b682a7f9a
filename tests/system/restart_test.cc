// Workers that are killed and started again under a session that goes on.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/process_cluster.h"
#include "tests/system/helpers.h"

using namespace curia;

namespace {

constexpr Seconds kPatience{20};
const char* const kRows = "v\n1.5\n-2\n3\n0.25\n";

std::map<std::string, ProcessParty> parties() {
  std::map<std::string, ProcessParty> three;
  for (const char* name : {"alice", "bob", "carol"}) {
    three[name].csv = {{"x", kRows}};
    three[name].grants = R"([
      {"source": "x", "to": "dora"},
      {"source": "x", "share_among": ["alice", "bob", "carol"]}])";
    three[name].extra = {{"fs_root", "\"" + std::string(name) + "-files\""}};
  }
  return three;
}

void restart(ProcessCluster& cluster, Session& session, const std::string& party) {
  cluster.kill(party);
  cluster.start(party);
  REQUIRE(eventually([&] {
    try {
      session.stats(party);
      return true;
    } catch (const Error&) {
      return false;
    }
  }));
}

Ref run_rows(Session& session, const std::string& party) {
  Program program("rows");
  program.output("rows", program.dataset(session.dataset(party, "x")).column("v") * 2);
  return session.run(program)["rows"];
}

Ref run_next(Session& session, const Ref& ref) {
  Program program("next");
  program.output("next", program.input(ref) + 1);
  return session.run(program)["next"];
}

std::vector<double> fetch(Session& session, const Ref& ref) {
  const Value value = session.fetch(ref, kPatience);
  const auto span = value.tensor().as<double>();
  return {span.begin(), span.end()};
}

}  // namespace

TEST_CASE("Restart: a killed worker's values come back through several steps, equal") {
  ProcessCluster cluster(parties());
  Session session = cluster.connect();
  const Ref last = run_next(session, run_next(session, run_rows(session, "alice")));
  const Ref kept = run_rows(session, "bob");
  const Uri uri = Uri::parse("fs:///rows");
  {
    Program program("saves");
    program.save(program.input(last), uri);
    session.run(program);
  }
  const std::vector<double> before = fetch(session, last);
  session.wait(kPatience);
  restart(cluster, session, "alice");
  const Error lost = error_of([&] { session.fetch(last, kPatience); });
  INFO(lost.what());
  CHECK(lost.code() == Code::kStaleEpoch);
  CHECK(lost.party() == "alice");
  CHECK(fetch(session, kept) == fetch(session, run_rows(session, "bob")));
  CHECK(fetch(session, session.stored("alice", uri)) == before);
  session.reconstruct(last);
  CHECK(fetch(session, last) == before);
  check_works(session, "alice", "bob");
  check_works(session, "carol", "alice");
  // More than goes with the answer: over a data connection of after the restart.
  const Ref bulk =
      session.put("alice", Tensor::of<double>({1 << 16}, std::vector<double>(1 << 16)));
  CHECK(fetch(session, bulk).size() == 1 << 16);
  session.wait(kPatience);
}

TEST_CASE("Restart: a dataset that has changed meanwhile is an error, not a number") {
  ProcessCluster cluster(parties());
  Session session = cluster.connect();
  const Ref last = run_next(session, run_rows(session, "alice"));
  session.wait(kPatience);
  cluster.kill("alice");
  std::ofstream(cluster.folder() + "/alice-x.csv") << "v\n1.5\n-2\n3\n0.75\n";
  cluster.start("alice");
  const auto attempt = [&] { session.reconstruct(last); };
  REQUIRE(eventually([&] { return code_of(attempt) == Code::kFailed; }));
  const Error error = error_of(attempt);
  INFO(error.what());
  CHECK(contains(error.what(), "another value"));
  CHECK(contains(error.what(), "alice's x"));
  CHECK(code_of([&] { session.fetch(last, kPatience); }) == Code::kStaleEpoch);
  CHECK(eventually([&] { return session.list("alice").empty(); }));
}

TEST_CASE("Restart: shares that one member lost are made again by all, and fit") {
  ProcessCluster cluster(parties());
  Session session = cluster.connect();
  const std::vector<std::string> members = {"alice", "bob", "carol"};
  Ref product;
  {
    Program program("shares");
    const Device abc = program.device("abc", members);
    const auto secret = [&](const std::string& party) {
      return program.dataset(session.dataset(party, "x")).column("v").to(abc);
    };
    program.output("product", secret("alice") * secret("bob"));
    product = session.run(program)["product"];
  }
  session.wait(kPatience);
  for (const char* party : {"carol", "alice"}) {
    restart(cluster, session, party);
    session.reconstruct(product);
    const std::vector<double> found = fetch(session, product);
    REQUIRE(found.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      const double expected = std::vector<double>{2.25, 4, 9, 0.0625}[i];
      CHECK(found[i] == doctest::Approx(expected).epsilon(1e-4));
    }
  }
}

TEST_CASE("Restart: a worker that stops in good order is no different") {
  ProcessCluster cluster(parties());
  ConnectionOptions options;
  options.reconstruct = true;
  Session session = cluster.connect("dora", options);
  const Ref last = run_next(session, run_rows(session, "bob"));
  const std::vector<double> before = fetch(session, last);
  CHECK(cluster.stop("bob") == 0);
  CHECK(eventually(
      [&] { return code_of([&] { session.fetch(last, Seconds(1)); }) == Code::kWorkerLost; }));
  cluster.start("bob");
  CHECK(eventually([&] {
    try {
      return fetch(session, last) == before;
    } catch (const Error& error) {
      INFO(error.what());
      CHECK(error.code() == Code::kWorkerLost);
      return false;
    }
  }));
}
