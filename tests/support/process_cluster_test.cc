#include "tests/support/process_cluster.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tests/system/helpers.h"

using namespace curia;

TEST_CASE("ProcessCluster: a killed test left its workers running") {
  // Whoever lives holds the write end: the test that is killed, and then its worker.
  int alive[2];
  int ready[2];
  REQUIRE(::pipe(alive) == 0);
  REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const ProcessCluster cluster(std::map<std::string, ProcessParty>{{"alice", {}}});
    const std::string& folder = cluster.folder();
    if (::write(ready[1], folder.data(), folder.size()) > 0) ::pause();
    ::_exit(1);
  }
  ::close(alive[1]);
  ::close(ready[1]);
  char folder[64] = {};
  REQUIRE(::read(ready[0], folder, sizeof(folder) - 1) > 0);
  pollfd ended{alive[0], POLLIN, 0};
  CHECK(::poll(&ended, 1, 0) == 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(::poll(&ended, 1, 20'000) == 1);
  char byte = 0;
  CHECK(::read(alive[0], &byte, 1) == 0);
  std::filesystem::remove_all(folder);
  ::close(alive[0]);
  ::close(ready[0]);
}

TEST_CASE("ProcessCluster: a worker outlives the thread that asked for it") {
  std::unique_ptr<ProcessCluster> cluster;
  std::thread([&] {
    cluster = std::make_unique<ProcessCluster>(
        std::map<std::string, ProcessParty>{{"alice", {}}, {"bob", {}}});
  }).join();
  Session session = cluster->connect();
  check_works(session, "alice", "bob");
}
