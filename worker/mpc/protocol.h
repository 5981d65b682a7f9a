// What a multi-party computation protocol offers: arithmetic and logic on secret shares, whatever
// the scheme. Ops (ops_*.cc) are written once over this interface; the counting implementation
// (counting.h) runs the same ops without data, so that what an op costs is known before it runs.
//
// All members call the same methods in the same order with the same public arguments. Semi-honest
// members: each follows the protocol and learns nothing from what it sees.
// Thread: one object belongs to the thread that runs the task.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "protocol/value.h"

namespace curia {

inline constexpr int kMpcMembers = 3;

// Secrets that a member has in common with one other member. Fresh for every run of a task, agreed
// by the two members, and known to nobody else: a seed used twice would unmask shares.
struct MpcSeeds {
  std::array<std::uint8_t, 32> next;      // with the member of rank + 1, mod 3
  std::array<std::uint8_t, 32> previous;  // with the member of rank - 1, mod 3
};

// The other members of the secure device, as one op run sees them. Messages between two members
// are numbered in the order of the calls, separately for each direction.
class MpcNet {
 public:
  virtual ~MpcNet() = default;

  virtual int rank() const = 0;  // of this member: 0, 1 or 2

  // Never waits. The bytes are shared, not copied, and must not change any more.
  virtual void send(int to_rank, Slice message) = 0;

  // The next message of that member. Errors: kCorrupt when it has not exactly `bytes`; what the
  // link reports (kPeerLost, kTimeout, kCancelled, the error of a member that gave up).
  virtual Slice recv(int from_rank, std::int64_t bytes) = 0;
};

// What an op costs. Equal to what is measured, byte by byte: sizes depend on types only.
struct MpcCost {
  std::int64_t rounds = 0;                           // longest chain of messages, each of which
                                                     // could be sent only after the one before
  std::array<std::int64_t, kMpcMembers> bytes{};     // sent by each rank
  std::array<std::int64_t, kMpcMembers> messages{};  // likewise
  std::int64_t memory = 0;                           // most bytes of shares held at once, a member
  bool operator==(const MpcCost&) const = default;
};

// This member's share of `count` elements of Z_2^64. A scheme with one part leaves `second` empty.
struct RingShare {
  std::int64_t count = 0;
  Slice first;
  Slice second;
};

// Likewise of `count` bits, packed, lowest first, in 64-bit words, padded to whole blocks of 64
// bytes. Bits behind the last one are unspecified.
struct BitShare {
  std::int64_t count = 0;
  Slice first;
  Slice second;
};

// Numbers that all members know. Memory of count ring elements, or of packed bits as above.
struct PublicRing {
  std::int64_t count = 0;
  Slice data;
};
struct PublicBits {
  std::int64_t count = 0;
  Slice data;
};

// Words of 64 bits that hold one part of `count` bits.
constexpr std::int64_t bit_words(std::int64_t count) { return (count + 511) / 512 * 8; }

// A linear map, run once for each part that this member holds. `constant`: whether public numbers
// are added to this part (exactly one part of a secret takes them).
using PartMap =
    std::function<void(const std::uint64_t* const* in, std::uint64_t* out, bool constant)>;

class MpcProtocol {
 public:
  virtual ~MpcProtocol() = default;

  virtual int rank() const = 0;  // of this member; -1 when only counting

  // Starts an op: the random streams continue at a place that depends on (op, step) only and was
  // never used before in this task. `cancelled` is polled once a chunk.
  // REQUIRES: no pair is given twice in the life of this object's seeds, and the steps of an op go
  // up (checked; kInvalid: the same masks again would tell what they hid).
  virtual void begin(std::uint32_t op, std::uint32_t step,
                     const std::function<bool()>* cancelled) = 0;

  // --- in and out. `clear` is read at the owner only, REQUIRES: 8 * count bytes, or packed bits.
  virtual RingShare share(const Slice& clear, std::int64_t count, int owner) = 0;
  virtual BitShare share_bits(const Slice& clear, std::int64_t count, int owner) = 0;
  // The secret at `to`, an empty slice elsewhere. Every other member has to take part.
  virtual Slice reveal(const RingShare& x, int to) = 0;
  virtual Slice reveal_bits(const BitShare& x, int to) = 0;
  // Public numbers made by the caller; `fill` writes them, and is not called when only counting.
  virtual PublicRing public_ring(std::int64_t count,
                                 const std::function<void(std::uint64_t*)>& fill) = 0;
  virtual PublicBits public_bits(std::int64_t count,
                                 const std::function<void(std::uint64_t*)>& fill) = 0;

  // --- local
  virtual RingShare map(const std::vector<const RingShare*>& in, std::int64_t count,
                        const PartMap& f) = 0;
  virtual BitShare map_bits(const std::vector<const BitShare*>& in, std::int64_t count,
                            const PartMap& f) = 0;

  // --- with messages; elementwise operands have equal counts
  virtual RingShare multiply(const RingShare& a, const RingShare& b) = 0;
  // a * b / 2^shift as by truncate().
  virtual RingShare multiply_shift(const RingShare& a, const RingShare& b, int shift) = 0;
  // [m,k] x [k,n], row-major, / 2^shift as by truncate(); shift 0: exactly.
  virtual RingShare matmul(const RingShare& a, const RingShare& b, std::int64_t m, std::int64_t k,
                           std::int64_t n, int shift) = 0;
  // x / 2^shift, off by less than 1, exact where 2^shift divides x, the mean of the error is 0.
  // REQUIRES: -2^62 <= x < 2^62 - 2^shift as a signed number, 1 <= shift <= 62.
  virtual RingShare truncate(const RingShare& x, int shift) = 0;
  // x / divisor, off by less than 1.5; the mean of the error is about 0.
  // REQUIRES: |x| < 2^61 as a signed number, 2 <= divisor <= 2^48.
  virtual RingShare divide(const RingShare& x, std::int64_t divisor) = 0;
  virtual BitShare conjunction(const BitShare& a, const BitShare& b) = 0;
  // Bit 63: whether x < 0.
  virtual BitShare sign(const RingShare& x) = 0;
  virtual BitShare is_zero(const RingShare& x) = 0;
  // Bits `low`..`low + bits` - 1 of x as planes: bit j of element i is bit j * P + i of the result,
  // with P = 64 * bit_words(x.count).
  virtual BitShare to_bits(const RingShare& x, int low, int bits) = 0;
  // Each bit as the number 0 or 1.
  virtual RingShare to_ring(const BitShare& x) = 0;
  // Rows of `width` elements in an order that nobody knows.
  virtual RingShare shuffle(const RingShare& x, std::int64_t width) = 0;
};

// Replicated secret sharing of three parties (Araki et al., CCS 2016). The shares are those of
// protocol/value.h. Both references outlive the object.
std::unique_ptr<MpcProtocol> make_replicated(MpcNet& net, const MpcSeeds& seeds);

}  // namespace curia
