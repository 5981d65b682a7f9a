#include "driver/session.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "driver/session_state.h"
#include "protocol/memory.h"
#include "protocol/value_bytes.h"

namespace curia {
namespace {

// Notes an error, or the lineage.
DriverConnection::Done noting_put(const std::shared_ptr<Failures>& failures,
                                  const std::shared_ptr<Recipe>& recipe) {
  return [failures, recipe](const std::string* reply, const Error* error) {
    if (error != nullptr) return failures->note(*error);
    try {
      recipe->note({{0, decode<PutReply>(*reply).lineage}});
    } catch (const Error& bad) {
      failures->note(bad.at_party(recipe->put_type.device));
    }
  };
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
  request.site = {here.file_name(), static_cast<std::int32_t>(here.line())};
  RefFacts facts{.uri = uri, .type = request.type, .session = id(), .site = request.site};
  for (const Ref& kept : options.keeps) {
    if (kept.facts().session == facts.session && kept.handle() != nullptr) continue;
    if (state_->planner != nullptr) continue;
    throw Error(Code::kInvalid, "a value keeps what this session holds, found " + kept.str() +
                                    (kept.handle() == nullptr ? ", a weak reference"
                                                              : ", which is another session's"));
  }
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
  auto recipe = std::make_shared<Recipe>(state_->recipes);
  recipe->put_type = request.type;
  recipe->site = facts.site;
  recipe->outputs.push_back({uri, {}, {}});
  state_->recipes->add(recipe);
  const std::string metadata = encode(request);
  std::shared_ptr<Lane> lane;
  std::uint64_t sequence = 0;
  while (sequence == 0) {
    recipe->made = state_->connection.restarts();
    // From before the request: should the worker be restarted in between, this lane is over.
    if (request.bulk) lane = state_->connection.bulk_lane(worker, LaneUse::kPuts);
    sequence = state_->connection.submit(worker, Kind::kPut, metadata,
                                         noting_put(state_->failures, recipe), recipe->made);
  }
  if (request.bulk) {
    try {
      lane->send({sequence, 0, 0}, Slice(), bytes.body);
    } catch (const Error&) {
      // A restart has ended the request too, which says so.
      if (state_->connection.last_restart(worker) <= recipe->made) throw;
    }
  }
  KeptRefs keeps;
  if (!options.keeps.empty()) keeps = std::make_shared<const std::vector<Ref>>(options.keeps);
  return {std::move(facts), state_->recipes->handle(state_->shared_connection(), recipe, 0, keeps)};
}

void Session::release(const Ref& ref) {
  std::string uri;
  RecipeInput known;
  {
    const std::lock_guard lock(state_->recipes->mutex());
    known = state_->recipes->find_held(ref, uri);
  }
  for (const std::string& party : ref.parties()) {
    state_->connection.release(party, uri, known_bytes(ref.type()));
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
