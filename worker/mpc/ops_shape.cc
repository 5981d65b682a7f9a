// broadcast, concat, gather, reshape, slice, transpose: elements change places, nothing is sent.
#include <algorithm>
#include <numeric>

#include "worker/mpc/bit_planes.h"
#include "worker/mpc/operands.h"

namespace curia::mpc {
namespace {

using Words = std::uint64_t;

std::vector<ValuePtr> look(MpcContext& ctx, const View& view) {
  if (scale_of(ctx, 0).ring()) return done(ctx, seen(ctx.protocol, ring_operand(ctx, 0), view));
  return done(ctx, seen(ctx.protocol, bit_operand(ctx, 0), view));
}

std::vector<ValuePtr> broadcast(MpcContext& ctx) {
  return look(ctx, View::of(shape_of(ctx, 0)).broadcast(result_shape(ctx)));
}

std::vector<ValuePtr> reshape(MpcContext& ctx) {
  expect(count_of(ctx, 0) == element_count(result_shape(ctx)),
         "expected a shape of as many elements");
  return look(ctx, View::of(result_shape(ctx)));
}

std::vector<ValuePtr> transpose(MpcContext& ctx) {
  const Shape& shape = shape_of(ctx, 0);
  std::vector<std::int64_t> perm(shape.size());
  std::iota(perm.rbegin(), perm.rend(), 0);
  if (has_attr(ctx, "perm")) perm = ints_attr(ctx, "perm");
  return look(ctx, View::of(shape).permuted(perm));
}

std::vector<ValuePtr> slice(MpcContext& ctx) {
  const Shape& shape = shape_of(ctx, 0);
  const auto &starts = ints_attr(ctx, "starts"), &ends = ints_attr(ctx, "ends");
  const std::vector<std::int64_t> ones(shape.size(), 1);
  const auto& steps = has_attr(ctx, "steps") ? ints_attr(ctx, "steps") : ones;
  expect(
      starts.size() == shape.size() && ends.size() == shape.size() && steps.size() == shape.size(),
      "expected a start, an end and a step for each dimension");
  View view = View::of(shape);
  for (std::size_t d = 0; d < shape.size(); ++d) {
    expect(steps[d] >= 1, "expected steps of at least 1");
    const auto bound = [extent = shape[d]](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + extent : at, 0, extent);
    };
    const std::int64_t start = bound(starts[d]);
    const std::int64_t length = std::max<std::int64_t>(bound(ends[d]) - start, 0);
    view.shape[d] = length == 0 ? 0 : (length - 1) / steps[d] + 1;
    view.offset += start * view.strides[d];
    view.strides[d] *= steps[d];
  }
  return look(ctx, view);
}

struct Axis {
  std::int64_t outer, inner;  // elements before and behind
};

Axis axis_of(const Shape& shape, std::int64_t axis) {
  expect(axis >= 0 && axis < static_cast<std::int64_t>(shape.size()),
         "expected an axis of the operand");
  const auto at = shape.begin() + axis;
  const auto product = [](auto begin, auto end) {
    return std::accumulate(begin, end, std::int64_t{1}, std::multiplies<>());
  };
  return {product(shape.begin(), at), product(at + 1, shape.end())};
}

// Runs f on numbers, or on bits as numbers 0 and 1.
template <class F>
std::vector<ValuePtr> moved(MpcContext& ctx, const std::vector<Shape>& shapes, Scale scale, F f) {
  const std::int64_t count = element_count(result_shape(ctx));
  MpcProtocol& p = ctx.protocol;
  if (scale.ring()) {
    std::vector<RingShare> shares;
    std::vector<const RingShare*> in;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      shares.push_back(ring_operand(ctx, i, scale, shapes[i]));
    }
    for (const RingShare& share : shares) in.push_back(&share);
    return done(
        ctx, p.map(in, count, [&](const Words* const* from, Words* out, bool) { f(from, out); }));
  }
  std::vector<BitShare> shares;
  std::vector<const BitShare*> in;
  for (std::size_t i = 0; i < shapes.size(); ++i) shares.push_back(bit_operand(ctx, i, shapes[i]));
  for (const BitShare& share : shares) in.push_back(&share);
  return done(ctx, p.map_bits(in, count, [&](const Words* const* from, Words* out, bool) {
    std::vector<std::vector<Words>> numbers;
    std::vector<const Words*> pointers;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      numbers.emplace_back(static_cast<std::size_t>(shares[i].count));
      spread_bits(from[i], shares[i].count, numbers.back().data());
    }
    for (const auto& operand : numbers) pointers.push_back(operand.data());
    std::vector<Words> result(static_cast<std::size_t>(count));
    f(pointers.data(), result.data());
    pack_bits(result.data(), count, out);
  }));
}

std::vector<ValuePtr> concat(MpcContext& ctx) {
  const std::int64_t axis = int_attr(ctx, "axis");
  std::vector<Shape> shapes;
  std::vector<std::int64_t> rows;  // elements of each operand between two steps of the outer axes
  for (std::size_t i = 0; i < ctx.operand_types.size(); ++i) {
    shapes.push_back(shape_of(ctx, i));
    rows.push_back(axis_of(shapes[i], axis).inner * shapes[i][static_cast<std::size_t>(axis)]);
  }
  const std::int64_t outer = axis_of(result_shape(ctx), axis).outer;
  return moved(ctx, shapes, common_scale(ctx), [&](const Words* const* in, Words* out) {
    for (std::int64_t r = 0; r < outer; ++r) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        out = std::copy_n(in[i] + r * rows[i], rows[i], out);
      }
    }
  });
}

std::vector<ValuePtr> gather(MpcContext& ctx) {
  const std::int64_t axis = int_attr(ctx, "axis");
  const Shape& shape = shape_of(ctx, 0);
  const Axis around = axis_of(shape, axis);
  const std::int64_t extent = shape[static_cast<std::size_t>(axis)];
  expect(!is_secret(ctx, 1) && ctx.operand_types[1].tensor().dtype == DType::kI64,
         "expected public indices, i64[k]");
  const std::int64_t count = count_of(ctx, 1);
  expect(extent > 0 || count == 0, "nothing can be gathered from an empty axis");
  return moved(ctx, {shape}, scale_of(ctx, 0), [&](const Words* const* in, Words* out) {
    const auto indices = ctx.operands[1]->tensor().as<std::int64_t>();
    for (std::int64_t r = 0; r < around.outer; ++r) {
      for (const std::int64_t index : indices) {
        const std::int64_t at = std::clamp<std::int64_t>(index, 0, extent - 1);
        out = std::copy_n(in[0] + (r * extent + at) * around.inner, around.inner, out);
      }
    }
  });
}

constexpr MpcEntry kTable[] = {
    {"broadcast", broadcast, counted}, {"concat", concat, counted},
    {"gather", gather, counted},       {"reshape", reshape, counted},
    {"slice", slice, counted},         {"transpose", transpose, counted},
};

}  // namespace
}  // namespace curia::mpc

namespace curia {
std::span<const MpcEntry> mpc_shape() { return mpc::kTable; }
}  // namespace curia
