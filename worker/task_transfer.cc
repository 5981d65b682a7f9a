// Task's moves of values between parties.
#include <algorithm>

#include "protocol/value_bytes.h"
#include "worker/task.h"

namespace curia {
namespace {

// The most bytes a received value of unknown length may have.
constexpr std::int64_t kMaxUnknownBytes = std::int64_t{4} << 30;

}  // namespace

Task::Values Task::transfer(const Op& op, const Type& from, const TypedOp& typed,
                            const Values& values) {
  const Tag tag = next_tag(typed);
  if (from.device == parts_.party) {
    const ValueBytes bytes = value_bytes(*values[op.operands[0]]);
    lane(op.device).send(tag, Slice::copy_of(bytes.head), bytes.body);
    return {};
  }
  Type declared = from;
  declared.device = op.device;
  const auto value_of = [&](const Message& message) -> Values {
    return {std::make_shared<const Value>(
        value_from_bytes({reinterpret_cast<const char*>(message.head.data),
                          static_cast<std::size_t>(message.head.size)},
                         message.body, declared))};
  };
  if (!TaskMemory::concerns(declared)) {
    return value_of(recv(from.device, tag, max_body_bytes(declared, 0), "transfer", &op));
  }
  // The sender alone knows how much it is, so no more is taken than there is room for.
  const std::int64_t room = std::min(memory().left(), kMaxUnknownBytes);
  try {
    Values received = value_of(recv(from.device, tag, room, "transfer", &op));
    memory().settle({}, received);
    return received;
  } catch (const Error& error) {
    if (error.code() != Code::kCorrupt || room == kMaxUnknownBytes) throw;
    throw Error(Code::kQuota, "memory quota: a value from " + from.device +
                                  " takes more than the " + std::to_string(room) +
                                  " bytes left; release objects, or raise memory_quota_mib");
  }
}

}  // namespace curia
