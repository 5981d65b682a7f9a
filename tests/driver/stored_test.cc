#include <doctest/doctest.h>

#include "driver/connection.h"
#include "driver/session.h"
#include "protocol/link/wiring.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "worker/simulation/simulation.h"

using namespace curia;

namespace {

const Uri kModel = Uri::parse("fs:///run-1/model");

struct World {
  TemporaryFolder folder;
  Simulation simulation{parties(folder.path()), {"dora", "mallory"}};

  static std::map<std::string, SimulatedParty> parties(const std::string& root) {
    SimulatedParty alice;
    alice.datasets.emplace("x", Tensor::of<double>({2}, {1, 2}));
    alice.fs_root = root;
    return {{"alice", alice}};
  }
  Session session(const std::string& driver = "dora") {
    return Session(simulation.wiring(driver), {});
  }
};

void save(Session& session, double number) {
  Program program("save");
  program.save(program.constant("alice", Tensor::scalar<double>(number)), kModel);
  session.run(program);
  session.wait();
}

}  // namespace

TEST_CASE("Stored: a save replaces one's own object, and a reader sees what he saved before") {
  World world;
  Session session = world.session();
  for (const double number : {1.0, 2.0, 3.0}) {
    Program program("save");
    program.save(program.constant("alice", Tensor::scalar<double>(number)), kModel);
    session.run(program);
    // Not waited for: stored() and fetch() come after the run that was sent before.
    const Ref ref = session.stored("alice", kModel);
    CHECK(session.fetch(ref).tensor().as<double>()[0] == number);
  }
}

TEST_CASE("Stored: what was saved survives a restart with its label; objects in memory do not") {
  World world;
  {
    Session session = world.session();
    Program program("save");
    program.save(program.dataset({"x", parse_type("f64[2] @alice")}), kModel);
    session.run(program);
    session.wait();
  }
  world.simulation.restart("alice");
  Session session = world.session();
  const Ref ref = session.stored("alice", kModel);
  CHECK(session.describe(ref).label == "{alice/x}");
  CHECK(code_of([&] { session.fetch(ref); }) == Code::kDenied);
  Session other = world.session("mallory");
  CHECK(code_of([&] { other.stored("alice", kModel); }) == Code::kNotFound);
  CHECK(code_of([&] { save(other, 1); }) == Code::kImmutable);
  // A removal by somebody else does nothing.
  other.remove(ref);
  other.wait();
  CHECK(session.describe(ref).state == "ready");
  session.remove(ref);
  session.wait();
  CHECK(code_of([&] { session.stored("alice", kModel); }) == Code::kNotFound);
}

TEST_CASE("Stored: objects outlive the session that made them, and its drop releases nothing") {
  World world;
  {
    Session session = world.session();
    save(session, 4);
    const Ref ref = session.stored("alice", kModel);
    session.release(ref);
    session.wait();
  }
  Session session = world.session();
  CHECK(session.fetch(session.stored("alice", kModel)).tensor().as<double>()[0] == 4);
}
