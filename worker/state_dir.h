// The worker's own folder: one worker at a time, and the epoch that rises with each start.
#pragma once

#include <cstdint>
#include <string>

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

 private:
  // Durably, or not at all.
  void replace(const std::string& path, const std::string& text) const;

  const std::string path_;
  int lock_ = -1;
};

}  // namespace curia
