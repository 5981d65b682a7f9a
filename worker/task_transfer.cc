// Task's moves of values between parties.
#include <algorithm>

#include "protocol/message.h"
#include "protocol/value_bytes.h"
#include "worker/task.h"

namespace curia {
namespace {

// The most bytes a received value of unknown length may have.
constexpr std::int64_t kMaxUnknownBytes = std::int64_t{4} << 30;

// The head of a transfer begins with what the rest is: a value's head, or an error that stands in
// its place (FORMAT.md).
constexpr char kValueFollows = 0;
constexpr char kErrorFollows = 1;

ValuePtr value_of(const Message& message, const Type& declared, const std::string& from) {
  const std::string_view head(reinterpret_cast<const char*>(message.head.data),
                              static_cast<std::size_t>(message.head.size));
  if (!head.empty() && head[0] == kValueFollows) {
    return std::make_shared<const Value>(value_from_bytes(head.substr(1), message.body, declared));
  }
  if (!head.empty() && head[0] == kErrorFollows && message.body.size == 0) {
    return std::make_shared<const Value>(decode<WireError>(head.substr(1)).error());
  }
  throw Error(Code::kCorrupt, "expected a value or a failure from " + from + ", found neither");
}

}  // namespace

ValuePtr Task::to_send(const ValuePtr& value, const Account& account) {
  try {
    return parts_.copies.of(value, parts_.store->backend("mem"), account);
  } catch (const Error& error) {
    // That there is no room for it tells its size, so it is told to those who get the value.
    if (account.is_open() || error.code() != Code::kQuota) throw;
    return std::make_shared<const Value>(error.at_party(parts_.party));
  }
}

Task::Values Task::transfer(const Op& op, const Type& from, const TypedOp& typed,
                            const Values& values) {
  const Tag tag = next_tag(typed);
  // A failure counts in `stats` like the value in whose place it goes.
  const bool hidden = TaskMemory::concerns(from);
  const std::int64_t counted = hidden ? 0 : max_body_bytes(from, 0);
  if (from.device == parts_.party) {
    const ValuePtr kept =
        to_send(values[op.operands[0]], hidden ? memory_of(typed).account()
                                               : Account::open_of({info_.driver, info_.session}));
    const Value& value = *kept;
    if (value.is_error()) {
      send(op.device, tag,
           Slice::copy_of(kErrorFollows + encode(WireError(std::get<Error>(value.form)))), {},
           counted);
    } else {
      const ValueBytes bytes = value_bytes(value);
      send(op.device, tag, Slice::copy_of(kValueFollows + bytes.head), bytes.body, counted);
    }
    return {};
  }
  Type declared = from;
  declared.device = op.device;
  if (!hidden) {
    const Message message = recv(from.device, tag, counted, "transfer", &op, counted);
    return {value_of(message, declared, from.device)};
  }
  // The sender alone knows how much it is, so no more is taken than there is room for. That there
  // is none is known to those who may see the value.
  TaskMemory& memory = memory_of(typed);
  const std::int64_t room = std::min(memory.left(), kMaxUnknownBytes);
  Message message;
  try {
    message = recv(from.device, tag, room, "transfer", &op, 0);
  } catch (const Error& error) {
    const bool too_long = error.code() == Code::kCorrupt && error.party().empty();
    if (!too_long || room == kMaxUnknownBytes) throw;
    return {no_room(from.device, op)};
  }
  Values received = {value_of(message, declared, from.device)};
  try {
    memory.settle({}, received);
  } catch (const Error& error) {
    if (error.code() != Code::kQuota) throw;
    return {no_room(from.device, op)};
  }
  return received;
}

ValuePtr Task::no_room(const std::string& from, const Op& op) const {
  const Error error(Code::kQuota,
                    "memory quota: no room for a value from " + from +
                        "; release results of unknown size, or raise hidden_quota_mib");
  return std::make_shared<const Value>(
      error.at_op(op.name, plan_.graph.site_of(op)).at_party(parts_.party));
}

}  // namespace curia
