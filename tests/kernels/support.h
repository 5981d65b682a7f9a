// Scalar references for kernels: every element as a long double, whose 64 bits of precision hold
// all integers of 64 bits and every double exactly.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "worker/kernels/kernel.h"
#include "worker/kernels/map.h"

namespace curia::test {

using Real = long double;
using Attrs = std::map<std::string, Attr>;

inline constexpr DType kAllDTypes[] = {DType::kBool, DType::kI8,  DType::kI16, DType::kI32,
                                       DType::kI64,  DType::kU8,  DType::kU16, DType::kU32,
                                       DType::kU64,  DType::kF32, DType::kF64};
inline constexpr DType kInts[] = {DType::kI8, DType::kI16, DType::kI32, DType::kI64,
                                  DType::kU8, DType::kU16, DType::kU32, DType::kU64};
inline constexpr DType kFloats[] = {DType::kF32, DType::kF64};

inline const Real kNan = std::numeric_limits<Real>::quiet_NaN();
inline const Real kInfinity = std::numeric_limits<Real>::infinity();

// A pool shared by a test, so that threads take part whatever the machine.
inline ThreadPool& pool() {
  static ThreadPool threads(2);
  return threads;
}

inline std::vector<ValuePtr> run_all(const std::string& name, std::vector<Value> operands,
                                     Attrs attrs = {}, ThreadPool* threads = &pool()) {
  const Kernel* kernel = find_kernel(name);
  REQUIRE_MESSAGE(kernel != nullptr, name);
  Op op;
  op.name = name;
  op.attrs = std::move(attrs);
  std::vector<ValuePtr> values;
  for (Value& operand : operands) values.push_back(std::make_shared<const Value>(operand));
  return (*kernel)({.op = op, .operands = values, .pool = threads});
}

inline Tensor run(const std::string& name, std::vector<Value> operands, Attrs attrs = {},
                  ThreadPool* threads = &pool()) {
  return run_all(name, std::move(operands), std::move(attrs), threads).at(0)->tensor();
}

inline Table run_table(const std::string& name, std::vector<Value> operands, Attrs attrs = {}) {
  return run_all(name, std::move(operands), std::move(attrs)).at(0)->table();
}

inline Real at(const Tensor& tensor, std::int64_t i) {
  return with_dtype(tensor.dtype, [&](auto zero) {
    return static_cast<Real>(elements_of<decltype(zero)>(tensor)[i]);
  });
}

inline std::vector<Real> values(const Tensor& tensor) {
  std::vector<Real> all;
  for (std::int64_t i = 0; i < tensor.elements(); ++i) all.push_back(at(tensor, i));
  return all;
}

// REQUIRES: values the dtype can hold.
inline Tensor make(DType dtype, Shape shape, const std::vector<Real>& from) {
  Output out(dtype, std::move(shape));
  REQUIRE(out.elements == static_cast<std::int64_t>(from.size()));
  with_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (std::size_t i = 0; i < from.size(); ++i) out.as<T>()[i] = static_cast<T>(from[i]);
  });
  return std::move(out).finish();
}

inline Tensor vec(DType dtype, const std::vector<Real>& from) {
  return make(dtype, {static_cast<std::int64_t>(from.size())}, from);
}

inline Real lowest(DType dtype) {
  if (dtype == DType::kBool) return 0;
  return with_dtype(dtype, [](auto zero) {
    return static_cast<Real>(std::numeric_limits<decltype(zero)>::lowest());
  });
}

inline Real highest(DType dtype) {
  if (dtype == DType::kBool) return 1;
  return with_dtype(dtype, [](auto zero) {
    return static_cast<Real>(std::numeric_limits<decltype(zero)>::max());
  });
}

// Values at which kernels go wrong.
inline std::vector<Real> edges(DType dtype) {
  if (dtype == DType::kBool) return {0, 1};
  if (is_int(dtype)) {
    std::vector<Real> all = {
        lowest(dtype),      lowest(dtype) + 1, 0, 1, 2, 3, 7, 100, highest(dtype) / 2,
        highest(dtype) - 1, highest(dtype)};
    for (Real& value : all) value = std::floor(value);
    if (is_signed_int(dtype)) all.insert(all.end(), {-1, -2, -3, -100});
    return all;
  }
  const Real tiny = dtype == DType::kF32 ? Real{std::numeric_limits<float>::denorm_min()}
                                         : Real{std::numeric_limits<double>::denorm_min()};
  const Real least = dtype == DType::kF32 ? Real{std::numeric_limits<float>::min()}
                                          : Real{std::numeric_limits<double>::min()};
  return {0.0L,  -0.0L, 1,     -1,        0.5L,       -0.5L, 1.5L, 2.5L,           -2.5L,
          3,     -3.75, 1e10L, -1e10L,    1e30L,      kNan,  tiny, -tiny,          least,
          127.5, 128,   -129,  kInfinity, -kInfinity, 255,   256,  highest(dtype), lowest(dtype)};
}

// Edges first, then random values of all sizes.
inline Tensor sample(DType dtype, Shape shape, unsigned seed) {
  std::mt19937_64 random(seed);
  const std::vector<Real> special = edges(dtype);
  const std::int64_t count = element_count(shape);
  Output out(dtype, std::move(shape));
  with_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint64_t bits = random();
      if (bits % 4 == 0) {
        out.as<T>()[i] = static_cast<T>(special[(bits >> 8) % special.size()]);
      } else if (dtype == DType::kBool) {
        out.as<T>()[i] = static_cast<T>((bits >> 8) & 1);
      } else if (is_float(dtype)) {
        out.as<T>()[i] =
            static_cast<T>(std::normal_distribution<double>(0, bits % 3 == 0 ? 1000 : 1)(random));
      } else {
        out.as<T>()[i] = static_cast<T>(bits % 3 == 0 ? bits >> 8 : (bits >> 8) % 20);
      }
    }
  });
  return std::move(out).finish();
}

// Rounds a reference to what a tensor of the dtype holds.
inline Real stored(DType dtype, Real value) {
  if (dtype == DType::kF64) return static_cast<double>(value);
  return dtype == DType::kF32 ? Real{static_cast<float>(value)} : value;
}

__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

// Wraps, as the references of wrapping arithmetic must.
inline Int128 product(Int128 a, Int128 b) {
  return static_cast<Int128>(static_cast<UInt128>(a) * static_cast<UInt128>(b));
}
inline Int128 plus(Int128 a, Int128 b) {
  return static_cast<Int128>(static_cast<UInt128>(a) + static_cast<UInt128>(b));
}

inline Real wrapped(DType dtype, Int128 value) {
  const auto low = static_cast<std::uint64_t>(value);
  switch (dtype) {
    case DType::kI8:
      return static_cast<std::int8_t>(low);
    case DType::kI16:
      return static_cast<std::int16_t>(low);
    case DType::kI32:
      return static_cast<std::int32_t>(low);
    case DType::kI64:
      return static_cast<std::int64_t>(low);
    case DType::kU8:
      return static_cast<std::uint8_t>(low);
    case DType::kU16:
      return static_cast<std::uint16_t>(low);
    case DType::kU32:
      return static_cast<std::uint32_t>(low);
    default:
      return low;
  }
}

inline bool same(Real a, Real b) { return (std::isnan(a) && std::isnan(b)) || a == b; }

inline void check_equal(const Tensor& found, DType dtype, const Shape& shape,
                        const std::vector<Real>& wanted) {
  REQUIRE(found.dtype == dtype);
  REQUIRE(found.shape == shape);
  REQUIRE(found.elements() == static_cast<std::int64_t>(wanted.size()));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Real value = at(found, static_cast<std::int64_t>(i));
    if (same(value, wanted[i])) continue;
    FAIL_CHECK("element " << i << ": found " << value << ", wanted " << wanted[i]);
    return;
  }
}

inline void check_vec(const Tensor& found, DType dtype, const std::vector<Real>& wanted) {
  check_equal(found, dtype, {static_cast<std::int64_t>(wanted.size())}, wanted);
}

// Whether two tensors hold the same bytes.
inline bool identical(const Tensor& a, const Tensor& b) {
  return a.dtype == b.dtype && a.shape == b.shape && a.data.size == b.data.size &&
         std::equal(a.data.data, a.data.data + a.data.size, b.data.data);
}

// The element of `operand` that stands at place `i` of a result of shape `shape`.
inline std::int64_t broadcast_place(const Shape& operand, const Shape& shape, std::int64_t i) {
  std::int64_t place = 0, stride = 1;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    const std::size_t dim = shape.size() - 1 - k;
    const std::int64_t coordinate = i % shape[dim];
    i /= shape[dim];
    if (k >= operand.size()) continue;
    const std::int64_t extent = operand[operand.size() - 1 - k];
    if (extent != 1) place += coordinate * stride;
    stride *= extent;
  }
  return place;
}

}  // namespace curia::test
