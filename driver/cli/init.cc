// curia keygen, curia init: keys and configurations.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "driver/cli/command.h"
#include "driver/files.h"
#include "protocol/digest.h"
#include "protocol/link/keys.h"
#include "protocol/signature.h"
#include "protocol/type.h"

namespace curia {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kMostPort = 65'535;

struct InitOptions {
  std::string folder;
  std::vector<std::string> parties;
  std::string driver;
  int base_port = 0;
  std::vector<std::string> datasets;
  std::vector<std::string> grants;
  int quota_mib = 0;
  std::vector<std::string> hosts;
};

struct Place {
  std::string host = "127.0.0.1";
  int control = 0;
  int data = 0;
  std::string key;
  std::string approver;  // public key
  Json datasets = Json::object();
  Json grants = Json::array();
};

// Ports that are free now, all at once so that they differ.
std::vector<int> free_ports(std::size_t count) {
  std::vector<int> ports;
  std::vector<int> sockets;
  for (std::size_t i = 0; i < count; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* general = reinterpret_cast<sockaddr*>(&address);
    if (fd >= 0) sockets.push_back(fd);
    if (fd < 0 || ::bind(fd, general, size) != 0 || ::getsockname(fd, general, &size) != 0) break;
    ports.push_back(ntohs(address.sin_port));
  }
  for (const int fd : sockets) ::close(fd);
  if (ports.size() != count) throw Error(Code::kFailed, "the system has no free ports left");
  return ports;
}

std::map<std::string, Place> places(const InitOptions& options) {
  std::map<std::string, Place> found;
  for (const std::string& party : options.parties) {
    check_name(party, "party");
    if (party == options.driver) {
      throw Error(Code::kInvalid, "--driver: \"" + party + "\" is a party; name the driver apart");
    }
    if (!found.emplace(party, Place{}).second) {
      throw Error(Code::kInvalid, "--parties: \"" + party + "\" stands there twice");
    }
  }
  std::vector<int> ports;
  if (options.base_port == 0) {
    ports = free_ports(2 * found.size());
  } else {
    for (int i = 0; i < 2 * static_cast<int>(found.size()); ++i) {
      ports.push_back(options.base_port + i);
    }
    if (ports.back() > kMostPort) {
      throw Error(Code::kInvalid, "--base-port: " + std::to_string(ports.size()) +
                                      " ports from there on go beyond 65535");
    }
  }
  std::size_t next = 0;
  for (auto& [party, place] : found) {
    place.control = ports[next++];
    place.data = ports[next++];
  }
  return found;
}

Place& place_of(std::map<std::string, Place>& all, const std::string& party,
                const std::string& option) {
  const auto found = all.find(party);
  if (found == all.end()) {
    throw Error(Code::kInvalid, option + ": \"" + party + "\" is not among --parties");
  }
  return found->second;
}

struct Copy {
  std::string from;
  fs::path to;
};

// The field of a worker's configuration that this file goes to. Any other ending may be of text.
std::string format_of(const std::string& file) {
  if (file.ends_with(".npy")) return "npy";
  return file.ends_with(".arrow") || file.ends_with(".feather") ? "arrow" : "csv";
}

std::vector<Copy> read_datasets(const InitOptions& options, std::map<std::string, Place>& all) {
  std::vector<Copy> copies;
  for (const std::string& text : options.datasets) {
    const auto [where, file] = cut(text, '=', "--dataset", "party/name=file.csv");
    const auto [party, name] = cut(where, '/', "--dataset", "party/name=file.csv");
    check_name(name, "dataset");
    Place& place = place_of(all, party, "--dataset");
    if (!fs::is_regular_file(file)) {
      throw Error(Code::kInvalid, "--dataset: " + file + " is no file that can be read");
    }
    if (place.datasets.contains(name)) {
      throw Error(Code::kInvalid, "--dataset: " + where + " is given twice");
    }
    const std::string format = format_of(file);
    const std::string copy = "data/" + name + "." + format;
    place.datasets[name] = {{format, copy}};
    copies.push_back({file, fs::path(options.folder) / party / copy});
  }
  return copies;
}

// "alice/iris:bob", "alice/iris:bob:<digest>", "alice/iris:bob:<digest>:<release>".
void read_grants(const InitOptions& options, std::map<std::string, Place>& all) {
  const std::string wanted =
      "party/dataset:recipient[:program digest[:release]], the recipient a party, the driver, or " +
      std::string("parties to share among, \"a+b+c\"");
  for (const std::string& text : options.grants) {
    const auto [what, rest] = cut(text, ':', "--grant", wanted);
    const auto [party, dataset] = cut(what, '/', "--grant", wanted);
    Place& place = place_of(all, party, "--grant");
    if (!place.datasets.contains(dataset)) {
      throw Error(Code::kInvalid,
                  "--grant: " + party + " was given no dataset \"" + dataset + "\"");
    }
    std::vector<std::string> parts{""};
    for (const char c : rest) {
      if (c == ':') {
        parts.emplace_back();
      } else {
        parts.back() += c;
      }
    }
    if (parts.size() > 3) {
      throw Error(Code::kInvalid, "--grant: expected " + wanted + ", found \"" + text + "\"");
    }
    Json grant = {{"source", dataset}};
    if (parts[0].find('+') != std::string::npos) {
      std::vector<std::string> members{""};
      for (const char c : parts[0]) {
        if (c == '+') {
          place_of(all, members.back(), "--grant");
          members.emplace_back();
        } else {
          members.back() += c;
        }
      }
      place_of(all, members.back(), "--grant");
      grant["share_among"] = members;
    } else {
      if (parts[0] != options.driver) place_of(all, parts[0], "--grant");
      grant["to"] = parts[0];
    }
    if (parts.size() > 1) grant["programs"] = {Digest::parse(parts[1]).hex()};
    if (parts.size() > 2) grant["releases"] = {parts[2]};
    place.grants.push_back(std::move(grant));
  }
}

// What others need to reach a party.
Json address(const Place& place) {
  return {{"control", place.host + ":" + std::to_string(place.control)}, {"key", place.key}};
}

std::string worker_config(const std::string& party, const InitOptions& options,
                          const std::map<std::string, Place>& all, const std::string& driver_key) {
  const Place& self = all.at(party);
  const std::string listen = self.host == "127.0.0.1" ? "127.0.0.1" : "0.0.0.0";
  Json peers = Json::object();
  for (const auto& [name, place] : all) {
    if (name != party) peers[name] = address(place);
  }
  Json json = {{"party", party},
               {"control", listen + ":" + std::to_string(self.control)},
               {"data", listen + ":" + std::to_string(self.data)},
               {"key_file", party + ".key"},
               {"state_dir", "state"},
               {"fs_root", "objects"},
               {"ready_file", "ready.json"},
               {"parties", peers},
               {"drivers", {{options.driver, driver_key}}},
               {"datasets", self.datasets},
               {"grants", self.grants},
               {"approvers", {{party, self.approver}}},
               {"approvals", "approvals"}};
  if (options.quota_mib != 0) json["memory_quota_mib"] = options.quota_mib;
  return json.dump(2) + "\n";
}

void init(const InitOptions& options, const Global& global) {
  std::map<std::string, Place> all = places(options);
  check_name(options.driver, "driver");
  for (const std::string& text : options.hosts) {
    const auto [party, host] = cut(text, '=', "--host", "party=host");
    place_of(all, party, "--host").host = host;
  }
  const std::vector<Copy> copies = read_datasets(options, all);
  read_grants(options, all);
  const fs::path folder = options.folder;
  if (fs::exists(folder) && !fs::is_empty(folder)) {
    throw Error(
        Code::kInvalid,
        options.folder + " is not empty, and nothing is overwritten; choose another folder");
  }
  fs::create_directories(folder / "logs");
  for (auto& [party, place] : all) {
    fs::create_directories(folder / party / "data");
    fs::create_directories(folder / party / "approvals");
    fs::permissions(folder / party, fs::perms::owner_all);
    const KeyPair keys = generate_keys();
    save_keys((folder / party / (party + ".key")).string(), keys);
    place.key = keys.public_key;
    const SigningKey approver = SigningKey::generate();
    write_new_file((folder / party / "approver.key").string(), approver.secret().hex() + "\n");
    place.approver = approver.public_key().hex();
  }
  const KeyPair driver_keys = generate_keys();
  save_keys((folder / (options.driver + ".key")).string(), driver_keys);
  for (const Copy& copy : copies) fs::copy_file(copy.from, copy.to);
  Json parties = Json::object();
  for (const auto& [party, place] : all) {
    write_new_file((folder / party / "worker.json").string(),
                   worker_config(party, options, all, driver_keys.public_key));
    parties[party] = address(place);
  }
  const std::string cluster = (folder / (options.driver + ".json")).string();
  write_new_file(
      cluster,
      Json{{"driver", options.driver}, {"key_file", options.driver + ".key"}, {"parties", parties}}
              .dump(2) +
          "\n");
  if (global.json) {
    return Global::print({{"folder", options.folder}, {"cluster", cluster}, {"parties", parties}});
  }
  std::vector<std::vector<std::string>> rows = {{"PARTY", "CONTROL", "DATA PORT", "DATASETS"}};
  for (const auto& [party, place] : all) {
    std::string names;
    for (const auto& [name, unused] : place.datasets.items()) {
      names += (names.empty() ? "" : ",") + name;
    }
    rows.push_back({party, place.host + ":" + std::to_string(place.control),
                    std::to_string(place.data), names});
  }
  print_table(rows);
  std::printf("cluster file of %s: %s\nnext: curia up %s\n", options.driver.c_str(),
              cluster.c_str(), options.folder.c_str());
}

void keygen(const std::string& name, const std::string& given, const Global& global) {
  check_name(name, "principal");
  const std::string file = given.empty() ? name + ".key" : given;
  const KeyPair keys = generate_keys();
  save_keys(file, keys);
  if (global.json) {
    return Global::print({{"name", name}, {"file", file}, {"public_key", keys.public_key}});
  }
  std::printf("wrote %s (keep it to yourself)\npublic key of %s: %s\n", file.c_str(), name.c_str(),
              keys.public_key.c_str());
}

// Of a person who approves for a party: it signs, and opens no connection.
void signing_keygen(const std::string& name, const std::string& given, const Global& global) {
  check_name(name, "approver");
  const std::string file = given.empty() ? name + ".signing.key" : given;
  const SigningKey key = SigningKey::generate();
  write_new_file(file, key.secret().hex() + "\n");
  const std::string public_key = key.public_key().hex();
  if (global.json) {
    return Global::print({{"name", name}, {"file", file}, {"public_key", public_key}});
  }
  std::printf(
      "wrote %s (keep it to yourself)\nfor the worker's policy: \"approvers\": {\"%s\": "
      "\"%s\"}\n",
      file.c_str(), name.c_str(), public_key.c_str());
}

}  // namespace

void add_keygen(CLI::App& app, Global& global) {
  auto name = std::make_shared<std::string>();
  auto file = std::make_shared<std::string>();
  auto signing = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("keygen", "make a key pair for a party or a driver");
  command->add_option("name", *name, "whose key it is")->required();
  command->add_option("--out", *file, "the new key file (NAME.key)");
  command->add_flag("--signing", *signing,
                    "a key that signs approvals (NAME.signing.key), of a person");
  command->callback([name, file, signing, &global] {
    (*signing ? signing_keygen : keygen)(*name, *file, global);
  });
}

void add_init(CLI::App& app, Global& global) {
  auto options = std::make_shared<InitOptions>();
  CLI::App* command =
      app.add_subcommand("init", "make keys, configurations and data folders of a cluster");
  command->add_option("folder", options->folder, "a new folder")->required();
  command->add_option("--parties", options->parties, "names, with commas")
      ->required()
      ->delimiter(',');
  command->add_option("--driver", options->driver, "name of the driver")->required();
  command->add_option("--base-port", options->base_port, "first of the ports (free ones)")
      ->check(CLI::Range(1, kMostPort));
  command->add_option("--dataset", options->datasets,
                      "party/name=file.csv (or .arrow, .npy); may be repeated");
  command->add_option("--grant", options->grants,
                      "party/dataset:recipient[:program digest[:release]]; may be repeated");
  command->add_option("--host", options->hosts,
                      "party=host: where the others reach it (127.0.0.1); may be repeated");
  command->add_option("--quota-mib", options->quota_mib, "memory for objects, each party")
      ->check(CLI::PositiveNumber);
  command->callback([options, &global] { init(*options, global); });
}

}  // namespace curia
