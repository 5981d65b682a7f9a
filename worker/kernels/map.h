// Elementwise ops: numpy broadcasting, chunks, cache and threads in one place, so that an op is
// only a loop over contiguous memory.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "protocol/simd.h"
#include "worker/kernels/kernel.h"

namespace curia {

// out[i] = f(in[0][i], in[1][i], ...) for i < n. Memory of the operands' and the result's types,
// bools as std::uint8_t; nothing overlaps. One loop serves every shape.
using Loop = void (*)(const std::uint8_t* const* in, std::uint8_t* out, std::int64_t n);

inline constexpr std::size_t kMaxMapOperands = 3;

// Runs `loop` over the operands broadcast against each other. `cost`: what one element costs, in
// additions; it decides how small a piece is worth another thread.
// Errors: kInvalid when the shapes do not broadcast.
Tensor map(const KernelContext& ctx, std::initializer_list<const Tensor*> operands, DType result,
           Loop loop, std::int64_t cost = 1);

// numpy's rule. Errors: kInvalid.
Shape broadcast_shapes(const Shape& a, const Shape& b);

// `x` repeated to `shape`. Errors: kInvalid when it does not broadcast to it.
Tensor broadcast_to(const KernelContext& ctx, const Tensor& x, const Shape& shape);

// Loops for map(): F is a stateless functor, inlined.
template <class F, class R, class A>
void unary_loop(const std::uint8_t* const* in, std::uint8_t* out, std::int64_t n) {
  with_simd(
      [](const A* a, R* __restrict r, std::int64_t count) CURIA_INLINE {
        for (std::int64_t i = 0; i < count; ++i) r[i] = F()(a[i]);
      },
      reinterpret_cast<const A*>(in[0]), reinterpret_cast<R*>(out), n);
}

template <class F, class R, class A>
void wide_unary_loop(const std::uint8_t* const* in, std::uint8_t* out, std::int64_t n) {
  with_wide_simd(
      [](const A* a, R* __restrict r, std::int64_t count) CURIA_INLINE {
        for (std::int64_t i = 0; i < count; ++i) r[i] = F()(a[i]);
      },
      reinterpret_cast<const A*>(in[0]), reinterpret_cast<R*>(out), n);
}

template <class F, class R, class A>
void binary_loop(const std::uint8_t* const* in, std::uint8_t* out, std::int64_t n) {
  with_simd(
      [](const A* a, const A* b, R* __restrict r, std::int64_t count) CURIA_INLINE {
        for (std::int64_t i = 0; i < count; ++i) r[i] = F()(a[i], b[i]);
      },
      reinterpret_cast<const A*>(in[0]), reinterpret_cast<const A*>(in[1]),
      reinterpret_cast<R*>(out), n);
}

// Calls f with a value of the dtype's element type: with_dtype(d, [&](auto zero) { ... }). Bool
// comes as std::uint8_t. Errors: kInvalid for strings.
template <class F>
decltype(auto) with_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kBool:
    case DType::kU8:
      return f(std::uint8_t{});
    case DType::kI8:
      return f(std::int8_t{});
    case DType::kI16:
      return f(std::int16_t{});
    case DType::kI32:
      return f(std::int32_t{});
    case DType::kI64:
      return f(std::int64_t{});
    case DType::kU16:
      return f(std::uint16_t{});
    case DType::kU32:
      return f(std::uint32_t{});
    case DType::kU64:
      return f(std::uint64_t{});
    case DType::kF32:
      return f(float{});
    case DType::kF64:
      return f(double{});
    case DType::kString:
      break;
  }
  throw Error(Code::kInvalid, "expected numbers, found strings");
}

// Likewise by size: an unsigned integer of the element's width, for ops that only move elements.
template <class F>
decltype(auto) with_width(DType dtype, F&& f) {
  switch (dtype_bytes(dtype)) {
    case 1:
      return f(std::uint8_t{});
    case 2:
      return f(std::uint16_t{});
    case 4:
      return f(std::uint32_t{});
    case 8:
      return f(std::uint64_t{});
    default:
      throw Error(Code::kInvalid, "expected numbers, found strings");
  }
}

}  // namespace curia
