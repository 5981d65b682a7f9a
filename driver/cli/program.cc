// curia digest, plan, check: what can be said of a program without running it.
#include "driver/cli/program.h"

#include <nlohmann/json.hpp>

#include "driver/cli/command.h"
#include "driver/cli/release_words.h"
#include "driver/cli/secure_plan.h"
#include "driver/files.h"
#include "protocol/fields.h"
#include "protocol/graph_json.h"
#include "protocol/graph_text.h"

namespace curia {

PreparedPtr read_program(const std::string& path) {
  const std::string text = read_file(path);
  try {
    return prepare(graph_from_json(text));
  } catch (const Error& error) {
    throw Error(error.code(), path + ": " + error.message()).at_op(error.op(), error.site());
  }
}

std::vector<std::string> range_warnings(const Prepared& program, bool known) {
  std::vector<std::string> texts;
  for (const RangeNote& note : program.verified.range_notes) {
    if (known && !note.known) continue;
    const std::string line = note.site.str();
    texts.push_back("op" + std::to_string(note.op) + " " + note.op_name +
                    (line.empty() ? "" : " (" + line + ")") + ": " + note.text);
  }
  return texts;
}

namespace {

using Json = nlohmann::ordered_json;

void print_warnings(const Prepared& program) {
  for (const std::string& text : range_warnings(program))
    std::printf("warning: %s\n", text.c_str());
}

void digest(const std::string& path, const Global& global) {
  const PreparedPtr program = read_program(path);
  if (global.json) {
    return Global::print({{"name", program->graph.name}, {"digest", program->digest.hex()}});
  }
  std::puts(program->digest.hex().c_str());
}

void check(const std::string& path, bool asks, const std::vector<std::string>& fetches,
           Global& global) {
  const PreparedPtr program = read_program(path);
  std::vector<Error> refused;
  if (asks) refused = CommandSession(global).session().refusals(program, fetches);
  if (!refused.empty()) global.exit = kExitDenied;
  if (global.json) {
    Json json = {{"name", program->graph.name},
                 {"good", refused.empty()},
                 {"ops", program->verified.ops},
                 {"parties", program->verified.parties},
                 {"warnings", range_warnings(*program)}};
    if (asks) json["refused"] = Json::array();
    for (const Error& error : refused) json["refused"].push_back(error.what());
    return Global::print(json);
  }
  print_warnings(*program);
  if (!refused.empty()) {
    for (const Error& error : refused) std::printf("%s\n", error.what());
    return;
  }
  std::printf("%s is good: %lld ops%s\n", program->graph.name.c_str(),
              static_cast<long long>(program->verified.ops), asks ? ", and the owners agree" : "");
}

void plan(const std::string& path, const Global& global) {
  const PreparedPtr program = read_program(path);
  const Verified& verified = program->verified;
  const Flow flow = flow_to_plan(program->graph, verified, program->digest, "the driver");
  const std::vector<std::string> releases = release_texts(program->graph, flow);
  if (global.json) {
    Json outputs = Json::object();
    for (std::size_t i = 0; i < program->graph.outputs.size(); ++i) {
      outputs[program->graph.outputs[i].name] = verified.output_type(program->graph, i).str();
    }
    Json inputs = Json::object();
    for (const GraphInput& input : program->graph.inputs) inputs[input.name] = input.type.str();
    Json devices = Json::object();
    for (const SecureDevice& device : program->graph.devices) devices[device.name] = device.str();
    return Global::print({{"name", program->graph.name},
                          {"digest", program->digest.hex()},
                          {"parties", verified.parties},
                          {"inputs", inputs},
                          {"outputs", outputs},
                          {"ops", verified.ops},
                          {"steps", verified.steps},
                          {"bytes", verified.bytes},
                          {"random", verified.random},
                          {"devices", devices},
                          {"secure", secure_json(program->graph, verified)},
                          {"warnings", range_warnings(*program)},
                          {"releases", releases}});
  }
  std::fputs(graph_to_text(program->graph, &verified).c_str(), stdout);
  std::printf("digest %s\nops %lld, at most %lld steps%s\n", program->digest.hex().c_str(),
              static_cast<long long>(verified.ops), static_cast<long long>(verified.steps),
              verified.random ? ", draws random numbers" : "");
  for (const auto& [party, bytes] : verified.bytes) {
    std::printf("%s holds at most %lld bytes, and what has `?` rows\n", party.c_str(),
                static_cast<long long>(bytes));
  }
  std::fputs(secure_text(program->graph, verified).c_str(), stdout);
  print_warnings(*program);
  for (const std::string& release : releases) std::printf("%s\n", release.c_str());
}

void add(CLI::App& app, Global& global, const char* name, const char* help,
         void (*command)(const std::string&, const Global&)) {
  auto path = std::make_shared<std::string>();
  CLI::App* added = app.add_subcommand(name, help);
  added->add_option("program", *path, "a program in JSON form")->required();
  added->callback([path, command, &global] { command(*path, global); });
}

struct PlanCommand : PlanFlags {
  bool release = false;
  std::string owner;
  std::string out;
};

void plan_releases(const PlanCommand& command, const Global& global) {
  const ReleasePlan plan = read_release_plan(command, global);
  const CheckedPlan checked = check_plan(plan);
  if (!command.out.empty()) write_new_file(command.out, plan_json(plan));
  if (global.json) return Global::print(release_json(plan, checked, command.owner));
  std::fputs(release_words(plan, checked, command.owner).c_str(), stdout);
}

void add_plan(CLI::App& app, Global& global) {
  auto command = std::make_shared<PlanCommand>();
  CLI::App* added = app.add_subcommand(
      "plan", "print a program's ops, types, bounds, costs on secure devices and releases");
  added->add_option("program", command->program, "a program in JSON form")->required();
  added->add_flag("--release", command->release,
                  "what would be released, with its lineage, as owners can approve it; also of a "
                  "driver program (then its arguments follow behind --), or of a release plan");
  added->add_option("arguments", command->arguments, "with --release: of a driver program");
  added->add_option("--fetch", command->fetches,
                    "with --release: an output that would be fetched (all); may be repeated");
  added->add_option("--owner", command->owner, "with --release: only what needs its consent");
  added->add_option("--out", command->out, "with --release: a new file for the release plan");
  added->callback([command, &global] {
    if (command->release) return plan_releases(*command, global);
    if (!command->arguments.empty() || !command->fetches.empty() || !command->owner.empty() ||
        !command->out.empty()) {
      throw Error(Code::kInvalid, "arguments, --fetch, --owner and --out go with --release");
    }
    plan(command->program, global);
  });
}

}  // namespace

void add_program(CLI::App& app, Global& global) {
  auto path = std::make_shared<std::string>();
  auto asks = std::make_shared<bool>(false);
  CLI::App* checked = app.add_subcommand("check", "verify a program");
  checked->add_option("program", *path, "a program in JSON form")->required();
  checked->add_flag(
      "--owners", *asks,
      "ask the owners which moves, shares and reveals they would refuse (exit code 3)");
  auto fetches = std::make_shared<std::vector<std::string>>();
  checked->add_option("--fetch", *fetches,
                      "with --owners: an output that would be fetched; may be repeated");
  checked->callback([path, asks, fetches, &global] { check(*path, *asks, *fetches, global); });
  add(app, global, "digest", "print the digest that grants are narrowed to", digest);
  add_plan(app, global);
}

}  // namespace curia
