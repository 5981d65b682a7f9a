// The worker's own folder: one worker at a time, the epoch that rises with each start, the key of
// the audit log, and what the snapshots of datasets are called.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/digest.h"
#include "protocol/signature.h"

namespace curia {

class StateDir {
 public:
  // Makes the folder (mode 0700) and locks it. Errors: kInvalid when another worker holds it or it
  // cannot be made.
  explicit StateDir(const std::string& path);
  ~StateDir();
  StateDir(const StateDir&) = delete;
  StateDir& operator=(const StateDir&) = delete;

  // Raises the stored epoch by one, durably, and returns it. Errors: kCorrupt when the stored one
  // is no number (an epoch that falls back would let old requests in).
  std::uint64_t next_epoch();
  // The key that signs the audit log; made at the first start. Errors: kCorrupt when it cannot be
  // read, or is gone while there is a log that was signed with it.
  SigningKey signing_key();
  // The lineage of a dataset whose content has this digest: the one that it had at the last start,
  // or a new one where its content changed, so that an approval speaks of the same snapshot over
  // restarts. Errors: kCorrupt when the stored ones cannot be read.
  Digest snapshot(const std::string& name, const Digest& content);

 private:
  // Durably, or not at all.
  void replace(const std::string& path, const std::string& text) const;

  const std::string path_;
  int lock_ = -1;
};

}  // namespace curia
