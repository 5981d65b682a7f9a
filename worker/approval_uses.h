// How far approvals were used: an execution for each time that an approval allows. It is kept in
// memory and rebuilt from the audit log, which is its only journal.
//
// An execution belongs to one session and binds each variable of its lineages to one instance, so
// that values of two runs never add up to what nobody approved. Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/audit_record.h"
#include "protocol/digest.h"

namespace curia {

// One release of one value under an approval.
struct ApprovalUse {
  Digest approval;
  Digest release;
  // One release may be asked for by several parties, each member of a secure device, and for each
  // source of the owner that the value derives from.
  std::string asker;
  std::string source;
  std::string session;
  std::map<Digest, Digest> draws;  // variable -> instance
  // Filled in by reserve().
  std::uint32_t item = 0;       // number of the approved release
  std::uint32_t execution = 0;  // from 0

  // As fields of the record of the consent, and back. Errors: kInvalid for malformed ones.
  void note(AuditRecord& record) const;
  static std::optional<ApprovalUse> read(const AuditRecord& record);
};

class ApprovalUses {
 public:
  // Takes the first of `items` that is left in the first execution that fits. False where there is
  // none and `most` executions have begun.
  bool reserve(ApprovalUse& use, const std::vector<std::uint32_t>& items, std::int64_t most);
  // Would reserve() be true?
  bool left(const ApprovalUse& use, const std::vector<std::uint32_t>& items,
            std::int64_t most) const;
  // Of a use that never got to the log, and was not answered with yes.
  void undo(const ApprovalUse& use);
  // Of a use that the log holds.
  void replay(const ApprovalUse& use);
  // Executions that have begun.
  std::int64_t used(const Digest& approval) const;

 private:
  struct Item {
    Digest release;
    std::map<std::pair<std::string, std::string>, ApprovalUse> asked;  // by asker and source
  };
  struct Execution {
    std::string session;
    std::map<std::uint32_t, Item> items;
  };
  static bool fits(const Execution& execution, const ApprovalUse& use, std::uint32_t item);
  // Where reserve() would put it.
  std::optional<ApprovalUse> find(const ApprovalUse& use, const std::vector<std::uint32_t>& items,
                                  std::int64_t most) const;
  void add(const ApprovalUse& use);

  mutable std::mutex mutex_;
  std::map<Digest, std::map<std::uint32_t, Execution>> approvals_;
};

}  // namespace curia
