// curia run: one run of a program in JSON form.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "driver/cli/command.h"
#include "driver/cli/export.h"
#include "driver/cli/program.h"
#include "driver/cli/secure_plan.h"
#include "driver/value_files.h"

namespace curia {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct RunFlags {
  std::string program;
  std::vector<std::string> inputs;
  std::vector<std::string> fetches;
  std::string save;
  double timeout = 0;  // seconds; 0: none
};

Json ref_json(const Ref& ref) { return Json::parse(ref.json()); }

std::chrono::milliseconds milliseconds_of(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

Json fetch_all(Session& session, const Refs& refs, const RunFlags& flags, const Global& global) {
  Json fetched = Json::object();
  const auto timeout = flags.timeout == 0 ? kForever : milliseconds_of(flags.timeout);
  for (const std::string& name : flags.fetches) {
    const Value value = session.fetch(refs[name], timeout);
    if (!flags.save.empty()) {
      const std::string path =
          (fs::path(flags.save) / (name + natural_ending(value.type()))).string();
      write_value(value, path);
      fetched[name] = {{"file", path}};
      if (!global.json) std::printf("%s: saved as %s\n", name.c_str(), path.c_str());
    } else if (global.json) {
      fetched[name] = value_json(value);
    } else {
      std::printf("%s:\n%s", name.c_str(), pretty(value).c_str());
    }
  }
  return fetched;
}

void run(const RunFlags& flags, const Global& global) {
  const PreparedPtr program = read_program(flags.program);
  for (const std::string& name : flags.fetches) {
    bool known = false;
    for (const GraphOutput& output : program->graph.outputs) known |= output.name == name;
    if (!known) {
      throw Error(Code::kInvalid, "--fetch: the program has no output \"" + name + "\"");
    }
  }
  for (const std::string& text : range_warnings(*program, true)) {
    std::fprintf(stderr, "curia: warning: %s\n", text.c_str());
  }
  if (!flags.save.empty()) fs::create_directories(flags.save);
  CommandSession open(global, true);
  Session& session = open.session();
  std::map<std::string, Ref> inputs;
  for (const std::string& text : flags.inputs) {
    const auto [name, ref] = cut(text, '=', "--input", "name=reference");
    inputs[name] = open.ref(ref);
  }
  const Interrupt interrupt([&session] {
    try {
      session.cancel();
    } catch (const Error&) {
      // The run's own error tells what is wrong; a second Ctrl-C ends at once.
    }
  });
  const Refs refs = session.run(program, inputs, {.timeout = milliseconds_of(flags.timeout)});
  // A line of this file would tell nobody anything.
  const auto of_program = [&flags](const Ref& ref) {
    RefFacts facts = ref.facts();
    facts.site = {flags.program, 0};
    return Ref(std::move(facts), nullptr);
  };
  Json outputs = Json::object();
  for (const auto& [name, strong] : refs) {
    const Ref ref = of_program(strong);
    outputs[name] = ref_json(ref);
    open.keep(name, strong, ref);
    if (!global.json) std::printf("%s = %s\n", name.c_str(), ref.str().c_str());
  }
  std::fflush(stdout);
  Json fetched;
  {
    const Progress progress(session, "running", global.json);
    fetched = fetch_all(session, refs, flags, global);
    session.wait(flags.timeout == 0 ? kForever : milliseconds_of(flags.timeout));
  }
  const std::vector<SecureOp> plan = secure_ops(program->graph, program->verified);
  const auto measured = refs.size() == 0 ? std::map<std::string, std::vector<MpcUse>>{}
                                         : session.measured(refs.begin()->second.facts().task);
  if (!global.json) {
    std::fputs(measured_text(plan, measured).c_str(), stdout);
    return;
  }
  Json done = {{"outputs", outputs}, {"fetched", fetched}};
  if (!plan.empty()) done["secure"] = measured_json(plan, measured);
  Global::print(done);
}

}  // namespace

void add_run(CLI::App& app, Global& global) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = app.add_subcommand("run", "run a program in JSON form at its parties");
  command->add_option("program", flags->program, "a program in JSON form")->required();
  command->add_option("--input", flags->inputs,
                      "name=reference: a name of the session, a URI, or a file; may be repeated");
  command->add_option("--fetch", flags->fetches, "an output to fetch; may be repeated");
  command->add_option("--save", flags->save, "folder for what is fetched (.npy, .csv)");
  command->add_option("--timeout", flags->timeout, "seconds for the run, and for each fetch")
      ->check(CLI::PositiveNumber);
  command->footer(
      "Results live as long as the session: without --session FILE they go when the command ends, "
      "so fetch what you need.");
  command->callback([flags, &global] { run(*flags, global); });
}

}  // namespace curia
