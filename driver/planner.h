// Notes what a driver program would run and fetch, instead of doing it, and writes it down as a
// release plan (release_plan.h) for the owners of the data.
//
// Owned by a Session that plans. Thread: any.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "driver/session.h"
#include "protocol/release_plan.h"

namespace curia {

class Planner {
 public:
  // snapshot_of: the lineage of a party's dataset, as its worker tells it.
  using SnapshotOf = std::function<Digest(const std::string& party, const std::string& dataset)>;
  Planner(std::string driver, std::string file, SnapshotOf snapshot_of);
  // Writes the file, unless finish() did. What goes wrong then is told on stderr.
  ~Planner();
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  // salt: as in PutOptions.
  void put(const std::string& uri, const Value& value, const Digest& salt, const Site& site);
  // URIs of inputs and outputs in the program's order. Errors: kInvalid for an input or a load of
  // something that this session did not make.
  void run(const Prepared& program, const std::vector<std::string>& inputs,
           const std::vector<std::string>& outputs);
  // Zeros of the reference's type, with no rows where it has `?`. Errors: kInvalid for what this
  // session did not make; kQuota above kMaxPlannedBytes.
  Value fetch(const Ref& ref);
  ReleasePlan plan() const;
  // Writes the file, which must not exist. Errors: kInvalid.
  void finish();

 private:
  Origin origin_of(const External& external, const std::vector<std::string>& inputs);
  Origin made(const std::string& uri, const std::string& what) const;
  void note_saves(const Prepared& program, std::uint32_t step);

  const std::string file_;
  const SnapshotOf snapshot_of_;
  mutable std::mutex mutex_;
  ReleasePlan plan_;
  std::map<std::string, Origin> origins_;  // by URI
  std::map<std::pair<std::string, std::string>, Digest> snapshots_;
  bool written_ = false;
};

inline constexpr std::int64_t kMaxPlannedBytes = std::int64_t{1} << 30;  // of one fetched value

}  // namespace curia
