// A driver's session with a cluster: datasets, puts, runs, fetches. What a run computes stays at
// the parties; the driver holds references.
//
//   curia::Session session = curia::connect("cluster.json");
//   curia::Program program("total");
//   curia::Array rows = program.dataset(session.dataset("alice", "iris"));
//   program.output("total", sum(rows, {0}));
//   curia::Refs refs = session.run(program);          // returns at once
//   curia::Value total = session.fetch(refs["total"]);  // asks alice for the bytes
//
// Thread: any thread may call any method; calls that wait say so. When the Session goes, so do its
// objects at the parties.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/lineage.h"
#include "driver/program.h"
#include "driver/ref.h"
#include "driver/saved_session.h"
#include "protocol/message.h"
#include "protocol/verify.h"

namespace curia {

struct Wiring;
struct ConnectionOptions;

// The outputs of one run, in the order in which the program named them.
class Refs {
 public:
  void add(std::string name, Ref ref) { refs_.emplace_back(std::move(name), std::move(ref)); }
  // Errors: kInvalid, listing the outputs there are.
  const Ref& operator[](std::string_view name) const;
  auto begin() const { return refs_.begin(); }
  auto end() const { return refs_.end(); }
  std::size_t size() const { return refs_.size(); }

 private:
  std::vector<std::pair<std::string, Ref>> refs_;
};

// A verified program with its canonical bytes, to be run any number of times. Cheap to copy.
struct Prepared {
  Graph graph;
  Verified verified;
  Digest digest;
  std::string bytes;
  std::string sites;
  std::map<std::string, Ref> bound;
};
using PreparedPtr = std::shared_ptr<const Prepared>;

// Errors: kInvalid, with op and source line.
PreparedPtr prepare(const Program& program);
PreparedPtr prepare(Graph graph);

struct RunOptions {
  std::chrono::milliseconds timeout{0};  // 0: none
};

inline constexpr std::size_t kLeastSalt = 16;

struct PutOptions {
  // A secret text of kLeastSalt bytes or more. The same value put under the same salt has the same
  // lineage each time, so an owner can approve what is computed from it. Whoever knows the salt can
  // guess small values from lineages. Empty: another lineage each time.
  std::string salt{};
  // References that the value speaks of, as text in a table, say. They are kept for as long as it
  // is and its other names are, whoever else lets go of them. Strong ones of this session.
  std::vector<Ref> keeps{};
};

inline constexpr std::chrono::milliseconds kForever = std::chrono::milliseconds::max();

// What reconstruct() may do beside computing.
struct ReconstructOptions {
  // Run programs again that move plaintext of owners: transfers, reveals, predicates. The owners
  // are asked as for any run, and each move counts again.
  bool releases = false;
  // Run programs again that save: what was saved there since is replaced.
  bool saves = false;
  // Run programs whose first run had not ended when it was lost. Nobody knows which snapshots it
  // would have read; it reads those of now.
  bool unfinished = false;
  std::chrono::milliseconds timeout = kForever;
};

class Session {
 public:
  Session(Wiring wiring, const ConnectionOptions& options);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  const std::string& driver() const;
  std::string id() const;  // hex
  std::vector<std::string> parties() const;

  // Name and type of a dataset. Waits. Errors: kNotFound, kWorkerLost.
  DatasetInfo dataset(std::string_view party, std::string_view name);
  // Its lineage: the id of its snapshot. Waits. Errors: as above.
  Digest snapshot(std::string_view party, std::string_view name);
  std::vector<DatasetInfo> datasets(std::string_view party);

  // Stores a value of the driver's at a party. Returns at once; a failure shows at first use.
  // Errors: kInvalid for a salt that is too short.
  Ref put(std::string_view party, Value value, const PutOptions& options = {},
          Here here = Here::current());

  // Sends the program to every party that takes part. Returns at once, also while its inputs are
  // still being computed. inputs: refs for inputs that are not bound, by name. Errors: kInvalid
  // with op and line; kWorkerLost.
  Refs run(const Program& program, const std::map<std::string, Ref>& inputs = {},
           const RunOptions& options = {}, Here here = Here::current());
  Refs run(const PreparedPtr& program, const std::map<std::string, Ref>& inputs = {},
           const RunOptions& options = {}, Here here = Here::current());

  // The bytes, once they exist and if every owner agreed. Waits. Errors: kDenied with what is
  // missing and from whom; kNotFound; the error of the run that should have made it; kTimeout with
  // who waits for whom; kStaleEpoch for what was lost when a worker was restarted (reconstruct()).
  Value fetch(const Ref& ref, std::chrono::milliseconds timeout = kForever);

  // Computes a value again that a worker lost (it was restarted, or the file that the value was
  // spilled to is corrupt), from the programs and inputs that made it, through as many steps as are
  // needed. All holders of a secret get new shares. Every reference to the value means the new one
  // from then on; the one returned prints its new URI. A value that is still there stays. Waits.
  // Errors: kFailed, naming op and line, for what must not run twice (unseeded randomness and
  // noise; releases and saves without permission), for a value that was put or whose recipe is not
  // known, and where the value would be another one than it was, because a dataset changed; the
  // errors of the runs, kDenied among them.
  Ref reconstruct(const Ref& ref, const ReconstructOptions& options = {});

  // Waits for it. In a session that plans: what the reference says, with the state "planned".
  DescribeReply describe(const Ref& ref);
  // What it was made of, down to puts and datasets, as the workers remember it; where they do not,
  // as this process does. Finds the nearest `most` of them. Waits. Errors: kNotFound where nothing
  // is known of the reference itself.
  LineageTree lineage(const Ref& ref, std::size_t most = 200);
  // The session's objects at a party, in order of names; with a prefix, those that begin so:
  // "mem://", "fs:///run-1/", "oss://bucket/". Of fs:// and oss:// all that this driver has stored,
  // in whatever session. Errors: kInvalid for another prefix; kUnimplemented where the party has no
  // such store.
  std::vector<ListEntry> list(std::string_view party, std::string_view prefix = "mem://");
  void release(const Ref& ref);
  // A reference to what an earlier program, of whatever session of this driver, saved at a party as
  // fs:///... Waits. Errors: kNotFound.
  Ref stored(std::string_view party, const Uri& uri);
  // Removes such an object for good.
  void remove(const Ref& ref);

  // Waits until all runs and puts so far have ended. Errors: the first failure among them.
  void wait(std::chrono::milliseconds timeout = kForever);
  // What the ops on secure devices took at each party in a run (RefFacts::task) that has ended, by
  // number of the op. Kept for the latest 256 runs; empty for others.
  std::map<std::string, std::vector<MpcUse>> measured(std::uint64_t task);
  // Asks the owners what they would refuse if this program ran now and these outputs were fetched:
  // one sentence for each move, share, reveal and fetch, with its op and line. Of inputs and loaded
  // objects only the parties know whose they are, so those are checked when it runs. Waits.
  std::vector<Error> refusals(const PreparedPtr& program,
                              const std::vector<std::string>& fetches = {});
  // Ends the running tasks and what waits behind them.
  void cancel();

  std::vector<StatsEntry> stats(std::string_view party);
  // The party's grants that name this driver.
  std::vector<GrantInfo> grants(std::string_view party);
  // Who waits for whom at every party that answers; errors stand for those that do not.
  std::vector<StatusReply> status(std::vector<Error>* lost = nullptr);

  // Ends the session; its objects go. Runs under way are cancelled, also those that save: wait()
  // before. Later calls fail with kSessionOver.
  void close();

  // Leaves the session and its objects at the parties until the lease ends, for a process that
  // resumes it (ConnectionOptions::resume and lease). Waits until all runs and puts so far have
  // ended. References of this Session release nothing any more. Later calls fail with kSessionOver.
  SavedSession detach(std::chrono::milliseconds timeout = kForever);
  // The same data while the session goes on, to be written down in case this process dies.
  SavedSession saved() const;

 private:
  // One attempt, of a value that was there when restarts of workers were counted to `known`.
  Value fetch_now(const Ref& ref, std::chrono::milliseconds timeout,
                  std::chrono::steady_clock::time_point deadline, std::uint64_t known);

  friend class Reconstruction;
  friend class LineageSearch;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace curia
