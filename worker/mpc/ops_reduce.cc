// sum, mean, variance, min, max, argmin, argmax.
#include <algorithm>
#include <numeric>

#include "worker/mpc/operands.h"

namespace curia::mpc {
namespace {

using Words = std::uint64_t;

// The operand as [outer, inner], with the axes that go last.
struct Rows {
  std::int64_t outer, inner;
  View view;
};

Rows rows_of(const MpcContext& ctx, const std::vector<std::int64_t>* axes) {
  const Shape& shape = shape_of(ctx, 0);
  std::vector<bool> gone(shape.size(), axes == nullptr);
  if (axes != nullptr) {
    for (const std::int64_t axis : *axes) {
      expect(axis >= 0 && axis < static_cast<std::int64_t>(shape.size()),
             "expected axes of the operand");
      gone[static_cast<std::size_t>(axis)] = true;
    }
  }
  Rows rows{1, 1, View::of(shape).with_last(gone)};
  for (std::size_t d = 0; d < shape.size(); ++d) (gone[d] ? rows.inner : rows.outer) *= shape[d];
  return rows;
}

Rows rows_of(const MpcContext& ctx) {
  return rows_of(ctx, has_attr(ctx, "axes") ? &ints_attr(ctx, "axes") : nullptr);
}

RingShare numbers(MpcContext& ctx) {
  return scale_of(ctx, 0).ring() ? ring_operand(ctx, 0) : ctx.protocol.to_ring(bit_operand(ctx, 0));
}

// Sums over the last axis of [outer, inner].
RingShare row_sums(MpcProtocol& p, const RingShare& x, std::int64_t outer, std::int64_t inner) {
  return p.map({&x}, outer, [&](const Words* const* in, Words* out, bool) {
    for (std::int64_t r = 0; r < outer; ++r) {
      const Words* row = in[0] + r * inner;
      out[r] = std::accumulate(row, row + inner, Words{0});
    }
  });
}

RingShare mean_of(MpcProtocol& p, const RingShare& sums, std::int64_t count) {
  expect(count > 0, "the mean of nothing is not defined");
  return count == 1 ? sums : p.divide(sums, count);
}

RingShare fixed_rows(MpcContext& ctx, const Rows& rows) {
  expect(scale_of(ctx, 0).kind == SecretKind::kFixed,
         "expected fixed-point numbers; cast them first");
  return seen(ctx.protocol, ring_operand(ctx, 0), rows.view);
}

std::vector<ValuePtr> sum(MpcContext& ctx) {
  const Rows rows = rows_of(ctx);
  MpcProtocol& p = ctx.protocol;
  return done(ctx, row_sums(p, seen(p, numbers(ctx), rows.view), rows.outer, rows.inner));
}

std::vector<ValuePtr> mean(MpcContext& ctx) {
  const Rows rows = rows_of(ctx);
  MpcProtocol& p = ctx.protocol;
  const RingShare x = fixed_rows(ctx, rows);
  return done(ctx, mean_of(p, row_sums(p, x, rows.outer, rows.inner), rows.inner));
}

// The mean of squared distances from the mean: sums of squares would lose what the mean holds, and
// pass the range of numbers first.
std::vector<ValuePtr> variance(MpcContext& ctx) {
  const Rows rows = rows_of(ctx);
  MpcProtocol& p = ctx.protocol;
  const RingShare x = fixed_rows(ctx, rows);
  const RingShare centre = mean_of(p, row_sums(p, x, rows.outer, rows.inner), rows.inner);
  const View repeated{{rows.outer, rows.inner}, {1, 0}, 0};
  const RingShare gap = subtract(p, x, seen(p, centre, repeated));
  const RingShare squares = p.multiply_shift(gap, gap, scale_of(ctx, 0).fraction_bits);
  return done(ctx, mean_of(p, row_sums(p, squares, rows.outer, rows.inner), rows.inner));
}

// Winners among neighbours, until one is left of each row. Earlier elements stay on the left, so
// the first of equals wins.
template <bool want_larger>
struct Tournament {
  MpcProtocol& p;
  std::int64_t outer, inner;

  RingShare every_other(const RingShare& x, std::int64_t first) const {
    return seen(p, x, View{{outer, inner / 2}, {inner, 2}, first});
  }
  RingShare rest(const RingShare& x) const {
    return seen(p, x, View{{outer, 1}, {inner, 1}, inner - 1});
  }
  // [outer, n] and [outer, 1] as [outer, n + 1].
  RingShare appended(const RingShare& x, const RingShare& last) const {
    const std::int64_t n = inner / 2;
    return p.map({&x, &last}, outer * (n + 1), [&](const Words* const* in, Words* out, bool) {
      for (std::int64_t r = 0; r < outer; ++r) {
        out = std::copy_n(in[0] + r * n, n, out);
        *out++ = in[1][r];
      }
    });
  }

  // `index` may be null.
  void play(RingShare& value, RingShare* index) {
    while (inner > 1) {
      const RingShare a = every_other(value, 0), b = every_other(value, 1);
      const RingShare take_b = p.to_ring(want_larger ? less(p, a, b) : less(p, b, a));
      RingShare winner, place;
      if (index == nullptr) {
        winner = choose(p, take_b, a, b);
      } else {
        const RingShare i = every_other(*index, 0), j = every_other(*index, 1);
        const RingShare both =
            choose(p, joined(p, {&take_b, &take_b}), joined(p, {&a, &i}), joined(p, {&b, &j}));
        winner = piece(both, 0, a.count);
        place = piece(both, a.count, a.count);
      }
      if (inner % 2 == 1) {
        winner = appended(winner, rest(value));
        if (index != nullptr) place = appended(place, rest(*index));
      }
      value = winner;
      if (index != nullptr) *index = place;
      inner = (inner + 1) / 2;
    }
  }
};

template <bool want_larger>
std::vector<ValuePtr> extremum(MpcContext& ctx) {
  const Rows rows = rows_of(ctx);
  expect(rows.inner > 0, "the extremum of nothing is not defined");
  RingShare x = seen(ctx.protocol, ring_operand(ctx, 0), rows.view);
  if (rows.outer > 0) {
    Tournament<want_larger>{ctx.protocol, rows.outer, rows.inner}.play(x, nullptr);
  }
  return done(ctx, rows.outer > 0 ? x : piece(x, 0, 0));
}

template <bool want_larger>
std::vector<ValuePtr> arg_extremum(MpcContext& ctx) {
  const std::vector<std::int64_t> axes = {int_attr(ctx, "axis")};
  const Rows rows = rows_of(ctx, &axes);
  expect(rows.inner > 0, "the extremum of nothing is not defined");
  MpcProtocol& p = ctx.protocol;
  RingShare x = seen(p, ring_operand(ctx, 0), rows.view);
  RingShare index = p.map({}, x.count, [&](const Words* const*, Words* out, bool is_constant) {
    for (std::int64_t i = 0; i < x.count; ++i) {
      out[i] = is_constant ? static_cast<Words>(i % rows.inner) : 0;
    }
  });
  if (rows.outer > 0) Tournament<want_larger>{p, rows.outer, rows.inner}.play(x, &index);
  return done(ctx, rows.outer > 0 ? index : piece(index, 0, 0));
}

constexpr MpcEntry kTable[] = {
    {"argmax", arg_extremum<true>, counted}, {"argmin", arg_extremum<false>, counted},
    {"max", extremum<true>, counted},        {"mean", mean, counted},
    {"min", extremum<false>, counted},       {"sum", sum, counted},
    {"variance", variance, counted},
};

}  // namespace
}  // namespace curia::mpc

namespace curia {
std::span<const MpcEntry> mpc_reduce() { return mpc::kTable; }
}  // namespace curia
