// curia up, curia down: the workers of a local cluster as child processes.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "driver/cli/command.h"
#include "protocol/fields.h"

namespace curia {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kReadyTimeout{60};
constexpr std::chrono::seconds kStopTimeout{20};
constexpr std::chrono::milliseconds kLook{10};

struct Worker {
  std::string party;
  fs::path config;
  fs::path ready;
  fs::path log;
  pid_t pid = 0;
  std::string control;
  std::int64_t data_port = 0;
  std::int64_t policies = 0;  // how often it has read its policy
  std::string policy_error;
};

std::vector<Worker> workers_of(const std::string& folder) {
  std::vector<Worker> workers;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(fs::absolute(folder))) {
      const fs::path config = entry.path() / "worker.json";
      if (!fs::exists(config)) continue;
      const std::string party = entry.path().filename().string();
      workers.push_back({.party = party,
                         .config = config,
                         .ready = entry.path() / "ready.json",
                         .log = fs::absolute(folder) / "logs" / (party + ".log")});
    }
  }
  if (workers.empty()) {
    throw Error(Code::kInvalid,
                folder + ": expected folders with a worker.json, as `curia init` makes them");
  }
  std::sort(workers.begin(), workers.end(),
            [](const Worker& a, const Worker& b) { return a.party < b.party; });
  return workers;
}

// Fills in what a ready worker wrote; false while there is nothing.
bool read_ready(Worker& worker) {
  std::error_code none;
  if (!fs::exists(worker.ready, none)) return false;
  const auto json = nlohmann::json::parse(read_file(worker.ready.string()), nullptr, false);
  if (!json.is_object()) return false;
  worker.pid = json.value("pid", 0);
  worker.control = json.value("control", "");
  worker.data_port = json.value("data_port", std::int64_t{0});
  worker.policies = json.value("policies", std::int64_t{0});
  worker.policy_error = json.value("policy_error", "");
  return worker.pid > 0;
}

// Whether this process is that worker: its number may have gone to another since.
bool runs(const Worker& worker) {
  std::ifstream in("/proc/" + std::to_string(worker.pid) + "/cmdline");
  const std::string line((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  return line.find(worker.config.string()) != std::string::npos;
}

std::string worker_program(const std::string& given) {
  if (!given.empty()) return given;
  std::error_code none;
  const fs::path here = fs::read_symlink("/proc/self/exe", none).parent_path();
  for (const fs::path& place : {here / "curia-worker", here / "../../worker/curia-worker"}) {
    if (::access(place.c_str(), X_OK) == 0) return place.lexically_normal().string();
  }
  return "curia-worker";
}

void start(Worker& worker, const std::string& program, bool detach) {
  fs::create_directories(worker.log.parent_path());
  fs::remove(worker.ready);
  const std::string config = worker.config.string();
  const pid_t parent = ::getpid();
  worker.pid = ::fork();
  if (worker.pid < 0) throw Error(Code::kFailed, "cannot start a process");
  if (worker.pid > 0) return;
  // The child: only what is safe after a fork.
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setsid();  // Ctrl-C goes to this program, which stops the workers
  if (!detach) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);
  }
  const int in = ::open("/dev/null", O_RDONLY);
  const int out = ::open(worker.log.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::execlp(program.c_str(), program.c_str(), "--config", config.c_str(), nullptr);
  ::dprintf(2, "cannot run %s\n", program.c_str());
  ::_exit(127);
}

std::string last_line(const fs::path& log) {
  std::ifstream in(log);
  std::string line;
  std::string last = "nothing";
  while (std::getline(in, line)) {
    if (!line.empty()) last = line;
  }
  return last;
}

void wait_ready(Worker& worker) {
  const auto deadline = steady_clock::now() + kReadyTimeout;
  while (!read_ready(worker)) {
    int status = 0;
    if (::waitpid(worker.pid, &status, WNOHANG) == worker.pid) {
      worker.pid = 0;
      throw Error(WIFEXITED(status) && WEXITSTATUS(status) == 2 ? Code::kInvalid : Code::kFailed,
                  "the worker ended at once and said: " + last_line(worker.log) + " (" +
                      worker.log.string() + ")")
          .at_party(worker.party);
    }
    if (steady_clock::now() > deadline) {
      throw Error(Code::kTimeout, "the worker is not ready after " +
                                      std::to_string(kReadyTimeout.count()) + " s; see " +
                                      worker.log.string())
          .at_party(worker.party);
    }
    std::this_thread::sleep_for(kLook);
  }
}

// Returns whether it was running.
bool stop(Worker& worker) {
  if (worker.pid == 0 || !runs(worker)) return false;
  ::kill(worker.pid, SIGTERM);
  const auto deadline = steady_clock::now() + kStopTimeout;
  while (runs(worker)) {
    if (steady_clock::now() > deadline) ::kill(worker.pid, SIGKILL);
    std::this_thread::sleep_for(kLook);
  }
  ::waitpid(worker.pid, nullptr, 0);
  std::error_code none;
  fs::remove(worker.ready, none);
  return true;
}

void print_workers(const std::vector<Worker>& workers, const Global& global) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows = {{"PARTY", "PID", "CONTROL", "DATA PORT", "LOG"}};
  for (const Worker& worker : workers) {
    list.push_back({{"party", worker.party},
                    {"pid", worker.pid},
                    {"control", worker.control},
                    {"data_port", worker.data_port},
                    {"log", worker.log.string()}});
    rows.push_back({worker.party, std::to_string(worker.pid), worker.control,
                    std::to_string(worker.data_port), fs::relative(worker.log).string()});
  }
  if (global.json) return Global::print({{"workers", list}});
  print_table(rows);
}

// Until Ctrl-C, or until a worker ends by itself.
void watch(std::vector<Worker>& workers, const std::atomic<bool>& interrupted, Global& global) {
  while (!interrupted) {
    for (Worker& worker : workers) {
      int status = 0;
      if (worker.pid == 0 || ::waitpid(worker.pid, &status, WNOHANG) != worker.pid) continue;
      worker.pid = 0;
      global.exit = kExitFailed;
      std::fprintf(stderr, "curia: the worker of %s ended: %s (%s)\n", worker.party.c_str(),
                   last_line(worker.log).c_str(), worker.log.c_str());
      if (std::all_of(workers.begin(), workers.end(), [](const Worker& w) { return w.pid == 0; })) {
        return;
      }
    }
    std::this_thread::sleep_for(kLook * 10);
  }
}

void up(const std::string& folder, const std::string& program, bool detach, Global& global) {
  std::vector<Worker> workers = workers_of(folder);
  for (Worker& worker : workers) {
    if (read_ready(worker) && runs(worker)) {
      throw Error(Code::kInvalid, "the worker is running already (process " +
                                      std::to_string(worker.pid) + "); `curia down " + folder +
                                      "` stops it")
          .at_party(worker.party);
    }
    worker.pid = 0;
  }
  std::atomic<bool> interrupted{false};
  const Interrupt interrupt([&interrupted] { interrupted = true; });
  try {
    const std::string path = worker_program(program);
    for (Worker& worker : workers) start(worker, path, detach);
    for (Worker& worker : workers) wait_ready(worker);
  } catch (const Error&) {
    for (Worker& worker : workers) {
      if (worker.pid == 0) continue;
      ::kill(worker.pid, SIGKILL);
      ::waitpid(worker.pid, nullptr, 0);
    }
    throw;
  }
  print_workers(workers, global);
  if (detach) return;
  if (!global.json) std::puts("all are ready; Ctrl-C stops them");
  std::fflush(stdout);
  watch(workers, interrupted, global);
  for (Worker& worker : workers) stop(worker);
  Interrupt::settle();
}

void down(const std::string& folder, const Global& global) {
  std::vector<Worker> workers = workers_of(folder);
  nlohmann::ordered_json stopped = nlohmann::ordered_json::array();
  for (Worker& worker : workers) {
    if (read_ready(worker) && stop(worker)) stopped.push_back(worker.party);
  }
  if (global.json) return Global::print({{"stopped", stopped}});
  std::printf("stopped %zu of %zu workers\n", stopped.size(), workers.size());
}

// Has the workers read their policies again, and waits until they have. Errors: kInvalid for a
// policy that is none; the worker keeps the old one.
void reload(const std::string& folder, const std::string& party, const Global& global) {
  std::vector<Worker> workers = workers_of(folder);
  nlohmann::ordered_json done = nlohmann::ordered_json::array();
  for (Worker& worker : workers) {
    if (!party.empty() && worker.party != party) continue;
    if (!read_ready(worker) || !runs(worker)) {
      throw Error(Code::kInvalid, "the worker is not running; `curia up " + folder + "` starts it")
          .at_party(worker.party);
    }
    const std::int64_t before = worker.policies;
    ::kill(worker.pid, SIGHUP);
    const auto deadline = steady_clock::now() + kReadyTimeout;
    while (!read_ready(worker) || worker.policies == before) {
      if (steady_clock::now() > deadline || !runs(worker)) {
        throw Error(Code::kTimeout,
                    "the worker did not read its policy; see " + worker.log.string())
            .at_party(worker.party);
      }
      std::this_thread::sleep_for(kLook);
    }
    if (!worker.policy_error.empty()) {
      throw Error(Code::kInvalid, "the old policy holds: " + worker.policy_error)
          .at_party(worker.party);
    }
    done.push_back(worker.party);
    if (!global.json) std::printf("%s has read its policy again\n", worker.party.c_str());
  }
  if (done.empty()) throw Error(Code::kInvalid, "there is no party \"" + party + "\" in " + folder);
  if (global.json) Global::print({{"reloaded", done}});
}

}  // namespace

void add_up(CLI::App& app, Global& global) {
  auto folder = std::make_shared<std::string>();
  auto program = std::make_shared<std::string>();
  auto detach = std::make_shared<bool>(false);
  CLI::App* start_command =
      app.add_subcommand("up", "start the workers of a folder that `curia init` made");
  start_command->add_option("folder", *folder)->required();
  start_command->add_flag("--detach", *detach,
                          "return when they are ready, and leave them running");
  start_command->add_option("--worker", *program, "the worker's program (curia-worker)")
      ->envname("CURIA_WORKER");
  start_command->callback(
      [folder, program, detach, &global] { up(*folder, *program, *detach, global); });
  CLI::App* stop_command = app.add_subcommand("down", "stop the workers of a folder");
  stop_command->add_option("folder", *folder)->required();
  stop_command->callback([folder, &global] { down(*folder, global); });
  auto party = std::make_shared<std::string>();
  CLI::App* reload_command =
      app.add_subcommand("reload", "have the workers of a folder read their policies again");
  reload_command->add_option("folder", *folder)->required();
  reload_command->add_option("party", *party, "only this one");
  reload_command->callback([folder, party, &global] { reload(*folder, *party, global); });
}

}  // namespace curia
