// What the commands of `curia` share: global options, exit codes, sessions, and how one command
// joins the program. A new command is a function like those at the end of this file, in a file of
// its own, and one line in main.cc.
//
// Thread: the main thread, but for Interrupt.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "driver/cli/session_file.h"
#include "driver/cluster.h"
#include "driver/connection.h"
#include "driver/session.h"

namespace curia {

// Exit codes, as --help and README.md tell them.
enum Exit : int {
  kExitDone = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitDenied = 3,
  kExitUnreachable = 4,
  kExitTimeout = 5,
  kExitCancelled = 130,
};
int exit_code(const Error& error);

// What to do on Ctrl-C, once; a second one ends the process at once. Without an action the first
// one does. Thread: one of its own waits for the signals; they are blocked in all others.
class Interrupt {
 public:
  static void listen();  // before any other thread is made
  // The action for as long as this lives; its end waits for one that is running.
  explicit Interrupt(std::function<void()> action);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  static bool happened();
  // It was the expected end of this command.
  static void settle();
};

struct Global {
  bool json = false;
  std::string cluster;
  std::string session;
  int exit = kExitDone;  // of a command that found something wrong without an error

  // Prints one JSON document.
  static void print(const nlohmann::ordered_json& document);
  // The cluster file: --cluster, or that of the session file. Errors: kInvalid.
  ClusterConfig cluster_config() const;
};

// wire(); a key file that is missing is a mistake of use (kInvalid).
Wiring wire_configured(const ClusterConfig& config);

// For commands that ask without a session, and rather say soon that a worker does not answer.
ConnectionOptions tool_options();

// A session for the length of one command: that of the session file, which stays open at the end,
// or a new one, which ends with the command.
class CommandSession {
 public:
  // `create`: make the session file where there is none. Errors: kInvalid for a configuration that
  // does not fit, and those of connecting.
  explicit CommandSession(const Global& global, bool create = false,
                          std::chrono::seconds lease = kDefaultSessionLease);
  // Detaches from a session with a file also when the command failed.
  ~CommandSession();
  CommandSession(const CommandSession&) = delete;
  CommandSession& operator=(const CommandSession&) = delete;

  Session& session() { return *session_; }
  // Errors: kInvalid where the command was given no session file.
  SessionFile& file();
  // A reference by its name in the session file, its URI, or the path of a file with one.
  // Errors: kInvalid, saying what was looked for and where.
  Ref ref(const std::string& text);
  // An object that lasts longer than sessions, at the one party that has it.
  Ref stored(const Uri& uri);
  // With a session file: the object stays when the command ends, and the file knows it by this name
  // as `shown` (weak).
  void keep(const std::string& name, const Ref& ref, const Ref& shown);
  // Ends the session at the parties and removes its file.
  void close();

 private:
  std::optional<SessionFile> file_;
  std::unique_ptr<Session> session_;
  std::vector<Ref> kept_;  // go when the session is detached, so that they release nothing
};

// Repeats a line on the terminal while something takes long: how long, and who waits for whom.
// Prints nothing where stderr is no terminal. Thread: has one of its own.
class Progress {
 public:
  Progress(Session& session, std::string what, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Rows of cells in columns of equal width; the first row is the heading.
void print_table(const std::vector<std::vector<std::string>>& rows);

// "left<mark>right" -> both. Errors: kInvalid, saying what option wants what.
std::pair<std::string, std::string> cut(const std::string& text, char mark,
                                        const std::string& option, const std::string& wanted);

void add_approve(CLI::App& app, Global& global);
void add_audit(CLI::App& app, Global& global);
void add_keygen(CLI::App& app, Global& global);
void add_init(CLI::App& app, Global& global);
void add_up(CLI::App& app, Global& global);
void add_program(CLI::App& app, Global& global);
void add_run(CLI::App& app, Global& global);
void add_objects(CLI::App& app, Global& global);
void add_session(CLI::App& app, Global& global);
void add_watch(CLI::App& app, Global& global);
void add_doctor(CLI::App& app, Global& global);

}  // namespace curia
