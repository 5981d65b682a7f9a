// A protocol without data: counts what the members of a secure device would send to each other.
#pragma once

#include <array>
#include <deque>

#include "worker/mpc/protocol.h"
#include "worker/mpc/replicated_plan.h"

namespace curia::mpc {

// Counts for the replicated protocol. All three members at once: every message is given the length
// of the chain of messages that it waited for. Shares that it hands out have sizes and no memory.
class Counting final : public MpcProtocol {
 public:
  MpcCost cost() const;

  int rank() const override { return -1; }
  void begin(std::uint32_t, std::uint32_t, const std::function<bool()>*) override {}
  RingShare share(const Slice& clear, std::int64_t count, int owner) override;
  BitShare share_bits(const Slice& clear, std::int64_t count, int owner) override;
  Slice reveal(const RingShare& x, int to) override;
  Slice reveal_bits(const BitShare& x, int to) override;
  PublicRing public_ring(std::int64_t count,
                         const std::function<void(std::uint64_t*)>& fill) override;
  PublicBits public_bits(std::int64_t count,
                         const std::function<void(std::uint64_t*)>& fill) override;
  RingShare map(const std::vector<const RingShare*>& in, std::int64_t count,
                const PartMap& f) override;
  BitShare map_bits(const std::vector<const BitShare*>& in, std::int64_t count,
                    const PartMap& f) override;
  RingShare multiply(const RingShare& a, const RingShare& b) override;
  RingShare multiply_shift(const RingShare& a, const RingShare& b, int shift) override;
  RingShare matmul(const RingShare& a, const RingShare& b, std::int64_t m, std::int64_t k,
                   std::int64_t n, int shift) override;
  RingShare truncate(const RingShare& x, int shift) override;
  RingShare divide(const RingShare& x, std::int64_t divisor) override;
  BitShare conjunction(const BitShare& a, const BitShare& b) override;
  BitShare sign(const RingShare& x) override;
  BitShare is_zero(const RingShare& x) override;
  BitShare to_bits(const RingShare& x, int low, int bits) override;
  RingShare to_ring(const BitShare& x) override;
  RingShare shuffle(const RingShare& x, std::int64_t width) override;

  // Shares that exist already, such as operands.
  RingShare ring(std::int64_t count);
  BitShare bits(std::int64_t count);

 private:
  using Chunks = std::vector<Chunk>;

  Slice held(std::int64_t bytes);  // counted until the last copy goes
  void working(std::int64_t bytes);
  void send(int from, int to, std::int64_t bytes);
  void recv(int at, int from);
  void ring_round(const Chunks& chunks);  // each sends its part to the member before
  void shift_step(const Chunks& chunks, int shift, bool exchange);
  void bit_step(const Chunks& chunks, std::int64_t lead_bytes);
  void open_to(int to, std::int64_t words);
  void from_owner(int owner, std::int64_t words);
  void adder(std::int64_t count, int low, int bits);
  void prefix(std::int64_t count, int planes, bool all);

  struct Memory {
    std::int64_t now = 0;
    std::int64_t most = 0;
  };
  std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
  std::array<std::int64_t, kMpcMembers> depth_{}, bytes_{}, messages_{};
  std::deque<std::int64_t> under_way_[kMpcMembers][kMpcMembers];
};

}  // namespace curia::mpc
