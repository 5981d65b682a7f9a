// The insides of Session, for the files that implement it.
// Thread: any, as Session; `order` guards what submitting needs.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "driver/connection.h"
#include "driver/planner.h"
#include "driver/recipes.h"
#include "driver/session.h"

namespace curia {

inline constexpr std::chrono::milliseconds kQueryTimeout{10'000};

// What went wrong first since the last wait(). Shared with the callbacks of requests under way,
// which must not own the connection: they run on its thread.
struct Failures {
  std::mutex mutex;
  std::unique_ptr<Error> first;

  void note(const Error& error) {
    const std::lock_guard lock(mutex);
    if (first == nullptr) first = std::make_unique<Error>(error);
  }
  std::unique_ptr<Error> take() {
    const std::lock_guard lock(mutex);
    return std::move(first);
  }
};

// What the ops on secure devices took in the latest runs, as the parties told.
struct MeasuredRuns {
  std::mutex mutex;
  std::map<std::uint64_t, std::map<std::string, std::vector<MpcUse>>> by_task;
};
inline constexpr std::size_t kMaxMeasuredRuns = 256;

struct Session::State : std::enable_shared_from_this<State> {
  State(Wiring wiring, const ConnectionOptions& options)
      : connection(std::move(wiring), options),
        recipes(std::make_shared<Recipes>(options.max_recipes)),
        on_demand(options.reconstruct) {}

  DriverConnection connection;
  const std::shared_ptr<Failures> failures = std::make_shared<Failures>();
  const std::shared_ptr<MeasuredRuns> measured = std::make_shared<MeasuredRuns>();
  const std::shared_ptr<Recipes> recipes;
  const bool on_demand;       // reconstruct() where a lost value is needed
  std::mutex reconstructing;  // one at a time, so that nothing is made again twice
  std::mutex order;  // one run at a time is submitted, so that all parties see the same order
  struct Sent {
    std::set<Digest> programs;
    std::int64_t bytes = 0;
    std::int64_t types = 0;
  };
  std::map<std::string, Sent> prepared;              // what each worker was sent already
  std::uint64_t prepared_at = 0;                     // how often workers had been restarted then
  std::unordered_map<Digest, PreparedPtr> programs;  // of recipes: one for each program
  std::uint64_t next_task = 1;
  std::unique_ptr<Planner> planner;  // of a session that only plans

  // Before anything is sent: a party that refused the program would leave the others waiting.
  void check_room(const Prepared& program) const {
    for (const std::string& party : program.verified.parties) {
      const auto known = prepared.find(party);
      if (known == prepared.end() || known->second.programs.contains(program.digest)) continue;
      const Sent& sent = known->second;
      if (static_cast<std::int64_t>(sent.programs.size()) < kMaxPrepared &&
          sent.bytes + size_of(program) <= kMaxPreparedBytes &&
          sent.types + program.verified.own_bytes() <= kMaxPreparedTypes) {
        continue;
      }
      throw Error(Code::kQuota, "a session holds at most " + std::to_string(kMaxPrepared) +
                                    " programs of " + std::to_string(kMaxPreparedBytes >> 20) +
                                    " MiB together at a worker, with types of " +
                                    std::to_string(kMaxPreparedTypes >> 20) +
                                    " MiB; open another session");
    }
  }
  static std::int64_t size_of(const Prepared& program) {
    return static_cast<std::int64_t>(program.bytes.size() + program.sites.size());
  }

  // For what outlives the session but must not keep it.
  std::shared_ptr<DriverConnection> shared_connection() {
    return {shared_from_this(), &connection};
  }

  // Waits for it. Errors: kStaleEpoch for a lost one, and those of describe.
  DescribeReply describe_at(const Ref& ref, const std::string& party);
  // Why a value of this session is gone; nothing where it is not known to be.
  std::optional<Error> lost(const Ref& ref);

  // An input of a run was lost.
  struct LostInput {
    std::size_t input = 0;
    Error error;
  };
  // Sends a run. given: by input. Null where a worker of it has just been restarted. Throws
  // LostInput; errors: kQuota, kWorkerLost.
  std::shared_ptr<Recipe> submit(const PreparedPtr& program, const std::vector<const Ref*>& given,
                                 const std::vector<Uri>& outputs, RunRequest& request,
                                 const Site& site);
  // Sends a run with its program where a worker does not have it; done: one for each party. False
  // where a worker of it was restarted after restarts() was `known`. REQUIRES: order is held.
  bool send(const Prepared& program, RunRequest& request, std::uint64_t known,
            std::vector<DriverConnection::Done> done);
  PreparedPtr unbound(const PreparedPtr& program);  // REQUIRES: order is held

  // Errors: kNotFound, kWorkerLost.
  DescribeReply describe_dataset(std::string_view party, std::string_view name);

  // "; bob waits for alice (transfer, ...) for 1204 ms", of every party that answers.
  std::string wait_report();
};

}  // namespace curia
