#include "worker/mpc/views.h"

#include <algorithm>

#include "protocol/error.h"
#include "worker/mpc/bit_planes.h"

namespace curia::mpc {
namespace {

struct Dim {
  std::int64_t extent, stride;
};

void copy_dims(const Dim* dim, std::size_t dims, const std::uint64_t* from, std::uint64_t*& to) {
  if (dims == 0) {
    *to++ = *from;
    return;
  }
  if (dims > 1) {
    for (std::int64_t i = 0; i < dim->extent; ++i) {
      copy_dims(dim + 1, dims - 1, from + i * dim->stride, to);
    }
    return;
  }
  if (dim->stride == 1) {
    to = std::copy_n(from, dim->extent, to);
  } else if (dim->stride == 0) {
    to = std::fill_n(to, dim->extent, *from);
  } else {
    for (std::int64_t i = 0; i < dim->extent; ++i) *to++ = from[i * dim->stride];
  }
}

}  // namespace

View View::of(const Shape& shape) {
  View view{shape, std::vector<std::int64_t>(shape.size(), 1), 0};
  for (std::size_t i = shape.size(); i-- > 1;) {
    view.strides[i - 1] = view.strides[i] * shape[i];
  }
  return view;
}

View View::broadcast(const Shape& to) const {
  expect(shape.size() <= to.size(), "a tensor cannot be broadcast to fewer dimensions");
  View view{to, std::vector<std::int64_t>(to.size(), 0), offset};
  const std::size_t front = to.size() - shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == to[front + i]) {
      view.strides[front + i] = strides[i];
    } else {
      expect(shape[i] == 1, "the shapes of the operands do not broadcast");
    }
  }
  return view;
}

View View::permuted(const std::vector<std::int64_t>& perm) const {
  std::vector<std::int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    expect(sorted[i] == static_cast<std::int64_t>(i), "a permutation names every dimension once");
  }
  expect(perm.size() == shape.size(), "a permutation names every dimension once");
  View view{{}, {}, offset};
  for (const std::int64_t axis : perm) {
    view.shape.push_back(shape[static_cast<std::size_t>(axis)]);
    view.strides.push_back(strides[static_cast<std::size_t>(axis)]);
  }
  return view;
}

View View::with_last(const std::vector<bool>& last) const {
  std::vector<std::int64_t> perm;
  for (const bool wanted : {false, true}) {
    for (std::size_t i = 0; i < last.size(); ++i) {
      if (last[i] == wanted) perm.push_back(static_cast<std::int64_t>(i));
    }
  }
  return permuted(perm);
}

bool View::whole(std::int64_t count) const {
  return offset == 0 && strides == of(shape).strides && element_count(shape) == count;
}

void copy_view(const View& view, const std::uint64_t* from, std::uint64_t* to) {
  if (element_count(view.shape) == 0) return;
  std::vector<Dim> dims;  // those merged that follow each other
  for (std::size_t i = 0; i < view.shape.size(); ++i) {
    const Dim dim{view.shape[i], view.strides[i]};
    if (dim.extent == 1) continue;
    if (!dims.empty() && dims.back().stride == dim.stride * dim.extent) {
      dims.back() = {dims.back().extent * dim.extent, dim.stride};
    } else {
      dims.push_back(dim);
    }
  }
  copy_dims(dims.data(), dims.size(), from + view.offset, to);
}

RingShare seen(MpcProtocol& protocol, const RingShare& x, const View& view) {
  if (view.whole(x.count)) return x;
  return protocol.map({&x}, element_count(view.shape),
                      [&](const std::uint64_t* const* in, std::uint64_t* out, bool) {
                        copy_view(view, in[0], out);
                      });
}

void pack_bits(const std::uint64_t* numbers, std::int64_t count, std::uint64_t* out) {
  std::fill_n(out, bit_words(count), std::uint64_t{0});
  for (std::int64_t i = 0; i < count; ++i) out[i / 64] |= numbers[i] << (i % 64);
}

BitShare seen(MpcProtocol& protocol, const BitShare& x, const View& view) {
  if (view.whole(x.count)) return x;
  const std::int64_t count = element_count(view.shape);
  return protocol.map_bits({&x}, count,
                           [&](const std::uint64_t* const* in, std::uint64_t* out, bool) {
                             std::vector<std::uint64_t> numbers(static_cast<std::size_t>(x.count));
                             std::vector<std::uint64_t> moved(static_cast<std::size_t>(count));
                             spread_bits(in[0], x.count, numbers.data());
                             copy_view(view, numbers.data(), moved.data());
                             pack_bits(moved.data(), count, out);
                           });
}

RingShare joined(MpcProtocol& protocol, const std::vector<const RingShare*>& parts) {
  std::int64_t count = 0;
  for (const RingShare* part : parts) count += part->count;
  return protocol.map(parts, count, [&](const std::uint64_t* const* in, std::uint64_t* out, bool) {
    for (std::size_t i = 0; i < parts.size(); ++i) out = std::copy_n(in[i], parts[i]->count, out);
  });
}

RingShare piece(const RingShare& x, std::int64_t begin, std::int64_t count) {
  const auto part = [&](const Slice& slice) {
    return slice.data == nullptr ? Slice(slice.owner, nullptr, count * 8)
                                 : slice.part(begin * 8, count * 8);
  };
  return {count, part(x.first), part(x.second)};
}

}  // namespace curia::mpc
