// What the parties of a task tell each other before the first byte of data leaves any of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/audit_record.h"
#include "protocol/digest.h"
#include "protocol/label.h"
#include "protocol/lineage.h"

namespace curia {

struct PreflightInput {
  std::uint32_t outside = 0;  // number in Plan::outside
  Lineage lineage;
  Label label;
  Digest instance;  // of a secret: the task run that made its shares; else all zero
};

struct Preflight {
  Digest program;
  std::string driver;  // the principal whose session it is, as this party authenticated it
  std::uint64_t epoch = 0;
  Digest nonce;                        // fresh
  std::vector<PreflightInput> inputs;  // those that this party holds, ascending
  // Fresh, and told to this one recipient only: its half of the pair key of two members of a secure
  // device. All zero for others.
  Digest pair_secret;
  // The last signature of this party's audit log, for the others to keep.
  AuditHead head;
};

inline constexpr std::int64_t kMaxPreflightBytes = 16 << 20;

std::string encode_preflight(const Preflight& preflight);
// Errors: kInvalid.
Preflight decode_preflight(std::string_view bytes);

}  // namespace curia
