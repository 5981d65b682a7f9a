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

namespace {

std::vector<std::string> names(const std::vector<ListEntry>& entries) {
  std::vector<std::string> found;
  for (const ListEntry& entry : entries) found.push_back(entry.name);
  return found;
}

// fs:///<folder>/100, 101, ...
std::vector<std::string> save_many(Session& session, const std::string& folder, int count) {
  Program program("save");
  std::vector<std::string> saved;
  for (int i = 0; i < count; ++i) {
    saved.push_back("fs:///" + folder + "/" + std::to_string(100 + i));
    program.save(program.constant("alice", Tensor::scalar<double>(i)), Uri::parse(saved.back()));
  }
  session.run(program);
  session.wait();
  return saved;
}

}  // namespace

TEST_CASE("Stored: a driver lists what it has stored by prefix, whatever session made it") {
  World world;
  std::vector<std::string> many;
  {
    Session session = world.session();
    many = save_many(session, "many", 230);  // more than two pages
  }
  world.simulation.restart("alice");
  Session session = world.session();
  CHECK(names(session.list("alice", "fs:///many/")) == many);
  const std::vector<std::string> others = save_many(session, "other", 3);
  Session mallory = world.session("mallory");
  const std::vector<std::string> foreign = save_many(mallory, "many.mallory", 2);
  CHECK(session.list("alice", "fs:///").size() == 233);
  CHECK(names(session.list("alice", "fs:///many")) == many);
  CHECK(names(session.list("alice", "fs:///other/101")) == std::vector{others[1]});
  CHECK(session.list("alice", "fs:///none").empty());
  CHECK(names(mallory.list("alice", "fs:///")) == foreign);
  CHECK(session.list("alice", "fs:///other/")[0].type.str() == "f64[] @alice");
  CHECK(session.list("alice").empty());
  session.remove(session.stored("alice", Uri::parse(others[0])));
  session.wait();
  CHECK(names(session.list("alice", "fs:///other/")) == std::vector{others[1], others[2]});
}

TEST_CASE("Stored: objects in memory are listed by prefix, too, and those of one session only") {
  World world;
  Session session = world.session();
  Session other = world.session();
  const Ref first = session.put("alice", Tensor::scalar<double>(1));
  const Ref second = session.put("alice", Tensor::scalar<double>(2));
  const Ref foreign = other.put("alice", Tensor::scalar<double>(3));
  session.wait();
  other.wait();
  CHECK(session.list("alice").size() == 2);
  CHECK(names(session.list("alice", first.uri().str())) == std::vector{first.uri().str()});
  CHECK(names(session.list("alice", second.uri().str().substr(0, 30))) ==
        std::vector{second.uri().str()});
  CHECK(session.list("alice", foreign.uri().str()).empty());
}

TEST_CASE("Stored: a prefix that no name can begin with, or without a store, is refused") {
  World world;
  Session session = world.session();
  for (const char* prefix : {"", "x", "many/", "fs://x", "file:///x", "MEM://"}) {
    const Error error = error_of([&] { session.list("alice", prefix); });
    CHECK(error.code() == Code::kInvalid);
    CHECK(contains(error.message(), "a prefix begins with mem://, fs:/// or oss://"));
  }
  for (const std::string& prefix :
       {std::string("a b"), std::string("a%2e"), std::string("\0", 1), std::string(600, 'a')}) {
    const Error error = error_of([&] { session.list("alice", "fs:///" + prefix); });
    CHECK(error.code() == Code::kInvalid);
    CHECK(contains(error.message(), "at most 512 letters, digits and ._=+@,~-/"));
  }
  const Error none = error_of([&] { session.list("alice", "oss://bucket/"); });
  CHECK(none.code() == Code::kUnimplemented);
  CHECK(contains(none.message(), "no store for oss:// is configured here"));
}
