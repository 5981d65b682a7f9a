#include "worker/member.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace curia {
namespace {

constexpr std::uint32_t kMaxDepth = 1 << 30;  // a peer states it
constexpr std::uint32_t kMeetingOp = UINT32_MAX - 1;
constexpr std::int64_t kMeetingBytes = std::int64_t{32} << 20;
constexpr std::int64_t kOpBytes = 32 << 10;  // that an op counts for at least

}  // namespace

DeviceMember::DeviceMember(SecureDevice device, int rank, std::uint64_t task, const MpcSeeds& seeds,
                           MemberLanes lanes)
    : device_(std::move(device)), rank_(rank), task_(task), lanes_(std::move(lanes)) {
  protocol_ = make_replicated(*this, seeds);
}

std::vector<ValuePtr> DeviceMember::run(
    const Op& op, std::uint32_t number, std::int64_t weight,
    const std::function<std::vector<ValuePtr>(MpcProtocol&, std::uint32_t, std::uint32_t)>&
        kernel) {
  op_ = &op;
  number_ = number;
  numbers_ = &all_numbers_[number];
  heard_ = 0;
  sent_ = 0;
  bytes_ = 0;
  MpcUse& use = uses_[number];
  use.op = number;
  std::vector<ValuePtr> results = kernel(*protocol_, number, use.runs++);
  use.rounds += std::max(heard_, sent_);
  use.bytes += bytes_;
  pace(weight);
  return results;
}

void DeviceMember::pace(std::int64_t weight) {
  since_meeting_ += std::min(weight, kMeetingBytes) + kOpBytes;
  if (since_meeting_ < kMeetingBytes) return;
  since_meeting_ = 0;
  const Tag here{task_, kMeetingOp, meetings_++};
  for (int step = 1; step < kMpcMembers; ++step) {
    lanes_.send(peer(step), here, Slice(), Slice());
  }
  if (here.step == 0) return;
  for (int step = 1; step < kMpcMembers; ++step) {
    lanes_.recv(peer(step), {task_, kMeetingOp, here.step - 1}, 0, *op_);
  }
}

const std::string& DeviceMember::peer(int step) const {
  return device_.members[static_cast<std::size_t>((rank_ + step) % kMpcMembers)];
}

// The head of a message says how many messages the longest chain that ends with it has, for the
// measured number of rounds; nothing else depends on it.
void DeviceMember::send(int to_rank, Slice message) {
  const std::uint32_t depth = heard_ + 1;
  std::array<std::uint8_t, sizeof(depth)> head;
  std::memcpy(head.data(), &depth, sizeof(depth));
  sent_ = std::max(sent_, depth);
  bytes_ += static_cast<std::uint64_t>(message.size);
  const Tag tag{task_, number_, numbers_->sent[static_cast<std::size_t>(to_rank)]++};
  lanes_.send(device_.members[static_cast<std::size_t>(to_rank)], tag, Slice::copy_of(head),
              std::move(message));
}

Slice DeviceMember::recv(int from_rank, std::int64_t bytes) {
  const std::string& from = device_.members[static_cast<std::size_t>(from_rank)];
  const Tag tag{task_, number_, numbers_->received[static_cast<std::size_t>(from_rank)]++};
  Message message = lanes_.recv(from, tag, bytes, *op_);
  std::uint32_t depth = 0;
  if (message.head.size != sizeof(depth) || message.body.size != bytes) {
    throw Error(Code::kCorrupt, "expected a message of " + std::to_string(bytes) + " bytes from " +
                                    from + ", found " + std::to_string(message.body.size));
  }
  std::memcpy(&depth, message.head.data, sizeof(depth));
  heard_ = std::max(heard_, std::min(depth, kMaxDepth));
  return std::move(message.body);
}

}  // namespace curia
