// Session::reconstruct: what a worker lost is made again by running the programs that made it, as
// ordinary runs: the workers ask for no less than the first time.
#include <algorithm>
#include <condition_variable>
#include <set>
#include <utility>

#include "driver/run_again.h"
#include "driver/session_state.h"
#include "protocol/flow.h"

namespace curia {
namespace {

// The answers to one run.
struct Answers {
  std::mutex mutex;
  std::condition_variable all;
  std::size_t missing = 0;
  std::unique_ptr<Error> error;  // the first
  std::vector<Digest> lineages;  // by output
};

DriverConnection::Done answering(const std::shared_ptr<Answers>& answers) {
  return [answers](const std::string* reply, const Error* error) {
    const std::lock_guard lock(answers->mutex);
    const auto fail = [&](const Error& why) {
      if (answers->error == nullptr) answers->error = std::make_unique<Error>(why);
    };
    if (error != nullptr) {
      fail(*error);
    } else {
      try {
        for (const OutputInfo& told : decode<RunReply>(*reply).outputs) {
          if (told.output >= answers->lineages.size()) continue;
          Digest& lineage = answers->lineages[told.output];
          if (!lineage.empty() && lineage != told.lineage) {
            fail(Error(Code::kFailed, "the holders of an output say that it is different values"));
          }
          lineage = told.lineage;
        }
      } catch (const Error& bad) {
        fail(bad);
      }
    }
    --answers->missing;
    answers->all.notify_all();
  };
}

}  // namespace

// One reconstruct(): what is to be run again, and the run of it.
class Reconstruction {
 public:
  using State = Session::State;
  Reconstruction(State& state, const ReconstructOptions& options, SteadyTime deadline)
      : state_(state),
        may_(options, state.connection.driver()),
        deadline_(deadline),
        known_(state.connection.restarts()) {}

  void make(const std::shared_ptr<Recipe>& recipe, std::uint32_t output) {
    plan(recipe, output);
    // An input has a lower task than what was made of it.
    for (auto& [task, step] : steps_) run(step);
  }

 private:
  struct Step {
    std::shared_ptr<Recipe> recipe;
    std::set<std::uint32_t> wanted;  // outputs
  };
  using HandlePtr = std::shared_ptr<const ValueHandle>;

  // Finds the runs that are needed. Not recursive: the way back may be long.
  void plan(const std::shared_ptr<Recipe>& target, std::uint32_t target_output);
  bool exists(const std::shared_ptr<Recipe>& recipe, std::uint32_t output);
  bool exists_or_failed(const std::shared_ptr<Recipe>& recipe, std::uint32_t output);
  std::chrono::milliseconds time_left() const;
  bool restarted_since(const Recipe& recipe, std::uint32_t output) const;
  void run(Step& step);
  void wait(Answers& answers, std::uint64_t task) const;
  void check_same(const Recipe& recipe, const std::vector<Digest>& now) const;
  void release(const Recipe& recipe, std::uint32_t output, const std::string& uri) const;
  HandlePtr hold(const std::shared_ptr<Recipe>& recipe, std::uint32_t output) {
    return state_.recipes->handle(state_.shared_connection(), recipe, output);
  }

  State& state_;
  RunAgain may_;
  const SteadyTime deadline_;
  const std::uint64_t known_;
  std::map<std::uint64_t, Step> steps_;  // by first task
  std::vector<HandlePtr> held_;          // until it is done, so that nothing needed goes
};

bool Reconstruction::restarted_since(const Recipe& recipe, std::uint32_t output) const {
  std::uint64_t made = 0;
  {
    const std::lock_guard lock(recipe.recipes->mutex());
    made = recipe.made;
  }
  return std::ranges::any_of(recipe.places(output), [&](const std::string& party) {
    return state_.connection.last_restart(party) > made;
  });
}

std::chrono::milliseconds Reconstruction::time_left() const {
  if (deadline_ == SteadyTime::max()) return kForever;
  const auto left = deadline_ - std::chrono::steady_clock::now();
  return std::chrono::ceil<std::chrono::milliseconds>(std::max(left, SteadyTime::duration(0)));
}

bool Reconstruction::exists_or_failed(const std::shared_ptr<Recipe>& recipe, std::uint32_t output) {
  try {
    return exists(recipe, output);
  } catch (const Error&) {
    return true;
  }
}

// What is still being computed is waited for. Errors: that of a value which failed by itself, and
// would again.
bool Reconstruction::exists(const std::shared_ptr<Recipe>& recipe, std::uint32_t output) {
  HandlePtr handle;
  std::string uri;
  {
    const std::lock_guard lock(recipe->recipes->mutex());
    handle = recipe->outputs[output].handle.lock();
    uri = recipe->outputs[output].uri.str();
  }
  if (handle == nullptr) return false;  // released
  held_.push_back(std::move(handle));
  if (restarted_since(*recipe, output)) return false;
  for (const std::string& party : recipe->places(output)) {
    DescribeRequest request;
    request.uri = uri;
    request.after = state_.connection.last_sequence(party);
    DescribeReply reply;
    try {
      reply = decode<DescribeReply>(
          state_.connection.call(party, Kind::kDescribe, encode(request), time_left(), known_));
    } catch (const Error& error) {
      if (error.code() == Code::kNotFound || error.code() == Code::kStaleEpoch) return false;
      throw;
    }
    if (reply.state != "failed" || !reply.error) continue;
    const Error failed = reply.error->error();
    switch (failed.code()) {
      case Code::kCorrupt:    // the bytes are lost
      case Code::kPeerLost:   // its run was broken off
      case Code::kCancelled:  // the same
      case Code::kStaleEpoch:
      case Code::kSessionOver:
        return false;
      default:
        throw failed;
    }
  }
  return true;
}

void Reconstruction::plan(const std::shared_ptr<Recipe>& target, std::uint32_t target_output) {
  std::set<std::pair<const Recipe*, std::uint32_t>> seen;
  std::vector<RecipeInput> open{{target, target_output, {}}};
  while (!open.empty()) {
    const RecipeInput value = std::move(open.back());
    open.pop_back();
    const std::shared_ptr<Recipe>& recipe = value.maker;
    if (!seen.insert({recipe.get(), value.output}).second) continue;
    if (exists(recipe, value.output)) continue;
    may_.check(*recipe, value.output);
    held_.push_back(hold(recipe, value.output));
    Step& step = steps_[recipe->task];
    step.recipe = recipe;
    step.wanted.insert(value.output);
    std::vector<RecipeInput> inputs;
    {
      const std::lock_guard lock(recipe->recipes->mutex());
      inputs = recipe->inputs;
    }
    for (RecipeInput& input : inputs) {
      if (input.maker != nullptr) {
        open.push_back(std::move(input));
      } else if (auto lost = state_.lost(input.other)) {
        throw Error(Code::kFailed, lost->message() + "; this process does not know how it was made")
            .at_party(lost->party());
      }
    }
  }
}

void Reconstruction::run(Step& step) {
  const std::shared_ptr<Recipe>& recipe = step.recipe;
  const Prepared& program = *recipe->program;
  const std::size_t outputs = recipe->outputs.size();
  RunRequest request;
  request.digest = program.digest;
  std::vector<Uri> fresh;
  for (std::size_t i = 0; i < outputs; ++i) {
    fresh.push_back(Uri::fresh());
    request.outputs.push_back(fresh.back().str());
  }
  auto answers = std::make_shared<Answers>();
  answers->missing = program.verified.parties.size();
  answers->lineages.resize(outputs);
  {
    const std::lock_guard ordered(state_.order);
    {
      const std::lock_guard lock(recipe->recipes->mutex());
      for (const RecipeInput& input : recipe->inputs) {
        request.inputs.push_back(input.maker == nullptr
                                     ? input.other.uri().str()
                                     : input.maker->outputs[input.output].uri.str());
      }
    }
    state_.check_room(program);
    request.task = state_.next_task++;
    std::vector<DriverConnection::Done> done(answers->missing, answering(answers));
    if (!state_.send(program, request, known_, std::move(done))) {
      throw Error(Code::kStaleEpoch, "a worker was restarted while " + recipe->str(0) +
                                         " was to be computed again; try again");
    }
  }
  const auto drop_all = [&] {
    for (std::uint32_t i = 0; i < outputs; ++i) release(*recipe, i, fresh[i].str());
  };
  try {
    wait(*answers, request.task);
    check_same(*recipe, answers->lineages);
  } catch (const Error&) {
    drop_all();
    throw;
  }
  // Others that a reference holds are replaced where they are gone, and stay where they are not.
  std::vector<bool> replaced(outputs);
  for (std::uint32_t i = 0; i < outputs; ++i) {
    replaced[i] = step.wanted.contains(i) || !exists_or_failed(recipe, i);
  }
  std::vector<HandlePtr> held;  // goes without the locks
  std::vector<std::string> old(outputs);
  {
    const std::lock_guard ordered(state_.order);
    const std::lock_guard lock(recipe->recipes->mutex());
    for (std::uint32_t i = 0; i < outputs; ++i) {
      Recipe::Output& output = recipe->outputs[i];
      held.push_back(output.handle.lock());
      replaced[i] = replaced[i] && held.back() != nullptr;
      old[i] = replaced[i] ? output.uri.str() : fresh[i].str();
      if (!replaced[i]) continue;
      recipe->old_uris.push_back(output.uri.str());
      output.uri = fresh[i];
      output.lineage = answers->lineages[i];
    }
    if (recipe->old_uris.size() > kMaxOldUris) {
      recipe->old_uris.erase(recipe->old_uris.begin(),
                             recipe->old_uris.end() - static_cast<std::ptrdiff_t>(kMaxOldUris));
    }
    recipe->made = known_;
    state_.recipes->made_again(*recipe, request.task);
  }
  for (std::uint32_t i = 0; i < outputs; ++i) release(*recipe, i, old[i]);
}

void Reconstruction::wait(Answers& answers, std::uint64_t task) const {
  std::unique_lock lock(answers.mutex);
  const auto done = [&] { return answers.missing == 0; };
  if (deadline_ == SteadyTime::max()) {
    answers.all.wait(lock, done);
  } else if (!answers.all.wait_until(lock, deadline_, done)) {
    lock.unlock();
    throw Error(Code::kTimeout, "task " + std::to_string(task) + ", which computes a lost value " +
                                    "again, has not ended in time" + state_.wait_report());
  }
  if (answers.error != nullptr) throw *answers.error;
}

void Reconstruction::check_same(const Recipe& recipe, const std::vector<Digest>& now) const {
  const std::lock_guard lock(recipe.recipes->mutex());
  for (std::uint32_t i = 0; i < now.size(); ++i) {
    const Digest& then = recipe.outputs[i].lineage;
    if (then.empty() || then == now[i]) continue;
    std::string reads;
    for (const External& external : externals(recipe.program->graph, recipe.program->verified)) {
      if (external.kind == External::Kind::kInput) continue;
      reads += (reads.empty() ? "; it reads " : ", ") + external.place + "'s " + external.name;
    }
    throw Error(Code::kFailed,
                recipe.str(i) +
                    " was lost, and computed again it would be another value: lineage " +
                    now[i].hex().substr(0, 16) + ", expected " + then.hex().substr(0, 16) +
                    ". What it was made of has changed since" + reads +
                    ". Run the program again if that is what you want");
  }
}

void Reconstruction::release(const Recipe& recipe, std::uint32_t output,
                             const std::string& uri) const {
  for (const std::string& party : recipe.places(output)) {
    state_.connection.release(party, uri, known_bytes(recipe.type_of(output)));
  }
}

std::optional<Error> Session::State::lost(const Ref& ref) {
  if (connection.restarts() == 0 || ref.uri().scheme() != "mem" ||
      ref.facts().session != session_hex(connection.session())) {
    return std::nullopt;
  }
  const RecipeInput found = recipes->find(ref);
  std::uint64_t made = 0;
  if (found.maker != nullptr) {
    const std::lock_guard lock(recipes->mutex());
    made = found.maker->made;
  }
  for (const std::string& party : ref.parties()) {
    if (connection.last_restart(party) <= made) continue;
    const bool put = ref.facts().task == 0;
    return Error(Code::kStaleEpoch,
                 party + " was restarted, and " + ref.str() + " was lost with it; " +
                     (put ? "put it again" : "Session::reconstruct computes it again"))
        .at_party(party);
  }
  return std::nullopt;
}

Ref Session::reconstruct(const Ref& ref, const ReconstructOptions& options) {
  if (state_->planner != nullptr) {
    throw Error(Code::kInvalid, "a session that only plans has lost nothing");
  }
  const auto deadline = options.timeout == kForever
                            ? SteadyTime::max()
                            : std::chrono::steady_clock::now() + options.timeout;
  const RecipeInput wanted = state_->recipes->find(ref);
  if (wanted.maker == nullptr) {
    throw Error(Code::kFailed, "this process does not know how " + ref.str() + " was made");
  }
  const std::lock_guard one(state_->reconstructing);
  Reconstruction(*state_, options, deadline).make(wanted.maker, wanted.output);
  RefFacts facts = ref.facts();
  {
    const std::lock_guard lock(state_->recipes->mutex());
    facts.uri = wanted.maker->outputs[wanted.output].uri;
    facts.task = wanted.maker->last_task;
  }
  return {std::move(facts),
          state_->recipes->handle(state_->shared_connection(), wanted.maker, wanted.output)};
}

}  // namespace curia
