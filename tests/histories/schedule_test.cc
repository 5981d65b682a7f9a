#include "tests/support/schedule.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace curia;

namespace {

// Two threads that each add 1 by looking first: one may overwrite what the other added.
int added(std::uint64_t seed) {
  const Schedule schedule(seed);
  std::mutex mutex;
  int sum = 0;
  const auto add = [&] {
    int seen = 0;
    {
      const std::lock_guard lock(mutex);
      seen = sum;
    }
    const std::lock_guard lock(mutex);
    sum = seen + 1;
  };
  std::thread first(add), second(add);
  first.join();
  second.join();
  return sum;
}

// Which of three threads came first, second and third.
std::string order(std::uint64_t seed) {
  const Schedule schedule(seed);
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  std::string names;
  std::vector<std::thread> threads;
  for (const char name : {'a', 'b', 'c'}) {
    threads.emplace_back([&, name] {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return open; });
      names += name;
    });
  }
  {
    const std::lock_guard lock(mutex);
    open = true;
  }
  changed.notify_all();
  for (std::thread& thread : threads) thread.join();
  return names;
}

}  // namespace

TEST_CASE("Schedule: finds both ends of a race, and the same one for the same seed") {
  if (!Schedule::kWorks) return;
  std::set<int> found;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const int sum = added(seed);
    CHECK(sum == added(seed));
    found.insert(sum);
  }
  CHECK(found == std::set<int>{1, 2});
}

TEST_CASE("Schedule: all orders come, each by its seed") {
  if (!Schedule::kWorks) return;
  std::set<std::string> found;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const std::string names = order(seed);
    CHECK(names == order(seed));
    found.insert(names);
  }
  CHECK(found.size() == 6);
}

TEST_CASE("Schedule: time leaps where all wait") {
  if (!Schedule::kWorks) return;
  const auto really = [] { return std::chrono::steady_clock::now(); };
  const auto before = really();
  {
    const Schedule schedule(1);
    const auto begin = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::hours(5));
    std::promise<int> never;
    auto future = never.get_future();
    CHECK(future.wait_for(std::chrono::hours(5)) == std::future_status::timeout);
    std::mutex mutex;
    std::condition_variable changed;
    std::unique_lock lock(mutex);
    CHECK(changed.wait_for(lock, std::chrono::hours(5)) == std::cv_status::timeout);
    const auto passed = std::chrono::steady_clock::now() - begin;
    CHECK(passed > std::chrono::hours(15));
    CHECK(passed < std::chrono::hours(16));
  }
  CHECK(really() - before < std::chrono::hours(1));
}

TEST_CASE("Schedule: threads that wait for each other end the process") {
  if (!Schedule::kWorks) return;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::freopen("/dev/null", "w", stderr);
    const Schedule schedule(1);
    std::mutex mutex;
    mutex.lock();
    std::thread([&] { mutex.lock(); }).join();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
}
