// How the latest results and puts of a session were made, for `describe`: also of objects that are
// gone. Names only. The oldest are forgotten.
//
// Owned by the session. Thread: any.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "protocol/message.h"
#include "worker/plan.h"

namespace curia {

inline constexpr std::int64_t kMaxHistory = 4096;          // runs and puts
inline constexpr std::int64_t kMaxHistoryBytes = 1 << 20;  // of their names

class RunHistory {
 public:
  // The plan outlives the history.
  void add_run(const Plan& plan, RunRequest request, std::vector<Digest> lineages);
  void add_put(const PutRequest& request);

  // What is known of an object: type, program and output, and how it was made; the state is
  // "released". Nothing for what was not made here, or has been forgotten.
  std::optional<DescribeReply> find(const std::string& uri) const;

 private:
  struct Entry {
    const Plan* plan = nullptr;  // null: a put
    std::uint64_t task = 0;
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    std::vector<Digest> lineages;  // of all externals of the program; none where it failed
    Type type;                     // of a put
    Site site;
    std::int64_t bytes = 0;
  };

  void add(Entry entry);
  static MadeBy made_by(const Entry& entry, std::uint32_t output);

  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  std::int64_t bytes_ = 0;
};

}  // namespace curia
