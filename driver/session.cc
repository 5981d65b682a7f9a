#include "driver/session.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "driver/session_state.h"
#include "protocol/memory.h"
#include "protocol/value_bytes.h"

namespace curia {
namespace {

// Notes an error, and what a run took on secure devices.
DriverConnection::Done noting_run(const std::shared_ptr<Failures>& failures,
                                  const std::shared_ptr<MeasuredRuns>& measured, std::uint64_t task,
                                  const std::string& party) {
  return [failures, measured, task, party](const std::string* reply, const Error* error) {
    if (error != nullptr) return failures->note(*error);
    std::vector<MpcUse> uses;
    try {
      uses = decode<RunReply>(*reply).mpc;
    } catch (const Error& bad) {
      return failures->note(bad.at_party(party));
    }
    const std::lock_guard lock(measured->mutex);
    auto& runs = measured->by_task;
    runs[task][party] = std::move(uses);
    if (runs.size() > kMaxMeasuredRuns) runs.erase(runs.begin());
  };
}

DriverConnection::Done noting(const std::shared_ptr<Failures>& failures) {
  return [failures](const std::string*, const Error* error) {
    if (error != nullptr) failures->note(*error);
  };
}

std::int64_t known_bytes(const Type& type) {
  if (type.is_secret()) return held_bytes(type);
  return type.is_tensor() ? byte_count(type.tensor()) : kUnknown;
}

// Releases the object when the last Ref goes. Holds the session's state only weakly: a Ref may
// outlive its session.
template <class State>
std::shared_ptr<const void> keep_of(const std::shared_ptr<State>& state, const Type& type,
                                    std::vector<std::string> parties, std::string uri) {
  struct Keep {
    std::weak_ptr<State> state;
    std::vector<std::string> parties;
    std::string uri;
    std::int64_t bytes;
    ~Keep() {
      const auto open = state.lock();
      if (open == nullptr) return;
      for (const std::string& party : parties) open->connection.release(party, uri, bytes);
    }
  };
  return std::make_shared<const Keep>(state, std::move(parties), std::move(uri), known_bytes(type));
}

}  // namespace

Session::Session(Wiring wiring, const ConnectionOptions& options)
    : state_(std::make_shared<State>(std::move(wiring), options)) {
  if (options.tool) return;
  if (!options.plan_file.empty()) {
    state_->planner = std::make_unique<Planner>(
        driver(), options.plan_file,
        [state = state_.get()](const std::string& party, const std::string& name) {
          return state->describe_dataset(party, name).lineage;
        });
  }
  try {
    state_->connection.wait_up();
  } catch (const Error&) {
    // A session to be resumed is not ended by one worker that cannot be reached.
    if (options.resume) state_->connection.detach();
    throw;
  }
  state_->next_task = state_->connection.next_task();
}

Session::~Session() {
  if (state_ != nullptr) state_->connection.close();
}

Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

const std::string& Session::driver() const { return state_->connection.driver(); }
std::string Session::id() const { return session_hex(state_->connection.session()); }
std::vector<std::string> Session::parties() const { return state_->connection.workers(); }

namespace {

Digest salt_of(const PutOptions& options) {
  if (options.salt.empty()) return {};
  if (options.salt.size() < kLeastSalt) {
    throw Error(Code::kInvalid, "the salt of a put has " + std::to_string(options.salt.size()) +
                                    " bytes, expected at least " + std::to_string(kLeastSalt));
  }
  Hasher hasher("curia salt 1");
  hasher.add(std::string_view(options.salt));
  return hasher.finish();
}

}  // namespace

Ref Session::put(std::string_view party, Value value, const PutOptions& options, Here here) {
  const ValueBytes bytes = value_bytes(value);
  const std::string worker(party);
  const Uri uri = Uri::fresh();
  PutRequest request;
  request.uri = uri.str();
  request.type = value.type();
  request.type.device = worker;
  request.head = bytes.head;
  request.bytes = static_cast<std::uint64_t>(bytes.bytes);
  request.bulk = bytes.bytes > kInlineBytes;
  request.salt = salt_of(options);
  RefFacts facts{.uri = uri,
                 .type = request.type,
                 .session = id(),
                 .site = {here.file_name(), static_cast<std::int32_t>(here.line())}};
  if (state_->planner != nullptr) {
    state_->planner->put(request.uri, value, request.salt, facts.site);
    return {std::move(facts), nullptr};
  }
  if (!request.bulk) {
    for (const Slice& part : bytes.body) {
      request.body.append(reinterpret_cast<const char*>(part.data),
                          static_cast<std::size_t>(part.size));
    }
  }
  const std::uint64_t sequence =
      state_->connection.submit(worker, Kind::kPut, encode(request), noting(state_->failures));
  if (request.bulk) {
    state_->connection.bulk_lane(worker, LaneUse::kPuts)
        ->send({sequence, 0, 0}, Slice(), bytes.body);
  }
  return {std::move(facts), keep_of(state_, request.type, {worker}, uri.str())};
}

Refs Session::run(const Program& program, const std::map<std::string, Ref>& inputs,
                  const RunOptions& options, Here here) {
  return run(prepare(program), inputs, options, here);
}

namespace {

std::string prepare_metadata(const Prepared& program) {
  std::string metadata = encode(PrepareRequest{program.digest, program.bytes, program.sites});
  if (static_cast<std::int64_t>(metadata.size()) <= kMaxPrepareMetadata) return metadata;
  // Errors of such a program name the op, not the line.
  return encode(PrepareRequest{program.digest, program.bytes, ""});
}

}  // namespace

namespace {

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

Refs Session::run(const PreparedPtr& program, const std::map<std::string, Ref>& inputs,
                  const RunOptions& options, Here here) {
  RunRequest request;
  request.digest = program->digest;
  request.timeout_ms = static_cast<std::uint32_t>(options.timeout.count());
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
    request.inputs.push_back(ref.uri().str());
  }
  for (const auto& [name, ref] : inputs) {
    const auto& known = program->graph.inputs;
    if (std::none_of(known.begin(), known.end(), [&](const auto& i) { return i.name == name; })) {
      throw Error(Code::kInvalid, "this program has no input \"" + name + "\"");
    }
  }
  Refs refs;
  std::vector<Uri> uris;
  for (std::size_t i = 0; i < program->graph.outputs.size(); ++i) {
    uris.push_back(Uri::fresh());
    request.outputs.push_back(uris.back().str());
  }
  if (state_->planner != nullptr) {
    state_->planner->run(*program, request.inputs, request.outputs);
  } else {
    submit(*program, request);
  }
  const Site site{here.file_name(), static_cast<std::int32_t>(here.line())};
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
    auto parties = holders(program->graph.devices, type.device);
    std::shared_ptr<const void> keep;
    if (state_->planner == nullptr) {
      keep = keep_of(state_, type, std::move(parties), request.outputs[i]);
    }
    refs.add(program->graph.outputs[i].name, {std::move(facts), std::move(keep)});
  }
  return refs;
}

void Session::submit(const Prepared& program, RunRequest& request) {
  const std::lock_guard order(state_->order);
  state_->check_room(program);
  request.task = state_->next_task++;
  const auto done = noting(state_->failures);
  const std::string metadata = encode(request);
  for (const std::string& party : program.verified.parties) {
    State::Sent& sent = state_->prepared[party];
    if (!sent.programs.contains(program.digest)) {
      state_->connection.submit(party, Kind::kPrepare, prepare_metadata(program), done);
      sent.programs.insert(program.digest);
      sent.bytes += State::size_of(program);
      sent.types += program.verified.own_bytes();
    }
    const bool secure = !program.graph.devices.empty();
    state_->connection.submit(
        party, Kind::kRun, metadata,
        secure ? noting_run(state_->failures, state_->measured, request.task, party) : done);
  }
}

void Session::release(const Ref& ref) {
  for (const std::string& party : ref.parties()) {
    state_->connection.release(party, ref.uri().str(), known_bytes(ref.type()));
  }
}

void Session::remove(const Ref& ref) {
  for (const std::string& party : ref.parties()) {
    state_->connection.remove(party, ref.uri().str());
  }
}

void Session::wait(std::chrono::milliseconds timeout) {
  try {
    state_->connection.drain(timeout == kForever ? std::chrono::hours(24 * 365) : timeout);
  } catch (const Error& error) {
    throw Error(error.code(), error.message() + state_->wait_report());
  }
  if (const auto failure = state_->failures->take(); failure != nullptr) throw *failure;
}

std::map<std::string, std::vector<MpcUse>> Session::measured(std::uint64_t task) {
  const std::lock_guard lock(state_->measured->mutex);
  const auto found = state_->measured->by_task.find(task);
  return found == state_->measured->by_task.end() ? std::map<std::string, std::vector<MpcUse>>{}
                                                  : found->second;
}

void Session::cancel() {
  for (const std::string& party : parties()) {
    try {
      state_->connection.call(party, Kind::kCancel, encode(CancelRequest{}), kQueryTimeout);
    } catch (const Error& error) {
      if (error.code() != Code::kWorkerLost) throw;
    }
  }
}

void Session::close() {
  state_->connection.close();
  if (state_->planner != nullptr) state_->planner->finish();
}

SavedSession Session::saved() const { return state_->connection.saved(); }

SavedSession Session::detach(std::chrono::milliseconds timeout) {
  if (state_->planner != nullptr) {
    throw Error(Code::kInvalid, "a session that only plans has nothing to leave behind");
  }
  state_->connection.send_releases();
  try {
    state_->connection.drain(timeout == kForever ? std::chrono::hours(24 * 365) : timeout);
  } catch (const Error&) {
    // Runs that take longer go on at the workers.
  }
  SavedSession saved = state_->connection.saved();
  state_->connection.detach();
  return saved;
}

}  // namespace curia
