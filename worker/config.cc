#include "worker/config.h"

#include <charconv>
#include <tuple>

#include "protocol/error.h"
#include "protocol/fields.h"
#include "worker/policy_json.h"

namespace curia {
namespace {

constexpr std::int64_t kMostMib = std::int64_t{1} << 40;  // of a disk

constexpr std::pair<const char*, DatasetFormat> kFormats[] = {
    {"csv", DatasetFormat::kCsv}, {"arrow", DatasetFormat::kArrow}, {"npy", DatasetFormat::kNpy}};

DatasetConfig read_dataset(Fields fields, const std::string& path) {
  DatasetConfig dataset;
  for (const auto& [name, format] : kFormats) {
    if (!fields.has(name)) continue;
    if (!dataset.file.empty()) fields.fail(name, "a dataset is one file, and has another already");
    dataset.format = format;
    dataset.file = beside(path, fields.text(name));
  }
  // One of them there has to be.
  if (dataset.file.empty()) fields.fail("csv", "expected one of csv, arrow and npy, found none");
  if (dataset.format == DatasetFormat::kNpy && fields.has("columns")) {
    fields.fail("columns", "the tensor of an npy file has none");
  }
  for (const std::string& column : fields.texts_or_none("columns")) {
    const auto colon = column.rfind(':');
    if (colon == std::string::npos) {
      fields.fail("columns", "expected \"name:dtype\", such as \"age:i64\"");
    }
    const DType dtype =
        fields.checked("columns", [&] { return parse_dtype(column.substr(colon + 1)); });
    dataset.columns.push_back({column.substr(0, colon), dtype});
  }
  dataset.ranges = fields.ranges_or_none("ranges");
  fields.finish();
  return dataset;
}

std::string checked_address(Fields& fields, const std::string& name) {
  std::string text = fields.text(name);
  fields.checked(name, [&] { split_host_port(text); });
  return text;
}

// In the configuration itself, or in a file of its own.
Policy policy_of(Fields& fields, const WorkerConfig& config, const std::string& path) {
  PolicyContext context{config.party, {}, {}};
  for (const auto& [name, unused] : config.parties) context.parties.insert(name);
  for (const auto& [name, unused] : config.datasets) context.datasets.insert(name);
  if (!fields.has("policy")) return read_policy(fields, context);
  for (const char* name : {"drivers", "devices", "grants", "rules", "approvers", "approvals"}) {
    if (fields.has(name)) fields.fail(name, "this stands in the policy file, or there is none");
  }
  Fields file = Fields::of_file(beside(path, fields.text("policy")));
  Policy policy = read_policy(file, context);
  file.finish();
  return policy;
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

bool WorkerConfig::same_beside_policy(const WorkerConfig& other) const {
  const auto rest = [](const WorkerConfig& c) {
    return std::tie(c.party, c.control, c.data, c.key_file, c.parties, c.datasets,
                    c.memory_quota_bytes, c.hidden_quota_bytes, c.session_quota_bytes,
                    c.spill_quota_bytes, c.spill_dir, c.lease_ms, c.state_dir, c.fs_root,
                    c.fs_quota_bytes, c.fs_hidden_quota_bytes, c.oss, c.log_level, c.ready_file);
  };
  return rest(*this) == rest(other);
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
  for (auto& [name, dataset] : fields.objects_or_none("datasets")) {
    checked_name(fields, "datasets." + name, name);
    config.datasets.emplace(name, read_dataset(std::move(dataset), path));
  }
  config.policy = policy_of(fields, config, path);
  config.memory_quota_bytes = fields.number_or("memory_quota_mib", 8192, 1, std::int64_t{1} << 24)
                              << 20;
  config.hidden_quota_bytes =
      fields.number_or("hidden_quota_mib",
                       std::max<std::int64_t>(1, config.memory_quota_bytes >> 21), 1,
                       std::int64_t{1} << 24)
      << 20;
  config.session_quota_bytes = fields.number_or("session_quota_mib", 0, 0, kMostMib) << 20;
  if (config.session_quota_bytes > config.memory_quota_bytes) {
    fields.fail("session_quota_mib", "a session's share is part of memory_quota_mib, at most " +
                                         std::to_string(config.memory_quota_bytes >> 20));
  }
  config.lease_ms = fields.number_or("lease_seconds", 30, 1, 3600) * 1000;
  config.state_dir = beside(path, fields.text("state_dir"));
  config.spill_quota_bytes = fields.number_or("spill_quota_mib", 0, 0, kMostMib) << 20;
  if (fields.has("spill_dir") && config.spill_quota_bytes == 0) {
    fields.fail("spill_dir", "nothing is spilled without spill_quota_mib");
  }
  config.spill_dir = fields.has("spill_dir") ? beside(path, fields.text("spill_dir"))
                                             : config.state_dir + "/spill";
  if (fields.has("fs_root")) config.fs_root = beside(path, fields.text("fs_root"));
  for (const char* quota : {"fs_quota_mib", "fs_hidden_quota_mib"}) {
    if (fields.has(quota) && config.fs_root.empty()) {
      fields.fail(quota, "it limits the objects beneath fs_root, which is not set");
    }
  }
  config.fs_quota_bytes = fields.number_or("fs_quota_mib", 0, 0, kMostMib) << 20;
  config.fs_hidden_quota_bytes =
      fields.number_or("fs_hidden_quota_mib", config.fs_quota_bytes >> 21, 0, kMostMib) << 20;
  if (fields.has("oss")) config.oss = read_oss_config(fields.object("oss"), path, config.party);
  config.log_level = fields.text_or("log_level", "info");
  if (config.log_level != "debug" && config.log_level != "info" && config.log_level != "warn" &&
      config.log_level != "error") {
    fields.fail("log_level", "expected debug, info, warn or error");
  }
  if (fields.has("ready_file")) config.ready_file = beside(path, fields.text("ready_file"));
  fields.finish();
  return config;
}

}  // namespace curia
