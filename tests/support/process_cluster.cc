#include "tests/support/process_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <random>
#include <set>
#include <sstream>
#include <stop_token>
#include <thread>

#include "protocol/error.h"
#include "protocol/fields.h"
#include "protocol/link/keys.h"

namespace curia {
namespace {

namespace fs = std::filesystem;

// Ports below those that the system hands out by itself: a worker binds its port a while after it
// was chosen here, and connections that others open meanwhile must not take it.
constexpr int kLowestPort = 12'000;
constexpr int kPorts = 20'000;

bool is_free(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  ::close(fd);
  return bound;
}

// Ports that were free a moment ago, drawn at random so that clusters of several tests do not meet.
int free_port(std::set<int>& drawn) {
  std::random_device random;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const int port = kLowestPort + static_cast<int>(random() % kPorts);
    if (is_free(port) && drawn.insert(port).second) return port;
  }
  throw Error(Code::kFailed, "no free port");
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string in_quotes(const std::string& text) { return "\"" + text + "\""; }

}  // namespace

// Forks on a thread that lives as long as the cluster: what PR_SET_PDEATHSIG ties a child to is not
// the parent process, but the thread of it that forked.
class ProcessCluster::Forker {
 public:
  Forker() : thread_([this](const std::stop_token& stop) { run(stop); }) {}

  // Returns the child's id. child: what it does; async-signal-safe calls only. Thread: one.
  pid_t fork(const std::function<void()>& child) {
    std::unique_lock lock(mutex_);
    child_ = &child;
    changed_.notify_all();
    changed_.wait(lock, [this] { return child_ == nullptr; });
    return pid_;
  }

 private:
  void run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return child_ != nullptr; })) {
      const pid_t parent = ::getpid();
      pid_ = ::fork();
      if (pid_ == 0) {
        // The parent may be gone already, and then the signal never comes.
        if (::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent) (*child_)();
        ::_exit(127);
      }
      child_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  const std::function<void()>* child_ = nullptr;
  pid_t pid_ = -1;
  std::jthread thread_;
};

ProcessCluster::ProcessCluster(std::map<std::string, ProcessParty> parties)
    : parties_(std::move(parties)), forker_(std::make_unique<Forker>()) {
  char name[] = "/tmp/curia-test-XXXXXX";
  if (mkdtemp(name) == nullptr) throw Error(Code::kFailed, "no temporary folder");
  folder_ = name;
  std::vector<std::string> principals = {"dora", "mallory"};
  for (const auto& [party, unused] : parties_) principals.push_back(party);
  for (const std::string& principal : principals) {
    const KeyPair pair = generate_keys();
    save_keys(folder_ + "/" + principal + ".key", pair);
    keys_[principal] = pair.public_key;
  }
  std::set<int> drawn;
  for (const auto& [party, unused] : parties_) ports_[party] = {free_port(drawn), free_port(drawn)};
  for (const auto& [party, config] : parties_) {
    for (const auto& [dataset, text] : config.csv) {
      write(folder_ + "/" + party + "-" + dataset + ".csv", text);
    }
    write_config(party);
  }
  for (const std::string driver : {"dora", "mallory"}) {
    std::string list;
    for (const auto& [party, port] : ports_) {
      list += (list.empty() ? "" : ", ") + in_quotes(party) +
              ": {\"control\": \"127.0.0.1:" + std::to_string(port.control) +
              "\", \"key\": " + in_quotes(keys_[party]) + "}";
    }
    write(folder_ + "/" + driver + ".json",
          "{\"driver\": " + in_quotes(driver) + ", \"key_file\": " + in_quotes(driver + ".key") +
              ", \"local_store\": \"store-" + driver + "\", \"parties\": {" + list + "}}\n");
  }
  for (const auto& [party, unused] : parties_) start(party);
}

ProcessCluster::~ProcessCluster() {
  for (const auto& [party, pid] : pids_) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void ProcessCluster::write_config(const std::string& party) const {
  const ProcessParty& config = parties_.at(party);
  std::string peers;
  for (const auto& [peer, port] : ports_) {
    if (peer == party) continue;
    peers += (peers.empty() ? "" : ", ") + in_quotes(peer) + ": {\"control\": \"" +
             parties_.at(peer).peer_host + ":" + std::to_string(port.control) +
             "\", \"key\": " + in_quotes(keys_.at(peer)) + "}";
  }
  std::string datasets;
  for (const auto& [name, unused] : config.csv) {
    const auto ranges = config.ranges.find(name);
    datasets += (datasets.empty() ? "" : ", ") + in_quotes(name) +
                ": {\"csv\": " + in_quotes(party + "-" + name + ".csv") +
                (ranges == config.ranges.end() ? "" : ", \"ranges\": " + ranges->second) + "}";
  }
  std::string extra;
  for (const auto& [name, json] : config.extra) extra += ", " + in_quotes(name) + ": " + json;
  const Ports& ports = ports_.at(party);
  write(config_file(party),
        "{\"party\": " + in_quotes(party) +
            ", \"control\": \"127.0.0.1:" + std::to_string(ports.control) +
            "\", \"data\": \"127.0.0.1:" + std::to_string(ports.data) +
            "\", \"key_file\": " + in_quotes(party + ".key") + ", \"parties\": {" + peers +
            "}, \"drivers\": {\"dora\": " + in_quotes(keys_.at("dora")) +
            ", \"mallory\": " + in_quotes(keys_.at("mallory")) + "}, \"datasets\": {" + datasets +
            "}, \"grants\": " + config.grants + ", \"rules\": " + config.rules +
            ", \"state_dir\": " + in_quotes("state-" + party) +
            ", \"ready_file\": " + in_quotes(party + ".ready") + extra + "}\n");
}

std::string ProcessCluster::config_file(const std::string& party) const {
  return folder_ + "/" + party + ".json";
}

std::string ProcessCluster::cluster_file(const std::string& driver) const {
  return folder_ + "/" + driver + ".json";
}

std::string ProcessCluster::control_endpoint(const std::string& party) const {
  return "tcp://127.0.0.1:" + std::to_string(ports_.at(party).control);
}

std::string ProcessCluster::public_key(const std::string& party) const { return keys_.at(party); }

Session ProcessCluster::connect(const std::string& driver, const ConnectionOptions& options) const {
  return curia::connect(cluster_file(driver), options);
}

void ProcessCluster::signal(const std::string& party, int number) const {
  const pid_t pid = pids_.at(party);
  ::kill(pid, number);
  if (number != SIGSTOP) return;
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::string state;
    while (state != "T") {
      std::ifstream stat(thread.path() / "stat");
      std::string text((std::istreambuf_iterator<char>(stat)), {});
      const std::size_t name_end = text.rfind(')');
      if (name_end == std::string::npos) break;  // the thread has ended
      state = text.substr(name_end + 2, 1);
    }
  }
}

void ProcessCluster::kill(const std::string& party) {
  const pid_t pid = pids_.at(party);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  pids_.erase(party);
}

int ProcessCluster::stop(const std::string& party) {
  const pid_t pid = pids_.at(party);
  int status = 0;
  ::kill(pid, SIGTERM);
  ::waitpid(pid, &status, 0);
  pids_.erase(party);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void ProcessCluster::start(const std::string& party) {
  const std::string ready = folder_ + "/" + party + ".ready";
  fs::remove(ready);
  const char* worker = std::getenv("CURIA_WORKER");
  const std::string program = worker != nullptr ? worker : "build/worker/curia-worker";
  const std::string config = config_file(party);
  const std::string out = folder_ + "/" + party + ".log";
  const auto files = static_cast<rlim_t>(parties_.at(party).max_files);
  const auto bytes = static_cast<rlim_t>(parties_.at(party).max_file_bytes);
  const pid_t pid = forker_->fork([&] {
    const rlimit most{files, files};
    if (files != 0 && ::setrlimit(RLIMIT_NOFILE, &most) != 0) return;
    const rlimit longest{bytes, bytes};
    if (bytes != 0 && ::setrlimit(RLIMIT_FSIZE, &longest) != 0) return;
    const int fd = ::open(out.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
    ::dup2(fd, 1);
    ::dup2(fd, 2);
    ::closefrom(3);  // what this process holds or inherited is not the worker's
    ::execl(program.c_str(), program.c_str(), "--config", config.c_str(), nullptr);
  });
  if (pid < 0) throw Error(Code::kFailed, "cannot start a process");
  pids_[party] = pid;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!fs::exists(ready)) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) {
      pids_.erase(party);
      throw Error(Code::kFailed,
                  "the worker of " + party + " ended (" + program + "): " + log(party));
    }
    if (std::chrono::steady_clock::now() > deadline) {
      throw Error(Code::kFailed, "the worker of " + party + " does not get ready: " + log(party));
    }
    ::usleep(2000);
  }
}

void ProcessCluster::set_max_file_bytes(const std::string& party, std::int64_t bytes) {
  parties_.at(party).max_file_bytes = bytes;
}

void ProcessCluster::set_grants(const std::string& party, const std::string& grants) {
  parties_.at(party).grants = grants;
  write_config(party);
}

std::string ProcessCluster::log(const std::string& party) const {
  std::ifstream in(folder_ + "/" + party + ".log");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::int64_t peak_memory(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(in, line)) {
    if (line.rfind("VmHWM:", 0) == 0) return std::strtoll(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return 0;
}

}  // namespace curia
