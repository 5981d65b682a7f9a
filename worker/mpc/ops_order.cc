// sort and shuffle of rows.
#include <numeric>

#include "worker/mpc/operands.h"

namespace curia::mpc {
namespace {

using Words = std::uint64_t;

struct Matrix {
  std::int64_t rows, width;
};

Matrix matrix_of(const MpcContext& ctx) {
  const Shape& shape = shape_of(ctx, 0);
  expect(!shape.empty(), "expected rows, found a single number");
  return {shape[0],
          std::accumulate(shape.begin() + 1, shape.end(), std::int64_t{1}, std::multiplies<>())};
}

std::vector<ValuePtr> shuffle(MpcContext& ctx) {
  const Matrix matrix = matrix_of(ctx);
  const RingShare x = ring_operand(ctx, 0);
  return done(ctx, x.count == 0 ? x : ctx.protocol.shuffle(x, matrix.width));
}

// One step of the network: rows `low` are compared with rows low + distance.
struct Step {
  std::int64_t distance;
  std::vector<std::int64_t> low;
};

// Batcher's merge exchange for any number of rows (Batcher 1968; Knuth, The Art of Computer
// Programming, vol. 3, 5.2.2, algorithm M).
std::vector<Step> merge_exchange(std::int64_t rows) {
  std::vector<Step> steps;
  std::int64_t top = 1;
  while (top * 2 < rows) top *= 2;
  if (rows < 2) return steps;
  for (std::int64_t p = top; p > 0; p /= 2) {
    std::int64_t r = 0, d = p;
    for (std::int64_t q = top;; q /= 2) {
      Step step{d, {}};
      for (std::int64_t i = 0; i < rows - d; ++i) {
        if ((i & p) == r) step.low.push_back(i);
      }
      if (!step.low.empty()) steps.push_back(std::move(step));
      if (q == p) break;
      d = q - p;
      r = p;
    }
  }
  return steps;
}

RingShare rows_at(MpcProtocol& p, const RingShare& x, std::int64_t width, const Step& step,
                  std::int64_t add) {
  return p.map({&x}, static_cast<std::int64_t>(step.low.size()) * width,
               [&](const Words* const* in, Words* out, bool) {
                 for (const std::int64_t row : step.low) {
                   out = std::copy_n(in[0] + (row + add) * width, width, out);
                 }
               });
}

std::vector<ValuePtr> sort(MpcContext& ctx) {
  const Matrix matrix = matrix_of(ctx);
  const std::int64_t width = matrix.width, key = int_attr_or(ctx, "key", 0);
  const bool descending = bool_attr_or(ctx, "descending", false);
  expect(shape_of(ctx, 0).size() <= 2, "expected [n] or [n, w] to sort");
  expect(matrix.rows == 0 || (key >= 0 && key < width), "expected a key column of the operand");
  MpcProtocol& p = ctx.protocol;
  RingShare x = ring_operand(ctx, 0);
  for (const Step& step : merge_exchange(matrix.rows)) {
    const auto pairs = static_cast<std::int64_t>(step.low.size());
    const RingShare a = rows_at(p, x, width, step, 0);
    const RingShare b = rows_at(p, x, width, step, step.distance);
    const View column{{pairs}, {width}, key};
    const RingShare first = seen(p, a, column), second = seen(p, b, column);
    const RingShare swap = p.to_ring(descending ? less(p, first, second) : less(p, second, first));
    const RingShare swaps = seen(p, swap, View{{pairs, width}, {1, 0}, 0});
    const RingShare move = p.multiply(swaps, subtract(p, b, a));
    x = p.map({&x, &move}, x.count, [&](const Words* const* in, Words* out, bool) {
      std::copy_n(in[0], x.count, out);
      const Words* change = in[1];
      for (const std::int64_t row : step.low) {
        Words *one = out + row * width, *two = one + step.distance * width;
        for (std::int64_t i = 0; i < width; ++i, ++change) {
          one[i] += *change;
          two[i] -= *change;
        }
      }
    });
  }
  return done(ctx, x);
}

constexpr MpcEntry kTable[] = {{"shuffle", shuffle, counted}, {"sort", sort, counted}};

}  // namespace
}  // namespace curia::mpc

namespace curia {
std::span<const MpcEntry> mpc_order() { return mpc::kTable; }
}  // namespace curia
