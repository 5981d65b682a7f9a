// curia audit: shows and verifies the audit log of a worker. For whoever can read its state_dir; no
// worker is asked.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "driver/cli/command.h"
#include "protocol/audit_verify.h"
#include "protocol/fields.h"

namespace curia {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct AuditFlags {
  std::string path;
  std::vector<std::string> peers;
  std::string key;
  std::string kind;
  std::string principal;
  std::string session;
  std::uint64_t from = 1;
  std::uint64_t last = 0;
};

// A log, or the folder with one.
std::string log_path(const std::string& path) {
  return fs::is_directory(path) ? (fs::path(path) / "audit.log").string() : path;
}

std::ifstream open_log(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(Code::kInvalid, "cannot read " + path + ": is it a log, or a state_dir?");
  return in;
}

// Errors name the file.
template <class F>
auto reading(const std::string& path, F read) {
  try {
    return read();
  } catch (const Error& error) {
    throw Error(Code::kInvalid, path + ": " + audit_shown(error.message()));
  }
}

// Nothing of a log but ASCII, and its control characters escaped; what is no UTF-8 is replaced.
void print_safe(const Json& document) {
  std::puts(document.dump(2, ' ', true, Json::error_handler_t::replace).c_str());
}

Json json_of(const AuditRecord& record) {
  Json fields = Json::array();
  for (const AuditField& field : record.fields) fields.push_back({field.name, field.value});
  return {{"record", record.sequence},
          {"time", audit_time(record.time_ms)},
          {"kind", audit_kind_name(record.kind)},
          {"principal", record.principal},
          {"session", record.session},
          {"task", record.task},
          {"times", record.times},
          {"fields", fields}};
}

bool wanted(const AuditFlags& flags, const AuditRecord& record) {
  if (record.sequence < flags.from) return false;
  if (!flags.principal.empty() && record.principal != flags.principal) return false;
  if (!flags.session.empty() && !record.session.starts_with(flags.session)) return false;
  if (flags.kind.empty()) return true;
  return audit_kind_name(record.kind) == flags.kind;
}

void show(const AuditFlags& flags, const Global& global) {
  if (!flags.kind.empty() && !find_audit_kind(flags.kind)) {
    throw Error(Code::kInvalid, "--kind: there is no kind \"" + flags.kind + "\" of record");
  }
  const std::string path = log_path(flags.path);
  std::ifstream in = open_log(path);
  std::vector<AuditRecord> records;
  reading(path, [&] {
    AuditReader reader(in);
    while (const auto frame = reader.next()) {
      AuditRecord record = decode_audit(frame->bytes);
      if (wanted(flags, record)) records.push_back(std::move(record));
      if (flags.last != 0 && records.size() > flags.last) records.erase(records.begin());
    }
    return 0;
  });
  if (global.json) {
    Json list = Json::array();
    for (const AuditRecord& record : records) list.push_back(json_of(record));
    return print_safe({{"records", list}});
  }
  for (const AuditRecord& record : records) {
    std::printf("%6llu  %s  %s\n", static_cast<unsigned long long>(record.sequence),
                audit_time(record.time_ms).c_str(), audit_line(record).c_str());
  }
}

// Of another party: its log, its state_dir, or the list that `audit heads` makes.
std::vector<SeenHead> heads_of(const std::string& given) {
  const std::string path = log_path(given);
  std::ifstream in = open_log(path);
  return reading(path, [&] {
    if (in.peek() == '{') return parse_heads(read_file(path));
    return seen_heads(in);
  });
}

void heads(const AuditFlags& flags, const Global&) {
  const std::string path = log_path(flags.path);
  std::ifstream in = open_log(path);
  std::puts(reading(path, [&] { return heads_json(seen_heads(in)); }).c_str());
}

// How many records the worker had on its disk when it last agreed to something.
std::uint64_t marked(const AuditFlags& flags) {
  std::uint64_t records = 0;
  if (!fs::is_directory(flags.path)) return 0;
  std::ifstream in(fs::path(flags.path) / "audit.mark");
  return in >> records ? records : 0;
}

void verify(const AuditFlags& flags, Global& global) {
  std::vector<SeenHead> seen;
  for (const std::string& peer : flags.peers) {
    const std::vector<SeenHead> more = heads_of(peer);
    seen.insert(seen.end(), more.begin(), more.end());
  }
  const Digest key = flags.key.empty() ? Digest() : Digest::parse(flags.key);
  const std::string path = log_path(flags.path);
  std::ifstream in = open_log(path);
  AuditReport report = reading(path, [&] { return verify_audit(in, seen, key); });
  if (const std::uint64_t records = marked(flags); records > report.last) {
    report.problems.push_back(
        {report.last, "the log ends with record " + std::to_string(report.last) + ", but record " +
                          std::to_string(records) + " was on the disk: it was cut"});
  }
  if (report.records == 0) {
    report.problems.push_back({0, "there is no record in this log"});
  }
  if (!report.problems.empty()) global.exit = kExitFailed;
  if (global.json) {
    Json problems = Json::array();
    for (const AuditProblem& problem : report.problems) {
      problems.push_back({{"record", problem.record}, {"text", problem.text}});
    }
    return print_safe({{"good", report.problems.empty()},
                       {"party", report.party},
                       {"key", report.key.hex()},
                       {"records", report.records},
                       {"last", report.last},
                       {"signed_to", report.signed_to},
                       {"unsigned_records", report.unsigned_records},
                       {"unsigned_consents", report.unsigned_consents},
                       {"seen_to", report.seen_to},
                       {"cut_bytes", report.cut_bytes},
                       {"problems", problems}});
  }
  for (const AuditProblem& problem : report.problems) std::puts(audit_shown(problem.text).c_str());
  std::printf("%s: %llu records of %s, signed to record %llu with key %s\n",
              report.problems.empty() ? "good" : "NOT good",
              static_cast<unsigned long long>(report.records), audit_shown(report.party).c_str(),
              static_cast<unsigned long long>(report.signed_to), report.key.hex().c_str());
  if (report.unsigned_records != 0) {
    std::printf("%llu records after the last signature are not vouched for\n",
                static_cast<unsigned long long>(report.unsigned_records));
  }
  if (report.cut_bytes != 0) {
    std::printf("%lld bytes at the end are no whole record: of a write under way, or of a crash\n",
                static_cast<long long>(report.cut_bytes));
  }
  if (!flags.peers.empty()) {
    std::printf("others saw it up to record %llu\n",
                static_cast<unsigned long long>(report.seen_to));
  } else {
    std::puts("not compared with what other parties saw: --peer finds cuts and second histories");
  }
}

}  // namespace

void add_audit(CLI::App& app, Global& global) {
  CLI::App* group = app.add_subcommand("audit", "show or verify the audit log of a worker");
  group->require_subcommand(1);
  auto flags = std::make_shared<AuditFlags>();
  const auto add = [&](const char* name, const char* help) {
    CLI::App* command = group->add_subcommand(name, help);
    command->add_option("log", flags->path, "audit.log, or the worker's state_dir")->required();
    return command;
  };
  CLI::App* show_command = add("show", "its records, the oldest first");
  show_command->add_option("--kind", flags->kind, "only of this kind, such as consent");
  show_command->add_option("--of", flags->principal, "only of this driver or party");
  show_command->add_option("--in-session", flags->session,
                           "only of this session (hex, or its start)");
  show_command->add_option("--from", flags->from, "from this record on");
  show_command->add_option("--last", flags->last, "only so many, the latest");
  show_command->callback([flags, &global] { show(*flags, global); });
  CLI::App* verify_command =
      add("verify", "finds records edited, removed or moved, cuts and forks");
  verify_command->add_option(
      "--peer", flags->peers,
      "what another party saw: its log, state_dir, or `audit heads` list; may be repeated");
  verify_command->add_option("--key", flags->key, "the worker's signing key, if you know it (hex)");
  verify_command->callback([flags, &global] { verify(*flags, global); });
  add("heads", "the heads of other parties' logs that this one saw, as JSON to give away")
      ->callback([flags, &global] { heads(*flags, global); });
}

}  // namespace curia
