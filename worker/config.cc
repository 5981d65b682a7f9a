#include "worker/config.h"

#include <charconv>
#include <ctime>
#include <nlohmann/json.hpp>

#include "protocol/device.h"
#include "protocol/error.h"
#include "protocol/fields.h"
#include "protocol/link/keys.h"

namespace curia {
namespace {

// Of a grant to share.
void read_members(Fields& fields, const WorkerConfig& config, Grant& grant) {
  if (fields.has("to")) fields.fail("to", "a grant has either to or share_among");
  for (const std::string& member : fields.texts_or_none("share_among")) {
    if (member != config.party && !config.parties.contains(member)) {
      fields.fail("share_among", "\"" + member + "\" is not among the parties");
    }
    grant.members.insert(member);
  }
  if (grant.members.size() != 3) {
    fields.fail("share_among",
                "expected three distinct parties, such as [\"alice\", \"bob\", "
                "\"carol\"]");
  }
  grant.protocol = fields.text_or("protocol", std::string(kReplicated3));
  if (grant.protocol != kReplicated3) {
    fields.fail("protocol", "expected \"" + std::string(kReplicated3) + "\"");
  }
}

Grant read_grant(Fields fields, const WorkerConfig& config) {
  Grant grant;
  grant.source = fields.text("source");
  if (!config.datasets.contains(grant.source)) {
    fields.fail("source", "there is no dataset \"" + grant.source + "\" in this configuration");
  }
  if (fields.has("share_among")) {
    read_members(fields, config, grant);
  } else {
    grant.to = fields.text("to");
    if (!config.parties.contains(grant.to) && !config.drivers.contains(grant.to)) {
      fields.fail("to", "\"" + grant.to + "\" is neither among parties nor among drivers");
    }
  }
  for (const std::string& program : fields.texts_or_none("programs")) {
    try {
      grant.programs.insert(Digest::parse(program));
    } catch (const Error& error) {
      fields.fail("programs", error.message());
    }
  }
  for (const std::string& release : fields.texts_or_none("releases")) {
    grant.releases.insert(release);
  }
  if (fields.has("until")) {
    try {
      grant.until = parse_time(fields.text("until"));
    } catch (const Error& error) {
      fields.fail("until", error.message());
    }
  }
  fields.finish();
  return grant;
}

DatasetConfig read_dataset(Fields fields, const std::string& path) {
  DatasetConfig dataset;
  dataset.csv = beside(path, fields.text("csv"));
  for (const std::string& column : fields.texts_or_none("columns")) {
    const auto colon = column.rfind(':');
    if (colon == std::string::npos) {
      fields.fail("columns", "expected \"name:dtype\", such as \"age:i64\"");
    }
    try {
      dataset.columns.push_back({column.substr(0, colon), parse_dtype(column.substr(colon + 1))});
    } catch (const Error& error) {
      fields.fail("columns", error.message());
    }
  }
  dataset.ranges = fields.ranges_or_none("ranges");
  fields.finish();
  return dataset;
}

std::string checked_address(Fields& fields, const std::string& name) {
  const std::string text = fields.text(name);
  try {
    split_host_port(text);
  } catch (const Error& error) {
    fields.fail(name, error.message());
  }
  return text;
}

std::string checked_key(Fields& fields, const std::string& name, const std::string& text) {
  try {
    check_key(text, "public key");
  } catch (const Error& error) {
    fields.fail(name, error.message());
  }
  return text;
}

void checked_name(Fields& fields, const std::string& field, const std::string& name) {
  try {
    check_name(name, "principal");
  } catch (const Error& error) {
    fields.fail(field, error.message());
  }
}

}  // namespace

std::pair<std::string, std::uint16_t> split_host_port(const std::string& text) {
  const auto colon = text.rfind(':');
  std::uint16_t port = 0;
  bool good = colon != std::string::npos && colon > 0 && colon + 1 < text.size();
  if (good) {
    const char* begin = text.data() + colon + 1;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(begin, end, port);
    good = error == std::errc() && at == end;
  }
  if (!good) throw Error(Code::kInvalid, "expected \"host:port\", such as \"127.0.0.1:7001\"");
  return {text.substr(0, colon), port};
}

WorkerConfig read_worker_config(const std::string& path) {
  Fields fields = Fields::of_file(path);
  WorkerConfig config;
  config.party = fields.text("party");
  checked_name(fields, "party", config.party);
  config.control = checked_address(fields, "control");
  config.data = checked_address(fields, "data");
  config.key_file = beside(path, fields.text("key_file"));
  for (auto& [name, peer] : fields.objects_or_none("parties")) {
    checked_name(fields, "parties." + name, name);
    if (name == config.party) fields.fail("parties." + name, "this is the worker's own name");
    PeerConfig known;
    known.control = checked_address(peer, "control");
    known.key = checked_key(peer, "key", peer.text("key"));
    peer.finish();
    config.parties.emplace(name, std::move(known));
  }
  for (const auto& [name, key] : fields.pairs_or_none("drivers")) {
    checked_name(fields, "drivers." + name, name);
    if (config.parties.contains(name) || name == config.party) {
      fields.fail("drivers." + name, "this name is also a party's; give the driver its own");
    }
    config.drivers.emplace(name, checked_key(fields, "drivers." + name, key));
  }
  for (auto& [name, dataset] : fields.objects_or_none("datasets")) {
    checked_name(fields, "datasets." + name, name);
    config.datasets.emplace(name, read_dataset(std::move(dataset), path));
  }
  for (Fields& grant : fields.list_or_none("grants")) {
    config.grants.push_back(read_grant(std::move(grant), config));
  }
  config.memory_quota_bytes = fields.number_or("memory_quota_mib", 8192, 1, std::int64_t{1} << 24)
                              << 20;
  config.hidden_quota_bytes =
      fields.number_or("hidden_quota_mib",
                       std::max<std::int64_t>(1, config.memory_quota_bytes >> 22), 1,
                       std::int64_t{1} << 24)
      << 20;
  config.lease_ms = fields.number_or("lease_seconds", 30, 1, 3600) * 1000;
  config.state_dir = beside(path, fields.text("state_dir"));
  if (fields.has("fs_root")) config.fs_root = beside(path, fields.text("fs_root"));
  for (const char* quota : {"fs_quota_mib", "fs_hidden_quota_mib"}) {
    if (fields.has(quota) && config.fs_root.empty()) {
      fields.fail(quota, "it limits the objects beneath fs_root, which is not set");
    }
  }
  constexpr std::int64_t kMostMib = std::int64_t{1} << 40;
  config.fs_quota_bytes = fields.number_or("fs_quota_mib", 0, 0, kMostMib) << 20;
  config.fs_hidden_quota_bytes =
      fields.number_or("fs_hidden_quota_mib", config.fs_quota_bytes >> 22, 0, kMostMib) << 20;
  config.log_level = fields.text_or("log_level", "info");
  if (config.log_level != "debug" && config.log_level != "info" && config.log_level != "warn" &&
      config.log_level != "error") {
    fields.fail("log_level", "expected debug, info, warn or error");
  }
  if (fields.has("ready_file")) config.ready_file = beside(path, fields.text("ready_file"));
  fields.finish();
  return config;
}

std::string grants_json(const std::vector<Grant>& grants) {
  auto list = nlohmann::ordered_json::array();
  for (const Grant& grant : grants) {
    nlohmann::ordered_json json = {{"source", grant.source}};
    if (grant.members.empty()) {
      json["to"] = grant.to;
    } else {
      json["share_among"] = grant.members;
      json["protocol"] = grant.protocol;
    }
    for (const Digest& program : grant.programs) json["programs"].push_back(program.hex());
    for (const std::string& release : grant.releases) json["releases"].push_back(release);
    if (grant.until) {
      const std::time_t time = std::chrono::system_clock::to_time_t(*grant.until);
      std::tm parts{};
      char text[32];
      std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&time, &parts));
      json["until"] = text;
    }
    list.push_back(std::move(json));
  }
  return list.dump(2);
}

}  // namespace curia
