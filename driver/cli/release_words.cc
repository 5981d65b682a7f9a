#include "driver/cli/release_words.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "driver/cli/program.h"
#include "driver/cli/secure_plan.h"
#include "protocol/fields.h"
#include "protocol/list_text.h"

namespace curia {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// A folder that goes with its scope.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "curia-plan-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw Error(Code::kFailed, "cannot make " + name + ": " + std::strerror(errno));
    }
    folder_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string file() const { return (folder_ / "plan.json").string(); }

 private:
  fs::path folder_;
};

bool is_executable(const std::string& path) {
  return fs::is_regular_file(path) && ::access(path.c_str(), X_OK) == 0;
}

// What it prints is of values that it did not get, so it is not shown.
void run_planning(const PlanFlags& flags, const std::string& file) {
  ::setenv("CURIA_PLAN_RELEASES", file.c_str(), 1);
  std::vector<std::string> texts = {fs::absolute(flags.program).string()};
  texts.insert(texts.end(), flags.arguments.begin(), flags.arguments.end());
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = 0;
  const int failed =
      posix_spawn(&child, texts[0].c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    throw Error(Code::kInvalid, "cannot run " + flags.program + ": " + std::strerror(failed));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw Error(Code::kFailed, flags.program +
                                   " failed while it was planned (its fetches give zeros); its "
                                   "message stands above");
  }
  if (!fs::exists(file)) {
    throw Error(Code::kInvalid, flags.program +
                                    " planned nothing; expected a driver program that calls "
                                    "curia::connect()");
  }
}

void plan_program(const PlanFlags& flags, const Global& global, const std::string& file) {
  const PreparedPtr program = read_program(flags.program);
  ConnectionOptions options;
  options.plan_file = file;
  Session session(wire_configured(global.cluster_config()), options);
  const Refs refs = session.run(program);
  for (const auto& [name, ref] : refs) {
    const bool wanted =
        flags.fetches.empty() || std::ranges::find(flags.fetches, name) != flags.fetches.end();
    if (wanted) session.fetch(ref);
  }
  for (const std::string& name : flags.fetches) refs[name].str();  // Errors: an unknown output.
  session.close();
}

std::string cost_text(const PlannedStep& step, const CheckedStep& checked) {
  const SecureTotal total = total_of(secure_ops(step.graph, checked.verified));
  std::string text = std::to_string(checked.verified.ops) + " ops, at most " +
                     std::to_string(checked.verified.steps) + " steps";
  if (total.bytes.empty()) return text + ", no secure computation";
  text += ", " + std::to_string(total.rounds) + " rounds on shares, bytes sent by";
  const char* mark = " ";
  for (const auto& [party, bytes] : total.bytes) {
    text += mark + party + " " + std::to_string(bytes);
    mark = ", ";
  }
  return text;
}

}  // namespace

ReleasePlan read_release_plan(const PlanFlags& flags, const Global& global) {
  const bool json = fs::path(flags.program).extension() == ".json";
  if (!json && !is_executable(flags.program)) {
    throw Error(Code::kInvalid, flags.program +
                                    " is neither a .json file (a program, or a release plan) nor "
                                    "a driver program that can be run");
  }
  if (json && !flags.arguments.empty()) {
    throw Error(Code::kInvalid, "arguments are for driver programs, " + flags.program + " is none");
  }
  if (json) {
    const std::string text = read_file(flags.program);
    const auto parsed = nlohmann::json::parse(text, nullptr, false);
    if (parsed.is_object() && parsed.contains("curia_release_plan")) {
      return plan_from_json(text, flags.program);
    }
  }
  const Scratch scratch;
  if (json) {
    plan_program(flags, global, scratch.file());
  } else {
    run_planning(flags, scratch.file());
  }
  return plan_from_json(read_file(scratch.file()), flags.program);
}

std::string release_words(const ReleasePlan& plan, const CheckedPlan& checked,
                          const std::string& owner) {
  std::string text = "release plan of " + plan.driver + "\n";
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    text += "step " + std::to_string(i + 1) + " \"" + plan.steps[i].graph.name + "\", program " +
            checked.steps[i].program.hex().substr(0, 16) + ": " +
            cost_text(plan.steps[i], checked.steps[i]) + "\n";
  }
  int number = 0;
  for (const PlannedRelease& release : checked.releases) {
    const std::set<std::string> owners = release.owners();
    if (!owner.empty() && !owners.contains(owner)) continue;
    text += "\n" + std::to_string(++number) + ". " + release.str() + "\n";
    text +=
        "   " + (owners.empty() ? "nobody has to agree" : list_text(owners) + " must agree") + "\n";
    for (const std::string& cost : release.privacy()) {
      text += "   under a rule this costs " + release.to + " " + cost + "\n";
    }
    for (const std::string& ops : release.ops) text += "   by " + ops + "\n";
    for (const std::string& claim : release.claims) text += "   claim: " + claim + "\n";
    for (const std::string& why : release.unsettled) {
      text += "   cannot be approved: " + why + "\n";
    }
    text += "   lineage " + release.lineage.pattern.hex() + "\n";
  }
  if (number == 0) {
    text += owner.empty() ? "\nnothing would be released\n"
                          : "\nnothing in this plan needs the consent of " + owner + "\n";
  }
  return text;
}

Json release_json(const ReleasePlan& plan, const CheckedPlan& checked, const std::string& owner) {
  Json steps = Json::array();
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    steps.push_back({{"name", plan.steps[i].graph.name},
                     {"program", checked.steps[i].program.hex()},
                     {"cost", cost_text(plan.steps[i], checked.steps[i])}});
  }
  Json releases = Json::array();
  for (const PlannedRelease& release : checked.releases) {
    const std::set<std::string> owners = release.owners();
    if (!owner.empty() && !owners.contains(owner)) continue;
    releases.push_back({{"what", release.str()},
                        {"step", release.step + 1},
                        {"action", release.action},
                        {"name", release.name},
                        {"site", release.site.str()},
                        {"type", release.type},
                        {"from", release.from},
                        {"to", release.to},
                        {"share_among", release.members},
                        {"owners", owners},
                        {"privacy", release.privacy()},
                        {"by", release.ops},
                        {"claims", release.claims},
                        {"unsettled", release.unsettled},
                        {"lineage", release.lineage.pattern.hex()}});
  }
  return {{"driver", plan.driver}, {"steps", steps}, {"releases", releases}};
}

}  // namespace curia
