// A cluster whose alice holds one dataset of the domain, on which scripts are played one after the
// other. Thread: one.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/noninterference/plain_driver.h"
#include "tests/noninterference/script.h"
#include "tests/noninterference/tap.h"
#include "tests/noninterference/watch.h"
#include "tests/support/temporary_folder.h"
#include "worker/simulation/simulation.h"

namespace curia::test {

using Datasets = std::map<std::string, Value>;  // of alice, by name

// All that alice may hold under one metadata: tables "x" and "y".
std::vector<Datasets> small_domain();
// What is known of them, and of bob's table "z" (in that order).
std::vector<std::pair<std::string, Type>> known_datasets();

class Stage {
 public:
  // `rules` outlive the stage. hidden_quota: of every worker, in bytes; 0: none.
  Stage(const Datasets& alice, const WatchedRules& rules, std::int64_t hidden_quota = 0);

  // One session, which leaves nothing behind.
  Sight play(const Script& script);

 private:
  struct Play;
  std::string perform(Play& play, const Step& step);
  std::string run(Play& play, const Step& step);
  std::string fetch(Play& play, const Step& step);
  std::map<std::string, StatsReply> stats();
  // What honest parties sent to the coalition.
  std::string messages(const Play& play, const Step& step, const std::vector<Sent>& sent) const;
  // Of a run: the values of the releases that alice agreed to.
  void note_released(Play& play, const Step& step, const std::vector<Given>& given,
                     const std::vector<Sent>& sent);
  std::string stored(const Play& play, const Step& step);
  std::string pooled_secret(const Play& play, const SecureDevice& device, const Type& type,
                            const std::string& uri);
  ValuePtr object(const std::string& party, const std::string& uri);

  const WatchedRules& rules_;
  TemporaryFolder folder_;
  std::shared_ptr<Tap> tap_;
  std::unique_ptr<Simulation> cluster_;
  std::unique_ptr<PlainDriver> driver_;
  int plays_ = 0;
};

}  // namespace curia::test
