#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/histories/history.h"
#include "tests/support/errors.h"
#include "tests/support/schedule.h"

using namespace curia;

namespace {

constexpr std::uint64_t kHistories = Schedule::kWorks ? 1000 : 100;
constexpr int kSteps = 64;
// Where the order of threads is not decided here they run side by side, and wait more than they
// work.
constexpr int kThreads = Schedule::kWorks ? 1 : 8;

struct Outcome {
  std::string failure;  // "" for none
  std::vector<std::string> steps;
  std::uint64_t trace = 0;
  std::int64_t turns = 0;
};

Outcome outcome_now(std::uint64_t seed, Mistake mistake) {
  const Schedule schedule(seed);
  Outcome outcome;
  {
    History history(seed, mistake);
    try {
      history.run(kSteps);
    } catch (const Error& error) {
      outcome.failure = error.message();
    }
    outcome.steps = history.steps();
  }
  outcome.trace = schedule.trace();
  outcome.turns = schedule.turns();
  return outcome;
}

Outcome outcome_of(std::uint64_t seed, Mistake mistake = Mistake::kNone) {
  // The first history also meets what is made once in a process, and so has turns of its own.
  static const Outcome first = outcome_now(1, Mistake::kNone);
  return outcome_now(seed, mistake);
}

std::uint64_t number_in(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("Histories: workers hold what the model holds, and nothing else") {
  if (const std::uint64_t seed = number_in("CURIA_HISTORY", 0); seed != 0) {
    const Outcome outcome = outcome_of(seed);
    for (const std::string& step : outcome.steps) std::cout << step << "\n";
    std::cout << outcome.turns << " turns, trace " << outcome.trace << "\n";
    CHECK(outcome.failure == "");
    return;
  }
  std::atomic<std::uint64_t> next = number_in("CURIA_FIRST_HISTORY", 1);
  const std::uint64_t last = next + number_in("CURIA_HISTORIES", kHistories) - 1;
  std::mutex mutex;
  std::string first;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (std::uint64_t seed = next++; seed <= last; seed = next++) {
          const std::string failure = outcome_of(seed).failure;
          if (failure.empty()) continue;
          const std::lock_guard lock(mutex);
          if (first.empty()) first = failure;
          next = last + 1;
        }
      });
    }
  }
  CHECK_MESSAGE(first.empty(), first);
}

TEST_CASE("Histories: a seed decides all turns of all threads") {
  if (!Schedule::kWorks) return;
  std::int64_t turns = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const Outcome once = outcome_of(seed);
    const Outcome again = outcome_of(seed);
    CHECK(once.steps == again.steps);
    CHECK(once.trace == again.trace);
    CHECK(once.turns == again.turns);
    turns += once.turns;
  }
  CHECK(turns > 12 * 1000);
  CHECK(outcome_of(1).trace != outcome_of(2).trace);
}

TEST_CASE("Histories: a model that is wrong is noticed") {
  const auto noticed = [](Mistake mistake, const std::string& as) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      if (contains(outcome_of(seed, mistake).failure, as)) return true;
    }
    return false;
  };
  CHECK(noticed(Mistake::kKeepsDropped, " objects, expected "));
  CHECK(noticed(Mistake::kForgetsSave, "what should have failed was fetched"));
  CHECK(noticed(Mistake::kOtherValue, "another value was fetched"));
}
