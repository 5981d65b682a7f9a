// neg abs floor ceil round sqrt exp log sigmoid tanh.
//
// neg and abs of integers wrap (the smallest one stays what it is). round goes to the nearest
// integer, halves to the even one. f32 is computed in f64 and rounded once.
#include <cmath>
#include <type_traits>

#include "worker/kernels/map.h"
#include "worker/kernels/math.h"

namespace curia {
namespace {

struct Neg {
  template <class T>
  CURIA_INLINE T operator()(T a) const {
    if constexpr (std::is_floating_point_v<T>)
      return -a;
    else
      return static_cast<T>(std::uint64_t{0} - static_cast<std::uint64_t>(a));
  }
};

struct Abs {
  template <class T>
  CURIA_INLINE T operator()(T a) const {
    if constexpr (std::is_floating_point_v<T>)
      return std::fabs(a);
    else
      return a < 0 ? Neg()(a) : a;
  }
};

struct Floor {
  template <class T>
  CURIA_INLINE T operator()(T a) const {
    return std::floor(a);
  }
};
struct Ceil {
  template <class T>
  CURIA_INLINE T operator()(T a) const {
    return std::ceil(a);
  }
};
struct Round {  // the rounding mode is never changed: to nearest, halves to even
  template <class T>
  CURIA_INLINE T operator()(T a) const {
    return std::nearbyint(a);
  }
};
struct Sqrt {
  template <class T>
  CURIA_INLINE T operator()(T a) const {
    return std::sqrt(a);
  }
};
struct Exp {
  template <class T>
  CURIA_INLINE T operator()(T a) const {
    return static_cast<T>(math::exp(static_cast<double>(a)));
  }
};
struct Log {
  template <class T>
  CURIA_INLINE T operator()(T a) const {
    return static_cast<T>(math::log(static_cast<double>(a)));
  }
};
struct Sigmoid {
  template <class T>
  CURIA_INLINE T operator()(T a) const {
    return static_cast<T>(math::sigmoid(static_cast<double>(a)));
  }
};
struct Tanh {
  template <class T>
  CURIA_INLINE T operator()(T a) const {
    return static_cast<T>(math::tanh(static_cast<double>(a)));
  }
};

template <class F>
std::vector<ValuePtr> any_number(const KernelContext& ctx) {
  const Tensor& a = ctx.tensor(0);
  if (!is_number(a.dtype)) {
    throw Error(Code::kInvalid, "expected numbers, found " + std::string(dtype_name(a.dtype)));
  }
  const Loop loop = with_dtype(
      a.dtype, [](auto zero) -> Loop { return &unary_loop<F, decltype(zero), decltype(zero)>; });
  return one(map(ctx, {&a}, a.dtype, loop));
}

template <class F, int cost, bool ints_as_they_are = false>
std::vector<ValuePtr> floats(const KernelContext& ctx) {
  const Tensor& a = ctx.tensor(0);
  if (ints_as_they_are && is_int(a.dtype)) return one(a);
  if (a.dtype == DType::kF64) {
    return one(map(ctx, {&a}, a.dtype, &wide_unary_loop<F, double, double>, cost));
  }
  if (a.dtype == DType::kF32) {
    return one(map(ctx, {&a}, a.dtype, &wide_unary_loop<F, float, float>, cost));
  }
  throw Error(Code::kInvalid, "expected floats, found " + std::string(dtype_name(a.dtype)));
}

constexpr KernelEntry kTable[] = {
    {"neg", any_number<Neg>},          {"abs", any_number<Abs>},
    {"floor", floats<Floor, 1, true>}, {"ceil", floats<Ceil, 1, true>},
    {"round", floats<Round, 1, true>}, {"sqrt", floats<Sqrt, 4>},
    {"exp", floats<Exp, 4>},           {"log", floats<Log, 8>},
    {"sigmoid", floats<Sigmoid, 8>},   {"tanh", floats<Tanh, 8>},
};

}  // namespace

std::span<const KernelEntry> unary_kernels() { return kTable; }

}  // namespace curia
