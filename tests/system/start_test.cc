// Workers that must refuse to start, and say why.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/process_cluster.h"
#include "tests/system/helpers.h"

using namespace curia;

namespace {

struct Ended {
  int status = -1;
  std::string text;
};

// Runs a worker with alice's configuration, changed, until it ends by itself.
Ended start_changed(const ProcessCluster& cluster, const nlohmann::json& changes) {
  auto config = nlohmann::json::parse(std::ifstream(cluster.config_file("alice")));
  config.update(changes);
  config.erase("ready_file");
  const std::string path = cluster.folder() + "/second.json";
  std::ofstream(path) << config;
  const char* worker = std::getenv("CURIA_WORKER");
  const std::string program = worker != nullptr ? worker : "build/worker/curia-worker";
  FILE* pipe = ::popen(("timeout 30 " + program + " --config " + path + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  Ended ended;
  std::array<char, 512> piece{};
  while (std::fgets(piece.data(), piece.size(), pipe) != nullptr) ended.text += piece.data();
  const int status = ::pclose(pipe);
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ended;
}

}  // namespace

TEST_CASE("Start: a second worker with the same state_dir, or a port in use, is refused") {
  std::map<std::string, ProcessParty> parties;
  parties["alice"] = {};
  parties["bob"] = {};
  ProcessCluster cluster(std::move(parties));
  const std::string control = cluster.control_endpoint("bob").substr(6);
  const std::string data = "127.0.0.1:" + std::to_string(cluster.data_port("bob"));

  const Ended locked =
      start_changed(cluster, {{"control", "127.0.0.1:0"}, {"data", "127.0.0.1:0"}});
  INFO(locked.text);
  CHECK(locked.status == 2);
  CHECK(contains(locked.text, "another worker is running with state_dir"));
  CHECK(contains(locked.text, "state-alice"));

  const Ended taken = start_changed(
      cluster, {{"control", control}, {"data", "127.0.0.1:0"}, {"state_dir", "state-second"}});
  INFO(taken.text);
  CHECK((taken.status == 1 || taken.status == 2));
  CHECK(contains(taken.text, control));

  const Ended data_taken = start_changed(
      cluster, {{"control", "127.0.0.1:0"}, {"data", data}, {"state_dir", "state-second"}});
  INFO(data_taken.text);
  CHECK((data_taken.status == 1 || data_taken.status == 2));
  CHECK(contains(data_taken.text, std::to_string(cluster.data_port("bob"))));

  Session session = cluster.connect();
  check_works(session, "alice", "bob");
}
