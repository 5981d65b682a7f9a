#include "driver/cli/command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <ranges>
#include <thread>
#include <utility>

#include "protocol/fields.h"
#include "protocol/list_text.h"

namespace curia {
namespace {

// Signals belong to the process, so this is its one place for them.
std::mutex interrupt_mutex;
std::condition_variable interrupt_done;
std::function<void()> interrupt_action;
bool interrupt_runs = false;
std::atomic<bool> interrupted{false};

constexpr std::chrono::milliseconds kHurry{500};  // for parting from a session after a failure

bool exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

}  // namespace

int exit_code(const Error& error) {
  switch (error.code()) {
    case Code::kInvalid:
      return kExitUsage;
    case Code::kDenied:
      return kExitDenied;
    case Code::kWorkerLost:
    case Code::kPeerLost:
      return kExitUnreachable;
    case Code::kTimeout:
      return kExitTimeout;
    case Code::kCancelled:
      return kExitCancelled;
    default:
      return kExitFailed;
  }
}

// Configuration that is missing is a mistake of use, not an object that was not found.
Wiring wire_configured(const ClusterConfig& config) {
  try {
    return wire(config);
  } catch (const Error& error) {
    if (error.code() != Code::kNotFound) throw;
    throw Error(Code::kInvalid, error.message());
  }
}

void Interrupt::listen() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    interrupted = true;
    {
      const std::lock_guard lock(interrupt_mutex);
      if (interrupt_action == nullptr) ::_exit(kExitCancelled);
      interrupt_runs = true;
      std::thread([action = interrupt_action] {
        action();
        const std::lock_guard done(interrupt_mutex);
        interrupt_runs = false;
        interrupt_done.notify_all();
      }).detach();
    }
    sigwait(&signals, &signal);
    ::_exit(kExitCancelled);
  }).detach();
}

Interrupt::Interrupt(std::function<void()> action) {
  const std::lock_guard lock(interrupt_mutex);
  interrupt_action = std::move(action);
}

Interrupt::~Interrupt() {
  std::unique_lock lock(interrupt_mutex);
  interrupt_action = nullptr;
  interrupt_done.wait(lock, [] { return !interrupt_runs; });
}

bool Interrupt::happened() { return interrupted; }

void Interrupt::settle() { interrupted = false; }

void Global::print(const nlohmann::ordered_json& document) {
  std::printf(
      "%s\n",
      document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

ClusterConfig Global::cluster_config() const {
  std::string file = cluster;
  if (file.empty() && !session.empty() && exists(session))
    file = SessionFile::load(session).cluster;
  if (file.empty()) {
    throw Error(Code::kInvalid, "which cluster? Give --cluster FILE, or set CURIA_CLUSTER");
  }
  return read_cluster_config(file);
}

ConnectionOptions tool_options() {
  ConnectionOptions options;
  options.tool = true;
  options.refused = std::chrono::milliseconds(800);
  options.patience = std::chrono::milliseconds(2500);
  return options;
}

CommandSession::CommandSession(const Global& global, bool create, std::chrono::seconds lease) {
  ConnectionOptions options;
  if (!global.session.empty() && exists(global.session)) {
    file_ = SessionFile::load(global.session);
    options.resume = file_->saved;
  } else if (!global.session.empty()) {
    if (!create) {
      throw Error(Code::kInvalid, global.session +
                                      ": no such session file; make one with `curia session open`, "
                                      "or `curia run --session`");
    }
    if (global.cluster.empty()) {
      throw Error(Code::kInvalid, "a new session needs --cluster FILE (or CURIA_CLUSTER)");
    }
    file_ = SessionFile{.path = global.session,
                        .cluster = std::filesystem::absolute(global.cluster).string(),
                        .lease = lease};
  }
  if (file_) options.lease = file_->lease;
  const ClusterConfig config = global.cluster_config();
  if (options.resume && options.resume->driver != config.driver) {
    throw Error(Code::kInvalid, global.session + " is a session of " + options.resume->driver +
                                    ", the cluster file is " + config.driver + "'s");
  }
  session_ = std::make_unique<Session>(wire_configured(config), options);
  if (!file_) return;
  // Written at once: the generation that a crash would leave in the file is the old one.
  file_->saved = session_->saved();
  file_->save();
}

CommandSession::~CommandSession() {
  if (!file_ || session_ == nullptr) return;
  try {
    const bool hurry = Interrupt::happened() || std::uncaught_exceptions() > 0;
    file_->saved = session_->detach(hurry ? kHurry : kForever);
    file_->save();
  } catch (const Error& error) {
    std::fprintf(stderr, "curia: %s\n", error.what());
  }
}

SessionFile& CommandSession::file() {
  if (!file_) throw Error(Code::kInvalid, "expected a session file; give --session FILE");
  return *file_;
}

Ref CommandSession::ref(const std::string& text) {
  if (file_) {
    if (const auto found = file_->refs.find(text); found != file_->refs.end()) return found->second;
  }
  if (text.starts_with("mem://")) {
    const Uri uri = Uri::parse(text);
    for (const std::string& party : session_->parties()) {
      for (const ListEntry& entry : session_->list(party)) {
        if (entry.name != uri.str()) continue;
        return {RefFacts{.uri = uri, .type = entry.type, .session = session_->id()}, nullptr};
      }
    }
    throw Error(Code::kNotFound, "no party of this session has " + text);
  }
  if (text.starts_with("fs://") || text.starts_with("oss://")) return stored(Uri::parse(text));
  if (exists(text)) return Ref::parse(read_file(text));
  std::string known;
  if (file_) {
    known = list_text(std::views::keys(file_->refs));
  }
  throw Error(Code::kInvalid,
              "\"" + text +
                  "\" is no URI, no file with a saved reference and no name of this "
                  "session" +
                  (known.empty() ? "" : "; it has " + known));
}

Ref CommandSession::stored(const Uri& uri) {
  Ref found;
  for (const std::string& party : session_->parties()) {
    try {
      const Ref here = session_->stored(party, uri);
      if (!found.empty()) {
        throw Error(Code::kInvalid, found.party() + " and " + party + " both have " + uri.str() +
                                        "; name it in a program, or by a saved reference");
      }
      found = here;
    } catch (const Error& error) {
      if (error.code() != Code::kNotFound && error.code() != Code::kUnimplemented) throw;
    }
  }
  if (!found.empty()) return found;
  throw Error(Code::kNotFound, "no party has an object " + uri.str() + " of yours");
}

void CommandSession::keep(const std::string& name, const Ref& ref, const Ref& shown) {
  if (!file_) return;
  kept_.push_back(ref);
  file_->refs[name] = shown;
}

void CommandSession::close() {
  session_->close();
  session_.reset();
  if (file_) ::unlink(file_->path.c_str());
}

struct Progress::State {
  std::mutex mutex;
  std::condition_variable ended;
  bool end = false;
  std::thread thread;
};

Progress::Progress(Session& session, std::string what, bool quiet)
    : state_(std::make_unique<State>()) {
  if (quiet || ::isatty(2) == 0) return;
  state_->thread = std::thread([this, &session, what = std::move(what)] {
    const auto begin = std::chrono::steady_clock::now();
    bool shown = false;
    std::unique_lock lock(state_->mutex);
    while (!state_->ended.wait_for(lock, std::chrono::seconds(1), [this] { return state_->end; })) {
      lock.unlock();
      std::string line = what;
      std::vector<Error> lost;
      for (const StatusReply& status : session.status(&lost)) {
        for (const WaitInfo& wait : status.waits) {
          line += "; " + wait.party + " waits for " + wait.waits_for + " (" + wait.what + ")";
        }
      }
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
          std::chrono::steady_clock::now() - begin);
      std::fprintf(stderr, "\r\033[K%s %llds", line.substr(0, 100).c_str(),
                   static_cast<long long>(seconds.count()));
      shown = true;
      lock.lock();
    }
    if (shown) std::fputs("\r\033[K", stderr);
  });
}

Progress::~Progress() {
  if (!state_->thread.joinable()) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->end = true;
  }
  state_->ended.notify_all();
  state_->thread.join();
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    std::puts(line.c_str());
  }
}

std::pair<std::string, std::string> cut(const std::string& text, char mark,
                                        const std::string& option, const std::string& wanted) {
  const auto at = text.find(mark);
  if (at == std::string::npos || at == 0 || at + 1 == text.size()) {
    throw Error(Code::kInvalid, option + ": expected " + wanted + ", found \"" + text + "\"");
  }
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace curia
