// How often grants with a count were used. It is kept in memory and rebuilt from the audit log,
// which is its only journal.
//
// One release may be asked for by several parties: each member of a secure device asks every owner
// by itself before it sends its part. That is one use. The same party asking again is another.
// Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "protocol/digest.h"

namespace curia {

// One release of one value to one recipient.
struct GrantUse {
  Digest grant;
  Digest release;
  std::string asker;
};

class GrantUses {
 public:
  // False when the grant has been used `most` times already and this is not part of one of them.
  bool reserve(const GrantUse& use, std::int64_t most);
  // Of a use that never got to the log, and was not answered with yes.
  void undo(const GrantUse& use);
  // Of a use that the log holds.
  void replay(const GrantUse& use);
  std::int64_t used(const Digest& grant) const;

 private:
  struct Release {
    std::int64_t uses = 0;
    std::map<std::string, std::int64_t> asked;
  };
  struct Counted {
    std::int64_t uses = 0;
    std::map<Digest, Release> releases;
  };
  bool add(const GrantUse& use, std::int64_t most);

  mutable std::mutex mutex_;
  std::map<Digest, Counted> grants_;
};

}  // namespace curia
