// Runs every attempt of a hostile driver against a cluster of real workers, one line each.
//
//   hostile_driver                 all must be refused; exits with the number of those that were
//   not hostile_driver --unprotected   owners grant everything; those marked `steals` must succeed
//   hostile_driver --only TEXT     attempts whose name contains it, with all that was said
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <set>
#include <string>

#include "tests/hostile/attempt.h"

namespace curia {
namespace {

constexpr int kLeastAttempts = 60;
constexpr int kLeastThefts = 25;

struct Result {
  bool good = false;
  std::string said;
};

std::string shown(const std::vector<std::int64_t>& values) {
  std::string text;
  for (const std::int64_t value : values) text += (text.empty() ? "" : " ") + std::to_string(value);
  return text;
}

constexpr std::size_t kWidth = 150;

std::string one_line(std::string text, bool whole) {
  std::ranges::replace(text, '\n', ' ');
  return text.size() > kWidth && !whole ? text.substr(0, kWidth - 3) + "..." : text;
}

// A cell of alice's among what the attacker was given, as bytes or as text; "" where there is none.
std::string cell_in(const std::string& seen) {
  std::vector<std::int64_t> cells = kCanaries;
  cells.insert(cells.end(), kSecure.begin(), kSecure.end());
  for (const std::int64_t cell : cells) {
    std::string bytes(sizeof(cell), '\0');
    std::memcpy(bytes.data(), &cell, sizeof(cell));
    if (seen.find(bytes) != std::string::npos) return "the bytes of " + std::to_string(cell);
    if (seen.find(std::to_string(cell)) != std::string::npos) return std::to_string(cell);
  }
  return "";
}

// What an owner's policy refuses is in that owner's log, with its words.
bool names(const AuditRecord& record, const Error& refused) {
  const bool by_policy = refused.message().find("its owner can ") != std::string::npos;
  switch (record.kind) {
    case AuditKind::kConsent:
      return record.field("answer") == "denied" &&
             refused.message().find(record.field("why")) != std::string::npos;
    case AuditKind::kFetch:
      return !by_policy && refused.code() == Code::kDenied && record.field("answer") == "denied";
    case AuditKind::kRunFailed:
    case AuditKind::kRefused:
      return !by_policy && record.field("code") == code_name(refused.code());
    default:
      return false;
  }
}

bool matches(const AuditRecord& record, const Evidence& wanted) {
  return record.kind == wanted.kind && record.principal == wanted.principal &&
         (wanted.session.empty() || record.session == wanted.session) &&
         (wanted.field.empty() ||
          record.field(wanted.field).find(wanted.value) != std::string_view::npos);
}

// The refusal is in a log under one of the trial's sessions with its code, or as the attempt says,
// and so is all else that the attempt says. `from`: records that were there before it.
bool is_audited(const Trial& trial, World& world, const Error& refused,
                const std::map<std::string, std::size_t>& from) {
  const std::set<std::string> sessions = trial.sessions();
  bool named = false;
  std::vector<Evidence> wanted = trial.evidence();
  for (const auto& [party, before] : from) {
    const std::vector<AuditRecord> records = world.audit(party);
    for (std::size_t i = std::min(before, records.size()); i < records.size(); ++i) {
      const AuditRecord& record = records[i];
      std::erase_if(wanted, [&](const Evidence& evidence) {
        return evidence.party == party && matches(record, evidence);
      });
      if (trial.instead().empty()) {
        named = named || (sessions.contains(record.session) && names(record, refused));
      }
      for (const Evidence& evidence : trial.instead()) {
        named = named || (evidence.party == party && matches(record, evidence));
      }
    }
  }
  return named && wanted.empty();
}

std::map<std::string, std::size_t> log_sizes(World& world) {
  std::map<std::string, std::size_t> sizes;
  for (const char* party : {"alice", "bob", "carol", "dan"}) {
    sizes[party] = world.audit(party).size();
  }
  return sizes;
}

Result try_run(const Attempt& attempt, World& world) {
  const auto before = log_sizes(world);
  Trial trial(world);
  try {
    const Learnt learnt = attempt.run(trial);
    const bool right = learnt.found == learnt.truth;
    if (world.unprotected()) return {right, shown(learnt.found)};
    return {false, (right ? "learnt " : "got ") + shown(learnt.found)};
  } catch (const Error& error) {
    const std::string text = error.what();
    if (world.unprotected()) return {false, text};
    if (error.code() == Code::kFailed) return {false, text};
    if (const std::string cell = cell_in(trial.seen() + text); !cell.empty()) {
      return {false, "refused (" + text + "), but was given " + cell};
    }
    if (!attempt.unaudited.empty())
      return {true, text + " [audit: none, " + attempt.unaudited + "]"};
    if (!eventually([&] { return is_audited(trial, world, error, before); })) {
      return {false, "refused (" + text + "), but no honest party's audit log names it"};
    }
    return {true, text};
  }
}

Result try_observe(const Attempt& attempt, World& world) {
  std::vector<std::string> first;
  for (const char* name : {"side0", "side1"}) {
    Trial trial(world);
    std::vector<std::string> lines;
    try {
      lines = attempt.observe(trial, of_alice(name));
    } catch (const Error& error) {
      return {false, std::string("the observation failed: ") + error.what()};
    }
    for (std::string& line : lines) {
      for (auto at = line.find(name); at != std::string::npos; at = line.find(name)) {
        line.replace(at, std::strlen(name), "DATA");
      }
    }
    if (first.empty()) {
      first = std::move(lines);
      continue;
    }
    for (std::size_t i = 0; i < std::max(first.size(), lines.size()); ++i) {
      const std::string left = i < first.size() ? first[i] : "nothing";
      const std::string right = i < lines.size() ? lines[i] : "nothing";
      if (left != right) return {false, "tells them apart: " + left + " / " + right};
    }
  }
  if (first.empty()) return {false, "nothing was observed"};
  std::string all;
  for (const std::string& line : first) all += (all.empty() ? "" : "; ") + line;
  return {true, "the same of both datasets [audit: none, nothing was refused], in " +
                    std::to_string(first.size()) + " lines: " + all};
}

int attack(bool unprotected, const std::string& only) {
  World world(unprotected);
  world.check_honest();
  int number = 0;
  int failures = 0;
  std::set<std::string> names_seen;
  for (const auto& family : {disguises, predicates, moves, stored, sessions, forgeries, shares,
                             members, channels, counts, budgets, approvals, approval_files}) {
    for (const Attempt& attempt : family()) {
      if (unprotected && !attempt.steals) continue;
      if (attempt.name.find(only) == std::string::npos) continue;
      if (!names_seen.insert(attempt.name).second) {
        throw Error(Code::kInvalid, "two attempts are called: " + attempt.name);
      }
      const Result result = attempt.run ? try_run(attempt, world) : try_observe(attempt, world);
      const char* good = unprotected ? "stolen" : "ok  ";
      const char* bad = unprotected ? "FAILED" : "LEAK";
      std::printf("%s %2d  %s: %s\n", result.good ? good : bad, ++number, attempt.name.c_str(),
                  one_line(result.said, !only.empty() || !result.good).c_str());
      std::fflush(stdout);
      failures += result.good ? 0 : 1;
    }
  }
  world.check_honest();
  const int least = unprotected ? kLeastThefts : kLeastAttempts;
  if (only.empty() && number < least) {
    std::printf("there are %d attempts, expected at least %d\n", number, least);
    ++failures;
  }
  std::printf("%d attempts, %d %s; what is granted works\n", number, number - failures,
              unprotected ? "succeeded with owners who grant everything" : "refused");
  return failures;
}

}  // namespace
}  // namespace curia

int main(int argc, char** argv) {
  bool unprotected = false;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--unprotected") == 0) {
      unprotected = true;
    } else if (std::strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
      only = argv[++i];
    } else {
      std::fprintf(stderr, "usage: hostile_driver [--unprotected] [--only TEXT]\n");
      return 64;
    }
  }
  try {
    return std::min(curia::attack(unprotected, only), 63);
  } catch (const std::exception& error) {
    std::printf("FAILED: %s\n", error.what());
    return 64;
  }
}
