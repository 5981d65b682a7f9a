// curia doctor: looks for what usually is wrong, here and on the way to the workers.
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "driver/cli/command.h"
#include "protocol/link/keys.h"

namespace curia {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kConnectMs = 2'000;

class Findings {
 public:
  void add(const std::string& what, bool good, const std::string& text, int exit = kExitFailed) {
    list_.push_back({{"what", what}, {"good", good}, {"text", text}});
    rows_.push_back({good ? "ok" : "BAD", what, text});
    if (!good && exit_ == kExitDone) exit_ = exit;
  }
  void print(Global& global) const {
    global.exit = exit_;
    if (global.json) return Global::print({{"good", exit_ == kExitDone}, {"findings", list_}});
    print_table(rows_);
  }

 private:
  Json list_ = Json::array();
  std::vector<std::vector<std::string>> rows_;
  int exit_ = kExitDone;
};

// "" when a TCP connection can be made, else why not.
std::string cannot_connect(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return "the name " + host + " is not known: " + ::gai_strerror(error);
  }
  std::string why = "no address";
  for (const addrinfo* at = found; at != nullptr && !why.empty(); at = at->ai_next) {
    const int fd =
        ::socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);
    if (fd < 0) continue;
    int error = ::connect(fd, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      pollfd wait{fd, POLLOUT, 0};
      socklen_t size = sizeof(error);
      error = ETIMEDOUT;
      if (::poll(&wait, 1, kConnectMs) == 1) ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    ::close(fd);
    why = error == 0 ? "" : std::strerror(error);
  }
  ::freeaddrinfo(found);
  return why;
}

// The value behind "name :" or "name:" in a file such as /proc/meminfo.
std::string line_of(const std::string& file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const auto colon = line.find(':');
    if (colon != std::string::npos) return line.substr(line.find_first_not_of(" \t", colon + 1));
  }
  return "";
}

void look_at_machine(Findings& findings) {
  std::istringstream flags(line_of("/proc/cpuinfo", "flags"));
  std::string has;
  bool aes = false;
  for (std::string flag; flags >> flag;) {
    aes = aes || flag == "aes";
    if (flag == "aes" || flag == "avx2" || flag == "avx512f" || flag == "vaes") {
      has += (has.empty() ? "" : " ") + flag;
    }
  }
  findings.add("CPU", aes,
               has.empty() ? "none of aes avx2 avx512f vaes" : has + (aes ? "" : ", no aes: slow"));
  const std::string free = line_of("/proc/meminfo", "MemAvailable");
  findings.add("memory", !free.empty(), free.empty() ? "unknown" : free + " available");
}

void look_at_worker(Findings& findings, Session& session, const std::string& name,
                    const ClusterConfig::Party& party) {
  const auto colon = party.control.rfind(':');
  const std::string host = party.control.substr(0, colon);
  const std::string what = name + " control port";
  if (const auto why = cannot_connect(host, party.control.substr(colon + 1)); !why.empty()) {
    return findings.add(what, false, party.control + ": " + why, kExitUnreachable);
  }
  findings.add(what, true, party.control);
  try {
    std::int64_t epoch = 0;
    std::int64_t data_port = 0;
    for (const StatsEntry& entry : session.stats(name)) {
      if (entry.name == "epoch") epoch = entry.value;
      if (entry.name == "data_port") data_port = entry.value;
    }
    findings.add(name + " keys", true, "it has the expected key and accepts this one");
    findings.add(name + " version", true,
                 std::to_string(kVersion) + ", epoch " + std::to_string(epoch));
    const std::string why = cannot_connect(host, std::to_string(data_port));
    findings.add(name + " data port", why.empty(),
                 host + ":" + std::to_string(data_port) + (why.empty() ? "" : ": " + why),
                 kExitUnreachable);
  } catch (const Error& error) {
    const bool version = error.code() == Code::kVersion;
    findings.add(name + (version ? " version" : " keys"), false,
                 version
                     ? error.message()
                     : "the port is open, but: " + error.message() +
                           "; does the key in the cluster file match the worker's, and does its "
                           "configuration name this driver's key?",
                 exit_code(error));
  }
}

void look_at_peers(Findings& findings, Session& session) {
  for (const StatusReply& reply : session.status()) {
    for (const std::string& peer : reply.peers_down) {
      findings.add(reply.party + " to " + peer, false, reply.party + " cannot reach " + peer,
                   kExitUnreachable);
    }
  }
}

void doctor(Global& global) {
  Findings findings;
  look_at_machine(findings);
  const ClusterConfig config = global.cluster_config();
  findings.add("cluster file", true, std::to_string(config.parties.size()) + " parties");
  try {
    load_keys(config.key_file);
    findings.add("key file", true, config.key_file + " is readable by its owner only");
  } catch (const Error& error) {
    findings.add("key file", false, error.message(), kExitUsage);
    return findings.print(global);
  }
  Session session(wire_configured(config), tool_options());
  for (const auto& [name, party] : config.parties) look_at_worker(findings, session, name, party);
  look_at_peers(findings, session);
  findings.print(global);
}

}  // namespace

void add_doctor(CLI::App& app, Global& global) {
  app.add_subcommand("doctor", "check this machine, the key, and the way to every worker")
      ->callback([&global] { doctor(global); });
}

}  // namespace curia
