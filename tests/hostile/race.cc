#include "tests/hostile/race.h"

#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace curia {
namespace {

constexpr int kAskers = 4;

}  // namespace

Learnt race(Trial& trial, std::int64_t allowed, const std::function<Ref(Session&)>& build) {
  std::vector<Ref> refs;
  std::vector<Session*> sessions;
  for (int i = 0; i < kAskers; ++i) {
    sessions.push_back(&trial.session());
    refs.push_back(build(*sessions.back()));
    sessions.back()->wait(kPatience);
  }
  std::vector<std::optional<Error>> errors(kAskers);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kAskers; ++i) {
      threads.emplace_back([&, i] {
        try {
          sessions[i]->fetch(refs[i], kPatience);
        } catch (const Error& error) {
          errors[i] = error;
        }
      });
    }
  }
  std::int64_t given = 0;
  std::optional<Error> refused;
  for (const auto& error : errors) {
    given += error ? 0 : 1;
    if (error) refused = error;
  }
  Trial::must(given >= allowed, "as many as may are given it: " + std::to_string(allowed));
  if (given > allowed || !refused) return {{given}, {kAskers}};
  throw *refused;
}

}  // namespace curia
