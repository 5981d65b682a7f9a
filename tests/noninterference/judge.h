// Whether what a coalition sees depends on more of alice's data than she released. Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/noninterference/stage.h"

namespace curia::test {

struct Leak {
  std::string text;     // script, datasets, and the first line that tells them apart
  bool broken = false;  // rather a script that could not be played
};

// What the scripts so far did, so that a generator that makes nothing of interest is noticed.
struct Tally {
  std::int64_t scripts = 0;
  std::int64_t programs = 0;
  std::int64_t ran = 0;                     // of them, to their end, on the first dataset
  std::map<std::string, std::int64_t> ops;  // in how many of these, by name
  std::int64_t with_release = 0;            // scripts in which alice agreed to something
  std::int64_t with_denial = 0;
  std::int64_t with_approval = 0;
  std::int64_t compared = 0;  // scripts with two datasets that released the same

  void add(const Tally& other);
};

class Judge {
 public:
  explicit Judge(const WatchedRules& rules, std::int64_t hidden_quota = 0)
      : rules_(rules), hidden_quota_(hidden_quota) {}

  std::optional<Leak> look(const Script& drawn);
  const Tally& tally() const { return tally_; }

 private:
  Script rehearsed(Script script);
  void raise_curtain();
  void count(const Script& script, const std::vector<Sight>& sights);
  std::optional<Leak> compare(const Script& script, std::size_t a, std::size_t b,
                              const std::vector<Sight>& sights);

  const WatchedRules& rules_;
  const std::int64_t hidden_quota_;
  std::vector<std::unique_ptr<Stage>> stages_;
  int looks_ = 0;
  Tally tally_;
};

// Plays scripts of seeds 1, 2, ... on several threads, until `programs` have run or there is a
// leak.
struct Search {
  std::optional<Leak> leak;
  Tally tally;
};
using MakeRules = std::function<std::unique_ptr<const WatchedRules>()>;  // for each thread its own
Search search(const MakeRules& make_rules, std::int64_t programs, std::int64_t hidden_quota = 0);

}  // namespace curia::test
