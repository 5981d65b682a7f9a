// What the tasks of this worker sent to the other parties and got from them, for `stats`: bodies
// and heads of what everybody can tell the size of. Values whose size depends on the data
// (TaskMemory) are left out: whoever may ask for stats must not learn it. Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace curia {

struct PartyTraffic {
  std::int64_t sent_bytes = 0;
  std::int64_t received_bytes = 0;
};

class TrafficBoard {
 public:
  void sent(const std::string& party, std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    by_party_[party].sent_bytes += bytes;
  }
  void received(const std::string& party, std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    by_party_[party].received_bytes += bytes;
  }
  std::map<std::string, PartyTraffic> totals() const {
    const std::lock_guard lock(mutex_);
    return by_party_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, PartyTraffic> by_party_;
};

}  // namespace curia
