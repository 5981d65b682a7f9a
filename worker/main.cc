// curia-worker: one party's worker process.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "protocol/error.h"
#include "protocol/link/data_dialer.h"
#include "protocol/link/keys.h"
#include "protocol/link/zmq_control.h"
#include "protocol/value_bytes.h"
#include "store/arrow_file.h"
#include "store/csv.h"
#include "store/npy.h"
#include "worker/audit_disk.h"
#include "worker/config.h"
#include "worker/node.h"
#include "worker/signals.h"
#include "worker/state_dir.h"

namespace curia {
namespace {

// With the columns that the configuration names, if it does.
Value read_dataset(const DatasetConfig& dataset) {
  if (dataset.format == DatasetFormat::kNpy) return read_npy(dataset.file);
  if (dataset.format == DatasetFormat::kArrow) {
    ArrowOptions options;
    if (!dataset.columns.empty()) options.columns = dataset.columns;
    return read_arrow(dataset.file, options);
  }
  CsvOptions options;
  if (!dataset.columns.empty()) options.columns = dataset.columns;
  return read_csv(dataset.file, options);
}

// `state`: null where the datasets are only checked.
std::map<std::string, Dataset> read_datasets(const std::string& path, const WorkerConfig& config,
                                             StateDir* state) {
  std::map<std::string, Dataset> datasets;
  for (const auto& [name, dataset] : config.datasets) {
    Value value = read_dataset(dataset);
    try {
      const Digest content = state == nullptr ? Digest{} : content_digest(value);
      Dataset made = make_dataset(config.party, std::move(value), dataset.ranges);
      if (state != nullptr) made.lineage = state->snapshot(name, content);
      datasets.emplace(name, std::move(made));
    } catch (const Error& error) {
      throw Error(error.code(), path + ": datasets." + name + ".ranges: " + error.message());
    }
  }
  return datasets;
}

// What the ready file says, for whoever started the worker or wants it to read its policy again.
struct Ready {
  std::string control;
  int data_port = 0;
  int policies = 1;            // how often the policy was read, or refused
  std::string policy_error{};  // of the last time; "": it holds
};

void write_ready_file(const std::string& path, const Ready& ready) {
  if (path.empty()) return;
  const std::string fresh = path + ".new";
  std::ofstream(fresh) << nlohmann::ordered_json{{"control", ready.control},
                                                 {"data_port", ready.data_port},
                                                 {"pid", getpid()},
                                                 {"policies", ready.policies},
                                                 {"policy_error", ready.policy_error}}
                              .dump(-1, ' ', false,
                                    nlohmann::ordered_json::error_handler_t::replace)
                       << "\n";
  std::rename(fresh.c_str(), path.c_str());
}

// Public key -> name, of all who may connect. The other workers are no part of the policy.
std::map<std::string, std::string> principals_of(const WorkerConfig& config, const Policy& policy) {
  std::map<std::string, std::string> names;
  for (const auto& [name, peer] : config.parties) names[peer.key] = name;
  for (const auto& [name, key] : policy.drivers) names[key] = name;
  return names;
}

// Takes the policy of the files as they are now, and nothing else. On an error the old one holds,
// and the error is returned.
std::string reload(const std::string& path, const WorkerConfig& config, Node& node,
                   ZmqControlServer& server) {
  try {
    const WorkerConfig fresh = read_worker_config(path);
    for (const auto& [name, key] : fresh.policy.drivers) {
      if (name != config.party && !config.parties.contains(name)) continue;
      throw Error(Code::kInvalid, path + ": drivers." + name +
                                      ": this is a party of the running worker; restart it");
    }
    server.set_principals(principals_of(config, fresh.policy));
    node.set_policy(fresh.policy, "reload");
    spdlog::info("the policy was read again: {} drivers, {} grants, {} rules, {} approvals",
                 fresh.policy.drivers.size(), fresh.policy.grants.size(), fresh.policy.rules.size(),
                 fresh.policy.approvals.size());
    if (!fresh.same_beside_policy(config)) {
      spdlog::warn("{} has changes beside the policy; they take a restart", path);
    }
    return "";
  } catch (const std::exception& error) {
    node.refuse_policy(error.what());
    spdlog::error("the policy was not read again, the old one holds: {}", error.what());
    return error.what();
  }
}

void serve(const std::string& config_path, Signals& signals) {
  const WorkerConfig config = read_worker_config(config_path);
  spdlog::set_level(spdlog::level::from_str(config.log_level));
  StateDir state(config.state_dir);
  const KeyPair keys = load_keys(config.key_file);

  ZmqServerOptions control;
  control.keys = keys;
  control.bind = "tcp://" + config.control;
  control.principals = principals_of(config, config.policy);
  auto server = std::make_unique<ZmqControlServer>(std::move(control));
  ZmqControlServer& principals = *server;  // lives as long as the node

  DataLinkOptions data;
  data.self = config.party;
  const auto [data_host, data_port] = split_host_port(config.data);
  data.host = numeric_host(data_host);
  data.port = data_port;
  data.dials = [party = config.party](const std::string& peer) {
    return !peer.starts_with("driver/") && party < peer;
  };
  data.on_need_dial = [](const std::string&) {};  // Peers looks for itself
  auto link = std::make_shared<DataLink>(std::move(data));
  DataDialer dialer(*link);

  NodeOptions options;
  options.party = config.party;
  options.epoch = state.next_epoch();
  options.datasets = read_datasets(config_path, config, &state);
  options.policy = config.policy;
  options.signing_key = state.signing_key();
  options.audit = open_audit_file(config.state_dir);
  options.memory_quota_bytes = config.memory_quota_bytes;
  options.hidden_quota_bytes = config.hidden_quota_bytes;
  options.session_quota_bytes = config.session_quota_bytes;
  if (config.spill_quota_bytes != 0) options.spill_dir = config.spill_dir;
  options.spill_quota_bytes = config.spill_quota_bytes;
  options.lease_ms = config.lease_ms;
  const std::string& secret = keys.secret_key;
  const StoreKey stored_with =
      store_key({reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()});
  if (config.oss) options.oss = oss_options(*config.oss, config.state_dir, stored_with);
  if (!config.fs_root.empty()) {
    options.files = FileStoreOptions{.root = config.fs_root,
                                     .state = config.state_dir,
                                     .key = stored_with,
                                     .open_quota = config.fs_quota_bytes,
                                     .hidden_quota = config.fs_hidden_quota_bytes};
  }
  options.helpers = static_cast<int>(std::max(1U, std::thread::hardware_concurrency())) - 1;
  for (const auto& [name, peer] : config.parties) {
    options.peers[name] = {"tcp://" + peer.control, peer.key, split_host_port(peer.control).first};
  }
  options.log = [](const std::string& line) { spdlog::info("{}", line); };
  const std::uint64_t epoch = options.epoch;
  const std::string endpoint = server->endpoint();
  Node node(std::move(options), std::move(server),
            std::make_unique<ZmqControlClient>(ZmqClientOptions{.keys = keys}), link, &dialer);
  spdlog::info("worker of {} listens: control {}, data port {}, epoch {}", config.party, endpoint,
               link->port(), epoch);
  Ready ready{endpoint, link->port()};
  write_ready_file(config.ready_file, ready);
  int signal = 0;
  while ((signal = signals.wait()) == SIGHUP) {
    ready.policy_error = reload(config_path, config, node, principals);
    ++ready.policies;
    write_ready_file(config.ready_file, ready);
  }
  spdlog::info("worker of {} stops on signal {}", config.party, signal);
}

int run(int argc, char** argv) {
  CLI::App app("curia-worker: holds one party's data and computes on it");
  std::string config;
  bool check = false;
  app.add_option("--config", config, "configuration (JSON), see worker/README.md")->required();
  app.add_flag("--check", check, "check the configuration and its files, then exit");
  CLI11_PARSE(app, argc, argv);
  // A file that may not grow any more is an error of that write, not the end of the worker.
  std::signal(SIGXFSZ, SIG_IGN);
  spdlog::set_default_logger(spdlog::stderr_logger_mt("curia"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  try {
    if (check) {
      const WorkerConfig known = read_worker_config(config);
      load_keys(known.key_file);
      if (known.oss) oss_options(*known.oss, known.state_dir, {});
      read_datasets(config, known, nullptr);
      std::puts("the configuration is good");
      return 0;
    }
    // Before any other thread is made.
    Signals signals;
    serve(config, signals);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "curia-worker: %s\n", error.what());
    return error.code() == Code::kInvalid || error.code() == Code::kNotFound ? 2 : 1;
  }
}

}  // namespace
}  // namespace curia

int main(int argc, char** argv) { return curia::run(argc, argv); }
