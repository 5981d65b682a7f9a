// Session::run: how a program is sent to its parties, and what is remembered of it.
#include <algorithm>
#include <utility>

#include "driver/session_state.h"
#include "protocol/calls.h"

namespace curia {
namespace {

// Notes an error; what was made, and what it took on secure devices.
DriverConnection::Done noting_run(const std::shared_ptr<Failures>& failures,
                                  const std::shared_ptr<MeasuredRuns>& measured,
                                  const std::shared_ptr<Recipe>& recipe, std::size_t party) {
  return [failures, measured, recipe, party](const std::string* reply, const Error* error) {
    if (error != nullptr) return failures->note(*error);
    RunReply told;
    try {
      told = decode<RunReply>(*reply);
    } catch (const Error& bad) {
      return failures->note(bad.at_party(recipe->program->verified.parties[party]));
    }
    recipe->note(told.outputs);
    if (recipe->program->graph.devices.empty()) return;
    const std::lock_guard lock(measured->mutex);
    auto& runs = measured->by_task;
    runs[recipe->task][recipe->program->verified.parties[party]] = std::move(told.mpc);
    if (runs.size() > kMaxMeasuredRuns) runs.erase(runs.begin());
  };
}

std::string prepare_metadata(const Prepared& program) {
  std::string metadata = encode(PrepareRequest{program.digest, program.bytes, program.sites});
  if (static_cast<std::int64_t>(metadata.size()) <= kMaxPrepareMetadata) return metadata;
  // Errors of such a program name the op, not the line.
  return encode(PrepareRequest{program.digest, program.bytes, ""});
}

// A secret is used on the device it was shared on.
void check_device_of(const GraphInput& input, const Ref& ref, const Graph& graph) {
  if (!input.type.is_secret()) return;
  const SecureDevice& wanted = *find_device(graph.devices, input.type.device);
  if (ref.facts().device == wanted) return;
  throw Error(Code::kInvalid, "input \"" + input.name + "\" is on " + wanted.name + " = " +
                                  wanted.str() + ", the reference on " + ref.facts().device.str() +
                                  "; name the same members in the same order");
}

}  // namespace

Refs Session::run(const Program& program, const std::map<std::string, Ref>& inputs,
                  const RunOptions& options, Here here) {
  return run(prepare(program), inputs, options, here);
}

Refs Session::run(const PreparedPtr& program, const std::map<std::string, Ref>& inputs,
                  const RunOptions& options, Here here) {
  RunRequest request;
  request.digest = program->digest;
  request.timeout_ms = static_cast<std::uint32_t>(options.timeout.count());
  std::vector<const Ref*> refs_given;
  for (const GraphInput& input : program->graph.inputs) {
    const auto given = inputs.find(input.name);
    const auto bound = program->bound.find(input.name);
    if (given == inputs.end() && bound == program->bound.end()) {
      throw Error(Code::kInvalid,
                  "input \"" + input.name + "\" (" + input.type.str() + ") was given no reference");
    }
    const Ref& ref = given != inputs.end() ? given->second : bound->second;
    if (!accepts(input.type, ref.type())) {
      throw Error(Code::kInvalid, "input \"" + input.name + "\" is " + input.type.str() +
                                      ", the reference is " + ref.type().str());
    }
    check_device_of(input, ref, program->graph);
    refs_given.push_back(&ref);
  }
  for (const auto& [name, ref] : inputs) {
    const auto& known = program->graph.inputs;
    if (std::none_of(known.begin(), known.end(), [&](const auto& i) { return i.name == name; })) {
      throw Error(Code::kInvalid, "this program has no input \"" + name + "\"");
    }
  }
  std::vector<Uri> uris;
  for (std::size_t i = 0; i < program->graph.outputs.size(); ++i) {
    uris.push_back(Uri::fresh());
    request.outputs.push_back(uris.back().str());
  }
  const Site site{here.file_name(), static_cast<std::int32_t>(here.line())};
  std::shared_ptr<Recipe> recipe;
  if (state_->planner != nullptr) {
    for (const Ref* ref : refs_given) request.inputs.push_back(ref->uri().str());
    state_->planner->run(*program, request.inputs, request.outputs);
  }
  while (state_->planner == nullptr && recipe == nullptr) {
    try {
      recipe = state_->submit(program, refs_given, uris, request, site);
    } catch (const State::LostInput& lost) {
      if (!state_->on_demand) throw lost.error;
      reconstruct(*refs_given[lost.input]);
    }
  }
  Refs refs;
  const std::string session = id();
  for (std::size_t i = 0; i < uris.size(); ++i) {
    const Type& type = program->verified.output_type(program->graph, i);
    RefFacts facts{.uri = uris[i],
                   .type = type,
                   .session = session,
                   .task = request.task,
                   .program = program->digest.hex(),
                   .output = program->graph.outputs[i].name,
                   .site = site};
    if (const SecureDevice* device = find_device(program->graph.devices, type.device)) {
      facts.device = *device;
    }
    facts.ranges = program->verified.output_range(i);
    std::shared_ptr<const ValueHandle> handle;
    if (recipe != nullptr) {
      // Another name of an object keeps what the object speaks of.
      const auto alias =
          aliased_input(program->graph, program->verified, program->graph.outputs[i]);
      const bool keeps = alias && refs_given[*alias]->handle() != nullptr;
      handle = state_->recipes->handle(state_->shared_connection(), recipe,
                                       static_cast<std::uint32_t>(i),
                                       keeps ? refs_given[*alias]->handle()->keeps : nullptr);
    }
    refs.add(program->graph.outputs[i].name, {std::move(facts), std::move(handle)});
  }
  return refs;
}

// A program without what is bound: that would keep values for as long as something builds on them.
PreparedPtr Session::State::unbound(const PreparedPtr& program) {
  PreparedPtr& known = programs[program->digest];
  if (known == nullptr) {
    if (program->bound.empty()) {
      known = program;
    } else {
      auto copy = std::make_shared<Prepared>(*program);
      copy->bound.clear();
      known = std::move(copy);
    }
  }
  return known;
}

std::shared_ptr<Recipe> Session::State::submit(const PreparedPtr& program,
                                               const std::vector<const Ref*>& given,
                                               const std::vector<Uri>& outputs, RunRequest& request,
                                               const Site& site) {
  auto recipe = std::make_shared<Recipe>(recipes);
  const std::lock_guard ordered(order);
  check_room(*program);
  const std::uint64_t restarts = connection.restarts();
  recipe->program = unbound(program);
  recipe->site = site;
  recipe->made = restarts;
  for (const Uri& uri : outputs) recipe->outputs.push_back({uri, {}, {}});
  request.inputs.assign(given.size(), {});
  recipe->inputs.resize(given.size());
  {
    const std::lock_guard lock(recipes->mutex());
    for (std::size_t i = 0; i < given.size(); ++i) {
      recipe->inputs[i] = recipes->find_held(*given[i], request.inputs[i]);
    }
  }
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (recipe->inputs[i].maker == nullptr) recipe->inputs[i].other = given[i]->weak();
    if (auto error = lost(*given[i])) throw LostInput{i, *std::move(error)};
  }
  request.task = recipe->task = recipe->last_task = next_task++;
  std::vector<DriverConnection::Done> done;
  for (std::size_t i = 0; i < program->verified.parties.size(); ++i) {
    done.push_back(noting_run(failures, measured, recipe, i));
  }
  if (!send(*program, request, restarts, std::move(done))) return nullptr;
  recipes->add(recipe);
  return recipe;
}

bool Session::State::send(const Prepared& program, RunRequest& request, std::uint64_t known,
                          std::vector<DriverConnection::Done> done) {
  if (known != prepared_at) {
    std::erase_if(prepared, [&](const auto& entry) {
      return connection.last_restart(entry.first) > prepared_at;
    });
    prepared_at = known;
  }
  request.lanes = static_cast<std::uint32_t>(known);
  const std::string metadata = encode(request);
  std::string preparing;
  std::vector<DriverConnection::Part> parts;
  for (std::size_t i = 0; i < done.size(); ++i) {
    const std::string& party = program.verified.parties[i];
    if (!prepared[party].programs.contains(program.digest)) {
      if (preparing.empty()) preparing = prepare_metadata(program);
      parts.push_back({party, Kind::kPrepare, preparing,
                       [failures = failures](const std::string*, const Error* error) {
                         if (error != nullptr) failures->note(*error);
                       }});
    }
    parts.push_back({party, Kind::kRun, metadata, std::move(done[i])});
  }
  if (!connection.submit_all(std::move(parts), known)) return false;
  for (const std::string& party : program.verified.parties) {
    Sent& sent = prepared[party];
    if (!sent.programs.insert(program.digest).second) continue;
    sent.bytes += size_of(program);
    sent.types += program.verified.own_bytes();
  }
  return true;
}

}  // namespace curia
