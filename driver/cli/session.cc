// curia session open, close: sessions that outlive one command.
#include <nlohmann/json.hpp>

#include "driver/cli/command.h"

namespace curia {
namespace {

void need_file(const Global& global) {
  if (global.session.empty()) throw Error(Code::kInvalid, "give --session FILE");
}

void open_session(int lease, const Global& global) {
  need_file(global);
  CommandSession open(global, true, std::chrono::seconds(lease));
  const std::string id = open.session().id();
  if (global.json) {
    return Global::print({{"session", id}, {"file", global.session}, {"lease_seconds", lease}});
  }
  std::printf("session %s; it ends %d s after the last command that uses %s\n", id.c_str(), lease,
              global.session.c_str());
}

void close_session(const Global& global) {
  need_file(global);
  CommandSession open(global);
  const std::string id = open.session().id();
  open.close();
  if (global.json) return Global::print({{"closed", id}});
  std::puts("closed; its objects are gone");
}

}  // namespace

void add_session(CLI::App& app, Global& global) {
  CLI::App* group =
      app.add_subcommand("session", "open or close a session that outlives one command");
  group->require_subcommand(1);
  auto lease = std::make_shared<int>(static_cast<int>(kDefaultSessionLease.count()));
  CLI::App* open = group->add_subcommand("open", "open a session and write --session FILE");
  open->add_option("--lease", *lease, "seconds that it lives without a command")
      ->check(CLI::Range(5, 3600))
      ->capture_default_str();
  open->callback([lease, &global] { open_session(*lease, global); });
  group->add_subcommand("close", "end the session of --session FILE and remove the file")
      ->callback([&global] { close_session(global); });
}

}  // namespace curia
