// curia: the command line for drivers and for whoever runs a cluster.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "driver/cli/command.h"

namespace curia {
namespace {

constexpr const char* kFooter = R"(Exit codes:
  0    done
  1    failed
  2    bad usage or configuration
  3    denied: an owner has not agreed
  4    a party cannot be reached
  5    a time limit passed
  130  cancelled (Ctrl-C)
)";

void report(const Global& global, const Error& error) {
  if (!global.json) {
    std::fprintf(stderr, "curia: %s\n", error.what());
    return;
  }
  nlohmann::ordered_json json = {{"code", code_name(error.code())}, {"message", error.message()}};
  if (!error.party().empty()) json["party"] = error.party();
  if (!error.op().empty()) json["op"] = error.op();
  if (const std::string line = error.site().str(); !line.empty()) json["site"] = line;
  Global::print({{"error", json}});
}

int run(int argc, char** argv) {
  Interrupt::listen();
  Global global;
  CLI::App app("curia: compute together without showing each other the data");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "curia 0.1.0");
  app.add_flag("--json", global.json, "print JSON, errors too");
  app.add_option("--cluster", global.cluster, "the driver's cluster file (JSON)")
      ->envname("CURIA_CLUSTER");
  app.add_option("--session", global.session, "file of a session that outlives the command");
  add_keygen(app, global);
  add_init(app, global);
  add_up(app, global);
  add_program(app, global);
  add_approve(app, global);
  add_run(app, global);
  add_objects(app, global);
  add_session(app, global);
  add_watch(app, global);
  add_doctor(app, global);
  add_audit(app, global);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitUsage;
  } catch (const Error& error) {
    report(global, error);
    return Interrupt::happened() ? kExitCancelled : exit_code(error);
  } catch (const std::exception& error) {
    report(global, Error(Code::kFailed, error.what()));
    return kExitFailed;
  }
  return Interrupt::happened() ? kExitCancelled : global.exit;
}

}  // namespace
}  // namespace curia

int main(int argc, char** argv) { return curia::run(argc, argv); }
