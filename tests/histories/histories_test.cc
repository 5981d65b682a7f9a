#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/histories/history.h"
#include "tests/support/errors.h"

using namespace curia;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kHistories = 100;
#else
constexpr std::uint64_t kHistories = 1000;
#endif
constexpr int kSteps = 64;
constexpr int kThreads = 16;

std::string failure_of(std::uint64_t seed, Mistake mistake) {
  try {
    History(seed, mistake).run(kSteps);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("Histories: workers hold what the model holds, and nothing else") {
  if (const char* seed = std::getenv("CURIA_HISTORY")) {
    History history(std::strtoull(seed, nullptr, 10));
    const Error error = error_of([&] { history.run(kSteps); });
    for (const std::string& step : history.steps()) std::cout << step << "\n";
    FAIL_CHECK(error.what());
    return;
  }
  // Side by side, since a history waits more than it works.
  std::atomic<std::uint64_t> next = 1;
  std::mutex mutex;
  std::string first;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (std::uint64_t seed = next++; seed <= kHistories; seed = next++) {
          const std::string failure = failure_of(seed, Mistake::kNone);
          if (failure.empty()) continue;
          const std::lock_guard lock(mutex);
          if (first.empty()) first = failure;
          next = kHistories + 1;
        }
      });
    }
  }
  CHECK_MESSAGE(first.empty(), first);
}

TEST_CASE("Histories: a model that is wrong is noticed") {
  const auto noticed = [](Mistake mistake, const std::string& as) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      if (contains(failure_of(seed, mistake), as)) return true;
    }
    return false;
  };
  CHECK(noticed(Mistake::kKeepsDropped, " objects, expected "));
  CHECK(noticed(Mistake::kForgetsSave, "what should have failed was fetched"));
  CHECK(noticed(Mistake::kOtherValue, "another value was fetched"));
}
