// This party as a member of one secure device, for one task: the messages to the other members,
// the protocol on top, and what each op took.
//
// Messages between two members carry the op's number in the graph and their own number among those
// of that op, so nothing of one op, run or task can be taken for another's.
// Owned by the task, and used by its thread alone.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "protocol/device.h"
#include "protocol/link/link.h"
#include "protocol/message.h"
#include "worker/mpc/kernel.h"

namespace curia {

// How a member reaches another one: the lanes of the task.
struct MemberLanes {
  std::function<void(const std::string& to, const Tag&, Slice head, Slice body)> send;
  // The next message with that tag of at most `bytes`. Errors: as Lane::recv.
  std::function<Message(const std::string& from, const Tag&, std::int64_t bytes, const Op&)> recv;
};

class DeviceMember : private MpcNet {
 public:
  DeviceMember(SecureDevice device, int rank, std::uint64_t task, const MpcSeeds& seeds,
               MemberLanes lanes);

  const SecureDevice& device() const { return device_; }

  // Runs one op: calls `kernel` with the protocol, the op's number and how often it has run before.
  // weight: bytes of its operands and results, the same at all members. Errors: the kernel's; those
  // of a member that gave up.
  std::vector<ValuePtr> run(const Op& op, std::uint32_t number, std::int64_t weight,
                            const std::function<std::vector<ValuePtr>(
                                MpcProtocol&, std::uint32_t number, std::uint32_t step)>& kernel);

  // By op number. The measured counterparts of MpcCost.
  const std::map<std::uint32_t, MpcUse>& uses() const { return uses_; }

 private:
  int rank() const override { return rank_; }
  // There are ops in which a member only sends. So that it neither runs ahead without bound nor
  // works on for a task that the others have given up, members meet after so many bytes of values:
  // each goes on once the others have been at the meeting before.
  void pace(std::int64_t weight);
  void send(int to_rank, Slice message) override;
  Slice recv(int from_rank, std::int64_t bytes) override;

  const std::string& peer(int step) const;  // of rank + step, mod 3

  struct Numbers {
    std::array<std::uint32_t, kMpcMembers> sent{};
    std::array<std::uint32_t, kMpcMembers> received{};
  };

  const SecureDevice device_;
  const int rank_;
  const std::uint64_t task_;
  const MemberLanes lanes_;
  std::unique_ptr<MpcProtocol> protocol_;
  const Op* op_ = nullptr;
  std::uint32_t number_ = 0;
  Numbers* numbers_ = nullptr;
  std::uint32_t heard_ = 0;  // messages in the longest chain that ended here, in this run of the op
  std::uint32_t sent_ = 0;   // likewise of chains that end with a message from here
  std::uint64_t bytes_ = 0;
  std::int64_t since_meeting_ = 0;
  std::uint32_t meetings_ = 0;
  std::map<std::uint32_t, Numbers> all_numbers_;
  std::map<std::uint32_t, MpcUse> uses_;
};

}  // namespace curia
