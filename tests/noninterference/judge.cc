#include "tests/noninterference/judge.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "tests/noninterference/random_program.h"
#include "tests/noninterference/random_script.h"

namespace curia::test {
namespace {

constexpr int kThreads = 3;  // most of the time a play waits for its workers
// Audit logs grow, in memory.
constexpr int kLooksOnOneStage = 50;
// Where several things go wrong in one run it is a matter of threads which of them is told first.
// A difference counts if it is there in all of these.

constexpr int kReplays = 40;

void note_ops(const std::vector<Op>& ops, std::set<std::string>& names) {
  for (const Op& op : ops) {
    names.insert(op.name);
    for (const Region& region : op.regions) note_ops(region.ops, names);
  }
}

// A step's view in pieces that can be compared one by one: what was seen of what. Where threads
// race the pieces of one play go together, but each of them alone must be possible for both.
using Pieces = std::map<std::string, std::string>;

Pieces pieces_of(const std::string& view) {
  Pieces pieces;
  const auto keep = [&](std::string what, const std::string& seen) {
    while (!pieces.try_emplace(what, seen).second) what += "'";
  };
  for (std::size_t at = 0; at < view.size();) {
    const std::size_t end = std::min(view.find('\n', at), view.size());
    const std::string line = view.substr(at, end - at);
    at = end + 1;
    const std::size_t colon = std::min(line.find(": "), line.size());
    if (line.find('+') == std::string::npos) {
      keep(line.substr(0, colon), line.substr(colon));
      continue;
    }
    // Numbers of `stats`, each with its name.
    for (std::size_t from = colon; from < line.size();) {
      const std::size_t to = std::min(line.find(' ', from + 1), line.size());
      const std::string number = line.substr(from, to - from);
      keep(line.substr(0, colon) + number.substr(0, number.find('+')), number);
      from = to;
    }
  }
  return pieces;
}

// What was seen of each thing in all plays on one dataset.
class Seen {
 public:
  void add(const Pieces& pieces) {
    for (const auto& [what, seen] : pieces) {
      auto& values = values_[what];
      if (plays_ > 0 && values.empty()) values.insert("nothing");
      values.insert(seen);
    }
    for (auto& [what, values] : values_) {
      if (!pieces.contains(what)) values.insert("nothing");
    }
    ++plays_;
  }

  // The first thing of which no play on the one dataset showed what a play on the other did.
  std::string difference(const Seen& other) const {
    for (const auto& [mine, theirs] : {std::pair(this, &other), std::pair(&other, this)}) {
      for (const auto& [what, values] : mine->values_) {
        const auto found = theirs->values_.find(what);
        const std::set<std::string> seen =
            found == theirs->values_.end() ? std::set<std::string>{"nothing"} : found->second;
        const bool meet =
            std::ranges::any_of(values, [&](const std::string& v) { return seen.contains(v); });
        if (!meet) return what + "\n    " + *values.begin() + "\n    " + *seen.begin();
      }
    }
    return "";
  }

 private:
  std::map<std::string, std::set<std::string>> values_;
  int plays_ = 0;
};

}  // namespace

void Judge::raise_curtain() {
  if (looks_++ % kLooksOnOneStage != 0) return;
  stages_.clear();
  for (const Datasets& alice : small_domain()) {
    stages_.push_back(std::make_unique<Stage>(alice, rules_, hidden_quota_));
  }
}

// Approves some of what alice is asked for. An approval lets runs come further, and ask for more.
Script Judge::rehearsed(Script script) {
  constexpr int kRehearsals = 2;
  Random random(script.seed);
  std::set<Digest> considered;
  for (int i = 0; i < kRehearsals && script.approves > 0; ++i) {
    stages_[0]->play(script);
    for (ApprovedRelease& wish : rules_.take_wishes()) {
      const bool fresh = considered.insert(wish.pattern).second;
      if (fresh && chance(random, script.approves)) script.approved.push_back(std::move(wish));
    }
  }
  return script;
}

std::optional<Leak> Judge::look(const Script& drawn) {
  raise_curtain();
  const Script script = rehearsed(drawn);
  std::vector<Sight> sights;
  for (const auto& stage : stages_) sights.push_back(stage->play(script));
  count(script, sights);
  std::map<std::string, std::size_t> first_of;
  bool compared = false;
  for (std::size_t i = 0; i < sights.size(); ++i) {
    if (sights[i].opaque) continue;
    const auto [group, fresh] = first_of.try_emplace(sights[i].released, i);
    if (fresh) continue;
    compared = true;
    if (sights[i].view == sights[group->second].view) continue;
    if (auto leak = compare(script, group->second, i, sights)) return leak;
  }
  if (compared) ++tally_.compared;
  return std::nullopt;
}

std::optional<Leak> Judge::compare(const Script& script, std::size_t a, std::size_t b,
                                   const std::vector<Sight>& sights) {
  std::vector<Seen> seen_a(script.steps.size()), seen_b(script.steps.size());
  const auto keep = [&](const Sight& sight, std::vector<Seen>& seen) {
    if (sight.released != sights[a].released) return;
    for (std::size_t i = 0; i < seen.size(); ++i) seen[i].add(pieces_of(sight.view[i]));
  };
  keep(sights[a], seen_a);
  keep(sights[b], seen_b);
  const auto difference = [&]() -> std::string {
    for (std::size_t i = 0; i < seen_a.size(); ++i) {
      const std::string found = seen_a[i].difference(seen_b[i]);
      if (!found.empty()) return "step " + std::to_string(i) + ", " + found;
    }
    return "";
  };
  for (int replay = 0; replay < kReplays && !difference().empty(); ++replay) {
    // In changing order, so that no rhythm of threads looks like a difference.
    const bool a_first = replay % 3 != 0;
    if (a_first) keep(stages_[a]->play(script), seen_a);
    keep(stages_[b]->play(script), seen_b);
    if (!a_first) keep(stages_[a]->play(script), seen_a);
  }
  const std::string found = difference();
  if (found.empty()) return std::nullopt;
  return Leak{script.str() + "datasets " + std::to_string(a) + " and " + std::to_string(b) + ", " +
                  found + "\nreleased by both:" + sights[a].released + "\n",
              false};
}

void Judge::count(const Script& script, const std::vector<Sight>& sights) {
  ++tally_.scripts;
  tally_.with_release += sights[0].given > 0 ? 1 : 0;
  tally_.with_denial += sights[0].denied > 0 ? 1 : 0;
  tally_.with_approval += script.approved.empty() ? 0 : 1;
  tally_.programs += std::ssize(script.programs);
  for (const int program : sights[0].ran) {
    ++tally_.ran;
    std::set<std::string> names;
    note_ops(script.programs[static_cast<std::size_t>(program)].ops, names);
    for (const std::string& name : names) ++tally_.ops[name];
  }
}

void Tally::add(const Tally& other) {
  scripts += other.scripts;
  programs += other.programs;
  ran += other.ran;
  for (const auto& [name, count] : other.ops) ops[name] += count;
  with_release += other.with_release;
  with_denial += other.with_denial;
  with_approval += other.with_approval;
  compared += other.compared;
}

Search search(const MakeRules& make_rules, std::int64_t programs, std::int64_t hidden_quota) {
  Search found;
  std::mutex mutex;
  std::atomic<std::uint64_t> next_seed{1};
  std::atomic<std::int64_t> left{programs};
  const auto work = [&] {
    const std::unique_ptr<const WatchedRules> rules = make_rules();
    Judge judge(*rules, hidden_quota);
    while (left > 0) {
      const std::int64_t before = judge.tally().programs;
      const Script script = random_script(next_seed++);
      std::optional<Leak> leak;
      try {
        leak = judge.look(script);
      } catch (const Error& error) {
        leak = Leak{script.str() + "could not be played: " + error.what(), true};
      }
      left -= judge.tally().programs - before;
      if (!leak) continue;
      const std::lock_guard lock(mutex);
      if (!found.leak) found.leak = std::move(leak);
      left = 0;
    }
    const std::lock_guard lock(mutex);
    found.tally.add(judge.tally());
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return found;
}

}  // namespace curia::test
