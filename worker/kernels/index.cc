// slice and gather.
//
// slice{starts, ends, steps}: one entry a dimension, numpy's rules for steps >= 1 (negative bounds
// count from the end, bounds are clamped). gather{axis}: indices are clamped to 0..n-1; from an
// axis of extent 0 come zeros.
#include <algorithm>
#include <cstring>

#include "worker/kernels/map.h"

namespace curia {
namespace {

struct Range {
  std::int64_t start, step, count;
};

Range resolve(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t extent) {
  if (step < 1) {
    throw Error(Code::kInvalid, "expected steps of at least 1, found " + std::to_string(step));
  }
  const auto bound = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + extent : at, 0, extent);
  };
  const std::int64_t first = bound(start);
  const std::int64_t length = std::max<std::int64_t>(bound(end) - first, 0);
  return {first, step, length / step + (length % step != 0 ? 1 : 0)};
}

// Copies the rows (innermost runs) of a slice.
template <class T>
void copy_rows(const KernelContext& ctx, const Tensor& x, const std::vector<Range>& ranges,
               Output& out) {
  const std::size_t last = ranges.size() - 1;
  const Range inner = ranges[last];
  std::vector<std::int64_t> strides(ranges.size(), 1);
  for (std::size_t i = last; i-- > 0;) strides[i] = strides[i + 1] * x.shape[i + 1];
  const std::int64_t rows = out.elements / inner.count;
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 15) / inner.count);
  ctx.for_chunks(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* from = elements_of<T>(x) + inner.start;
      std::int64_t rest = row;
      for (std::size_t i = last; i-- > 0;) {
        from += (ranges[i].start + rest % ranges[i].count * ranges[i].step) * strides[i];
        rest /= ranges[i].count;
      }
      T* to = out.as<T>() + row * inner.count;
      if (inner.step == 1) {
        std::copy_n(from, inner.count, to);
      } else {
        for (std::int64_t i = 0; i < inner.count; ++i) to[i] = from[i * inner.step];
      }
    }
  });
}

std::vector<ValuePtr> slice(const KernelContext& ctx) {
  const Tensor& x = ctx.tensor(0);
  const auto& starts = ctx.ints_attr("starts");
  const auto& ends = ctx.ints_attr("ends");
  const std::vector<std::int64_t> steps =
      ctx.has("steps") ? ctx.ints_attr("steps") : std::vector<std::int64_t>(x.shape.size(), 1);
  expect(starts.size() == x.shape.size() && ends.size() == x.shape.size() &&
             steps.size() == x.shape.size(),
         "expected one start, end and step a dimension");
  std::vector<Range> ranges;
  Shape shape;
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    ranges.push_back(resolve(starts[i], ends[i], steps[i], x.shape[i]));
    shape.push_back(ranges.back().count);
  }
  if (shape == x.shape) return one(x);
  // Rows of the first dimension in one piece share the memory, unless they would keep a much larger
  // buffer alive or lose its alignment.
  Shape rest = x.shape;
  rest[0] = shape[0];
  const std::int64_t row = x.shape[0] == 0 ? 0 : x.data.size / x.shape[0];
  if (rest == shape && ranges[0].step == 1 && ranges[0].start * row % kAlignment == 0 &&
      shape[0] * row >= x.data.size / 2) {
    return one(Tensor{x.dtype, shape, x.data.part(ranges[0].start * row, shape[0] * row)});
  }
  Output out(x.dtype, shape);
  if (out.elements != 0) {
    with_width(x.dtype, [&](auto zero) { copy_rows<decltype(zero)>(ctx, x, ranges, out); });
  }
  return one(std::move(out).finish());
}

template <class T>
void gather_elements(const T* from, const std::int64_t* index, std::int64_t extent, T* to,
                     std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) {
    to[i] = from[std::clamp<std::int64_t>(index[i], 0, extent - 1)];
  }
}

std::vector<ValuePtr> gather(const KernelContext& ctx) {
  const Tensor& x = ctx.tensor(0);
  const Tensor& indices = ctx.tensor(1);
  const auto axis = static_cast<std::size_t>(
      check_axis(ctx.int_attr_or("axis", 0), static_cast<std::int64_t>(x.shape.size())));
  if (indices.dtype != DType::kI64 || indices.shape.size() != 1) {
    throw Error(Code::kInvalid, "expected indices i64[k], found " + type_text(indices.type()));
  }
  const std::int64_t extent = x.shape[axis];
  const std::int64_t count = indices.shape[0];
  const auto* index = elements_of<std::int64_t>(indices);
  Shape shape = x.shape;
  shape[axis] = count;
  Output out(x.dtype, shape);
  if (extent == 0) {
    out.zero();
    return one(std::move(out).finish());
  }
  std::int64_t outer = 1;
  for (std::size_t i = 0; i < axis; ++i) outer *= shape[i];
  const std::int64_t inner = out.elements == 0 ? 0 : out.elements / outer / count;  // a run
  if (inner == 0) return one(std::move(out).finish());
  const std::int64_t run = inner * dtype_bytes(x.dtype);
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 15) / inner);
  ctx.for_chunks(outer * count, grain, [&](std::int64_t begin, std::int64_t end) {
    if (inner == 1 && outer == 1) {
      with_width(x.dtype, [&](auto zero) {
        using T = decltype(zero);
        gather_elements(elements_of<T>(x), index, extent, out.as<T>(), begin, end);
      });
      return;
    }
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t at = std::clamp<std::int64_t>(index[i % count], 0, extent - 1);
      std::memcpy(out.bytes() + i * run, x.data.data + (i / count * extent + at) * run,
                  static_cast<std::size_t>(run));
    }
  });
  return one(std::move(out).finish());
}

constexpr KernelEntry kTable[] = {{"slice", slice}, {"gather", gather}};

}  // namespace

std::span<const KernelEntry> index_kernels() { return kTable; }

}  // namespace curia
