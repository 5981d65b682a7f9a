// constant, iota, transpose, reshape, broadcast, concat. Where the order of elements stays, the
// result shares its operand's memory.
#include "worker/kernels/shape.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "worker/kernels/map.h"

namespace curia {
namespace {

struct Dim {
  std::int64_t extent;
  std::int64_t stride;  // in the operand, in elements
};

// The result's dimensions with those merged that also follow each other in the operand.
std::vector<Dim> merged_dims(const Shape& shape, const std::vector<std::int64_t>& perm) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  std::vector<Dim> dims;
  for (const std::int64_t axis : perm) {
    const auto i = static_cast<std::size_t>(axis);
    if (shape[i] == 1) continue;
    if (!dims.empty() && dims.back().stride == strides[i] * shape[i]) {
      dims.back() = {dims.back().extent * shape[i], strides[i]};
    } else {
      dims.push_back({shape[i], strides[i]});
    }
  }
  return dims;
}

// Tiles of a matrix transpose: a cache line of each side and a few.
constexpr std::int64_t kTile = 32;

// to[r * cols + c] = from[r + c * stride], for rows r in begin..end.
template <class T>
void transpose_plane(const T* from, std::int64_t stride, T* to, std::int64_t cols,
                     std::int64_t to_stride, std::int64_t begin, std::int64_t end) {
  for (std::int64_t r0 = begin; r0 < end; r0 += kTile) {
    const std::int64_t r1 = std::min(r0 + kTile, end);
    for (std::int64_t c0 = 0; c0 < cols; c0 += kTile) {
      const std::int64_t c1 = std::min(c0 + kTile, cols);
      for (std::int64_t r = r0; r < r1; ++r) {
        for (std::int64_t c = c0; c < c1; ++c) to[r * to_stride + c] = from[r + c * stride];
      }
    }
  }
}

// Copies rows of the result (all its dimensions but the last) from anywhere in the operand. Where
// the operand runs along an earlier dimension of the result, that dimension and the last are done
// as planes in tiles, since going along one of them alone would touch a cache line an element.
template <class T>
void permute(const KernelContext& ctx, const T* from, T* to, const std::vector<Dim>& dims) {
  const std::size_t last = dims.size() - 1;
  std::size_t along = last;  // the dimension the operand is contiguous in
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i].stride == 1) along = i;
  }
  std::vector<std::int64_t> to_stride(dims.size(), 1);
  for (std::size_t i = last; i-- > 0;) to_stride[i] = to_stride[i + 1] * dims[i + 1].extent;

  std::vector<std::size_t> outer;  // walked one by one
  for (std::size_t i = 0; i < last; ++i) {
    if (i != along) outer.push_back(i);
  }
  std::int64_t planes = 1;
  for (const std::size_t i : outer) planes *= dims[i].extent;
  const std::int64_t rows = along == last ? 1 : dims[along].extent;
  const std::int64_t cols = dims[last].extent;
  const std::int64_t bands = (rows + kTile - 1) / kTile;
  const std::int64_t band_work = std::min(rows, kTile) * cols;

  ctx.for_chunks(planes * bands, std::max<std::int64_t>(1, (1 << 15) / band_work),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     std::int64_t plane = i / bands;
                     const std::int64_t first = i % bands * kTile;
                     const T* source = from;
                     T* target = to;
                     for (std::size_t k = outer.size(); k-- > 0;) {
                       const std::int64_t at = plane % dims[outer[k]].extent;
                       plane /= dims[outer[k]].extent;
                       source += at * dims[outer[k]].stride;
                       target += at * to_stride[outer[k]];
                     }
                     if (along == last) {
                       std::copy_n(source, cols, target);
                     } else {
                       transpose_plane(source, dims[last].stride, target, cols, to_stride[along],
                                       first, std::min(first + kTile, rows));
                     }
                   }
                 });
}

std::vector<ValuePtr> constant(const KernelContext& ctx) { return one(ctx.tensor_attr("value")); }

std::vector<ValuePtr> iota(const KernelContext& ctx) {
  Output out(DType::kI64, {ctx.int_attr("count")});
  auto* to = out.as<std::int64_t>();
  ctx.for_chunks(out.elements, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = i;
  });
  return one(std::move(out).finish());
}

std::vector<ValuePtr> transpose_kernel(const KernelContext& ctx) {
  const Tensor& x = ctx.tensor(0);
  if (ctx.has("perm")) return one(transpose(ctx, x, ctx.ints_attr("perm")));
  std::vector<std::int64_t> perm(x.shape.size());
  std::iota(perm.rbegin(), perm.rend(), 0);
  return one(transpose(ctx, x, perm));
}

std::vector<ValuePtr> reshape(const KernelContext& ctx) {
  const Tensor& x = ctx.tensor(0);
  const Shape& shape = ctx.ints_attr("shape");
  if (std::count(shape.begin(), shape.end(), kUnknown) != 0 ||
      element_count(shape) != x.elements()) {
    throw Error(Code::kInvalid, "expected a shape of " + std::to_string(x.elements()) +
                                    " elements, found " + type_text(TensorType{x.dtype, shape}));
  }
  return one(Tensor{x.dtype, shape, x.data});
}

std::vector<ValuePtr> broadcast(const KernelContext& ctx) {
  return one(broadcast_to(ctx, ctx.tensor(0), ctx.ints_attr("shape")));
}

std::vector<ValuePtr> concat(const KernelContext& ctx) {
  const Tensor& first = ctx.tensor(0);
  const auto axis = static_cast<std::size_t>(
      check_axis(ctx.int_attr("axis"), static_cast<std::int64_t>(first.shape.size())));
  Shape shape = first.shape;
  shape[axis] = 0;
  for (std::size_t i = 0; i < ctx.operands.size(); ++i) {
    const Tensor& x = ctx.tensor(i);
    Shape rest = x.shape;
    if (rest.size() == shape.size()) rest[axis] = shape[axis];
    if (x.dtype != first.dtype || rest != shape) {
      throw Error(Code::kInvalid, "expected operands alike but for axis " + std::to_string(axis) +
                                      ", found " + type_text(first.type()) + " and " +
                                      type_text(x.type()));
    }
    shape[axis] += x.shape[axis];
  }
  if (ctx.operands.size() == 1) return one(first);
  Output out(first.dtype, shape);
  const std::int64_t width = dtype_bytes(out.dtype);
  std::int64_t outer = 1;
  for (std::size_t i = 0; i < axis; ++i) outer *= shape[i];
  const std::int64_t row = outer == 0 ? 0 : out.elements / outer * width;  // bytes
  std::vector<std::int64_t> piece, offset;
  std::int64_t at = 0;
  for (std::size_t i = 0; i < ctx.operands.size(); ++i) {
    piece.push_back(outer == 0 ? 0 : ctx.tensor(i).data.size / outer);
    offset.push_back(at);
    at += piece.back();
  }
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 19) / std::max<std::int64_t>(row, 1));
  ctx.for_chunks(outer, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      for (std::size_t i = 0; i < piece.size(); ++i) {
        if (piece[i] == 0) continue;
        std::memcpy(out.bytes() + r * row + offset[i], ctx.tensor(i).data.data + r * piece[i],
                    static_cast<std::size_t>(piece[i]));
      }
    }
  });
  return one(std::move(out).finish());
}

constexpr KernelEntry kTable[] = {
    {"constant", constant}, {"iota", iota},           {"transpose", transpose_kernel},
    {"reshape", reshape},   {"broadcast", broadcast}, {"concat", concat},
};

}  // namespace

Tensor transpose(const KernelContext& ctx, const Tensor& x, const std::vector<std::int64_t>& perm) {
  std::vector<std::int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    expect(sorted[i] == static_cast<std::int64_t>(i) && sorted.size() == x.shape.size(),
           "expected perm to name every dimension once, from 0");
  }
  expect(perm.size() == x.shape.size(), "expected perm to name every dimension once, from 0");
  Shape shape;
  for (const std::int64_t axis : perm) shape.push_back(x.shape[static_cast<std::size_t>(axis)]);
  if (x.elements() == 0) return {x.dtype, shape, x.data};
  const std::vector<Dim> dims = merged_dims(x.shape, perm);
  if (dims.size() <= 1) return {x.dtype, shape, x.data};
  Output out(x.dtype, shape);
  with_width(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    permute(ctx, elements_of<T>(x), out.as<T>(), dims);
  });
  return std::move(out).finish();
}

std::span<const KernelEntry> shape_kernels() { return kTable; }

}  // namespace curia
