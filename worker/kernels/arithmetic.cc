// add sub mul div mod pow minimum maximum.
//
// Integers wrap in two's complement. Integer division truncates toward zero and mod is its
// remainder, as in C; x / 0 = 0 and x mod 0 = 0; the one quotient that does not fit wraps. Floats
// follow IEEE 754; mod is fmod. minimum and maximum return NaN where either operand is NaN.
#include <cmath>
#include <limits>
#include <type_traits>

#include "worker/kernels/map.h"

namespace curia {
namespace {

// Unsigned arithmetic wraps; narrower types would be promoted to int, whose product can overflow.
template <class T>
using Wrap = std::conditional_t<(sizeof(T) < 8), std::uint32_t, std::uint64_t>;

struct Add {
  template <class T>
  CURIA_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return a + b;
    else
      return static_cast<T>(static_cast<Wrap<T>>(a) + static_cast<Wrap<T>>(b));
  }
};

struct Sub {
  template <class T>
  CURIA_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return a - b;
    else
      return static_cast<T>(static_cast<Wrap<T>>(a) - static_cast<Wrap<T>>(b));
  }
};

struct Mul {
  template <class T>
  CURIA_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return a * b;
    else
      return static_cast<T>(static_cast<Wrap<T>>(a) * static_cast<Wrap<T>>(b));
  }
};

template <class T>
CURIA_INLINE inline bool quotient_wraps(T a, T b) {
  return std::is_signed_v<T> && b == static_cast<T>(-1) && a == std::numeric_limits<T>::min();
}

struct Div {
  template <class T>
  CURIA_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a / b;
    } else {
      if (b == 0) return 0;
      return quotient_wraps(a, b) ? a : static_cast<T>(a / b);
    }
  }
};

struct Mod {
  template <class T>
  CURIA_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fmod(a, b);
    } else {
      if (b == 0 || quotient_wraps(a, b)) return 0;
      return static_cast<T>(a % b);
    }
  }
};

struct Pow {
  template <class T>
  CURIA_INLINE T operator()(T a, T b) const {
    return std::pow(a, b);
  }
};

struct Minimum {
  template <class T>
  CURIA_INLINE T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};

struct Maximum {
  template <class T>
  CURIA_INLINE T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};

void check_pair(const KernelContext& ctx) {
  const Tensor& a = ctx.tensor(0);
  const Tensor& b = ctx.tensor(1);
  if (a.dtype != b.dtype) {
    throw Error(Code::kInvalid, "expected two operands of one dtype, found " + type_text(a.type()) +
                                    " and " + type_text(b.type()));
  }
}

// What one element costs beside an addition, roughly; 0 dtypes: floats only.
template <class F, bool floats_only = false, bool bools = false, int cost = 1>
std::vector<ValuePtr> arithmetic(const KernelContext& ctx) {
  check_pair(ctx);
  const DType dtype = ctx.tensor(0).dtype;
  const bool known =
      floats_only ? is_float(dtype) : is_number(dtype) || (bools && dtype == DType::kBool);
  if (!known) {
    throw Error(Code::kInvalid, std::string("expected ") + (floats_only ? "floats" : "numbers") +
                                    ", found " + std::string(dtype_name(dtype)));
  }
  const Loop loop = with_dtype(dtype, [](auto zero) -> Loop {
    using T = decltype(zero);
    if constexpr (floats_only && !std::is_floating_point_v<T>)
      return nullptr;
    else
      return &binary_loop<F, T, T>;
  });
  return one(map(ctx, {&ctx.tensor(0), &ctx.tensor(1)}, dtype, loop, cost));
}

constexpr KernelEntry kTable[] = {
    {"add", arithmetic<Add>},
    {"sub", arithmetic<Sub>},
    {"mul", arithmetic<Mul>},
    {"div", arithmetic<Div, false, false, 4>},
    {"mod", arithmetic<Mod, false, false, 8>},
    {"pow", arithmetic<Pow, true, false, 16>},
    {"minimum", arithmetic<Minimum, false, true>},
    {"maximum", arithmetic<Maximum, false, true>},
};

}  // namespace

std::span<const KernelEntry> arithmetic_kernels() { return kTable; }

}  // namespace curia
