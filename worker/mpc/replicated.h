// Replicated secret sharing of three parties, semi-honest, over Z_2^64 and Z_2.
//
// x = x0 + x1 + x2 (for bits: exclusive or). The member of rank i holds x_i (`first`) and x_(i+1)
// (`second`), and the keys k_i (with rank i - 1) and k_(i+1) (with rank i + 1): key j is known to
// the two members that hold part j. F_j below is the stream of key j at a place used once.
//
// Sources: products with one element a member, Araki et al., CCS 2016, section 2.1; roles of one
// member P that knows one summand and two that know the other, and binary sharing for free,
// Mohassel and Rindal (ABY3), CCS 2018, sections 5.1 to 5.4.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "worker/mpc/protocol.h"
#include "worker/mpc/replicated_plan.h"
#include "worker/mpc/stream.h"

namespace curia::mpc {

using Words = std::uint64_t;
using BufferMut = std::shared_ptr<Buffer>;

// Two parts of planes of bits, or of anything in words.
struct Pair {
  Slice first, second;
};

inline BufferMut allocate_words(std::int64_t words) { return Buffer::allocate(words * 8); }
inline Words* words_of(const BufferMut& buffer) { return reinterpret_cast<Words*>(buffer->data()); }
inline const Words* words_of(const Slice& slice) {
  return reinterpret_cast<const Words*>(slice.data);
}
inline Slice slice_of(BufferMut buffer) { return Slice(BufferPtr(std::move(buffer))); }

// Computes local values of elements begin..end, of that chunk, into out: what the member
// contributes to a product.
using Produce =
    std::function<void(const Chunk& chunk, std::int64_t begin, std::int64_t end, Words* out)>;

class Replicated final : public MpcProtocol {
 public:
  Replicated(MpcNet& net, const MpcSeeds& seeds);

  int rank() const override { return rank_; }
  void begin(std::uint32_t op, std::uint32_t step, const std::function<bool()>* cancelled) override;
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

 private:
  // What this member is in a step whose special member is `leader`.
  enum class Role { kLeader = 0, kNext = 1, kPrevious = 2 };
  Role role(const Chunk& chunk) const {
    return static_cast<Role>((rank_ - chunk.leader + kMpcMembers) % kMpcMembers);
  }
  int next() const { return (rank_ + 1) % kMpcMembers; }
  int previous() const { return (rank_ + 2) % kMpcMembers; }
  void poll() const;
  std::uint32_t uses(std::int64_t count);  // the first of `count` new places in the streams
  // The streams of the keys of this member's first and second part.
  void draw_first(std::uint32_t use, std::int64_t at, Words* out, std::int64_t words) const {
    first_key_.fill({op_, step_, use}, at, out, words);
  }
  void draw_second(std::uint32_t use, std::int64_t at, Words* out, std::int64_t words) const {
    second_key_.fill({op_, step_, use}, at, out, words);
  }

  Pair share_words(const Slice& clear, std::int64_t words, int owner, bool bits);
  Slice reveal_words(const Pair& x, std::int64_t words, int to, bool bits);

  // Adds this member's summand of a sharing of 0: F_rank - F_(rank+1); for bits F ^ F.
  void mask(bool bits, std::uint32_t use, std::int64_t at, Words* out, std::int64_t words) const;
  // Turns what the members produced, whose sum is the secret, into shares. `grain`: how many
  // elements to produce at a time.
  Pair reshare(const std::vector<Chunk>& chunks, std::int64_t words, std::int64_t grain, bool bits,
               const Produce& produce);
  // Likewise divided by 2^shift.
  Pair reshare_shift(const std::vector<Chunk>& chunks, std::int64_t words, std::int64_t grain,
                     int shift, const Produce& produce);
  struct Shift;  // one division by 2^shift under way

  Pair conjunction_words(const Pair& a, const Pair& b, std::int64_t words);
  // Several in one round, a message each.
  std::vector<Pair> conjunctions(const std::vector<std::pair<Pair, Pair>>& operands);

  // Planes of both summands of x, shared: one of them known to the leader, one to both others.
  struct Summands;
  Summands summands(const RingShare& x, const Chunk& chunk, int planes, bool negate,
                    std::uint32_t use);
  void finish_summands(Summands& s);
  // Planes low..low + bits - 1 of x, each of words_out words, chunk by chunk.
  BitShare sum_planes(const RingShare& x, int low, int bits);
  void ripple(const RingShare& x, int low, int bits, std::int64_t out_words, Words* first,
              Words* second);
  void prefix(const RingShare& x, int low, int bits, std::int64_t out_words, Words* first,
              Words* second);
  Pair generate(const Summands& s, int planes);
  Pair carry_out(Pair g, Pair p, int planes, std::int64_t stride);
  Pair all_carries(Pair g, Pair p, int planes, std::int64_t stride);

  MpcNet& net_;
  const int rank_;
  const MaskStream first_key_;                                  // k_rank
  const MaskStream second_key_;                                 // k_(rank + 1)
  std::unordered_map<std::uint32_t, std::uint32_t> last_step_;  // of each op that began
  std::uint32_t op_ = 0;
  std::uint32_t step_ = 0;
  std::uint32_t use_ = 0;
  const std::function<bool()>* cancelled_ = nullptr;
};

}  // namespace curia::mpc
