// Elements of one tensor seen in the order and shape of another.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/mpc/protocol.h"

namespace curia::mpc {

// Element (i0, i1, ...) of a tensor of this shape is element offset + i0 * strides[0] + ... of what
// is seen. A stride of 0 repeats.
struct View {
  Shape shape;
  std::vector<std::int64_t> strides;
  std::int64_t offset = 0;

  // A whole tensor of this shape.
  static View of(const Shape& shape);
  // numpy's broadcasting. Errors: kInvalid.
  View broadcast(const Shape& to) const;
  View permuted(const std::vector<std::int64_t>& perm) const;
  // Those in `axes` last, both groups in their order.
  View with_last(const std::vector<bool>& last) const;
  bool whole(std::int64_t count) const;  // all of `count` elements in their order
};

// What the view shows, row by row.
void copy_view(const View& view, const std::uint64_t* from, std::uint64_t* to);

RingShare seen(MpcProtocol& protocol, const RingShare& x, const View& view);
BitShare seen(MpcProtocol& protocol, const BitShare& x, const View& view);

// Bits of numbers 0 and 1.
void pack_bits(const std::uint64_t* numbers, std::int64_t count, std::uint64_t* out);

// One tensor behind the other.
RingShare joined(MpcProtocol& protocol, const std::vector<const RingShare*>& parts);
// Elements begin..begin + count.
RingShare piece(const RingShare& x, std::int64_t begin, std::int64_t count);

}  // namespace curia::mpc
