// cast{dtype}: saturating. Floats to integers truncate toward zero, NaN becomes 0, what is out of
// range becomes the nearest end of it; integers likewise. To bool: whether it is not zero (NaN is
// not). To floats: nearest, so an f64 beyond f32's range becomes infinity.
#include "worker/kernels/cast.h"

#include <array>
#include <limits>
#include <type_traits>
#include <utility>

namespace curia {
namespace {

// 2^(bits of the type): the first value too large for it, exact in any float.
template <class To, class From>
constexpr From beyond() {
  return static_cast<From>(std::numeric_limits<To>::max() / 2 + 1) * From{2};
}

template <class To>
struct Saturate {
  template <class From>
  CURIA_INLINE To operator()(From x) const {
    if constexpr (std::is_floating_point_v<To> || std::is_same_v<To, From>) {
      return static_cast<To>(x);
    } else if constexpr (std::is_floating_point_v<From>) {
      // The comparisons are false for NaN, which ends as 0.
      constexpr From kLow = static_cast<From>(std::numeric_limits<To>::min());
      const bool fits = x >= kLow && x < beyond<To, From>();
      const To inside = static_cast<To>(fits ? x : From{0});
      const To low = x < kLow ? std::numeric_limits<To>::min() : inside;
      return x >= beyond<To, From>() ? std::numeric_limits<To>::max() : low;
    } else {
      if (std::cmp_less(x, std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
      if (std::cmp_greater(x, std::numeric_limits<To>::max())) {
        return std::numeric_limits<To>::max();
      }
      return static_cast<To>(x);
    }
  }
};

struct ToBool {
  template <class From>
  CURIA_INLINE std::uint8_t operator()(From x) const {
    return x != 0;
  }
};

std::vector<ValuePtr> cast_kernel(const KernelContext& ctx) {
  return one(cast(ctx, ctx.tensor(0), parse_dtype(ctx.string_attr("dtype"))));
}

constexpr KernelEntry kTable[] = {{"cast", cast_kernel}};

}  // namespace

Loop cast_loop(DType from, DType to) {
  return with_dtype(from, [&](auto a) -> Loop {
    using From = decltype(a);
    if (to == DType::kBool) return &unary_loop<ToBool, std::uint8_t, From>;
    return with_dtype(to, [](auto b) -> Loop {
      using To = decltype(b);
      if constexpr (std::is_floating_point_v<From> && !std::is_floating_point_v<To>) {
        return &wide_unary_loop<Saturate<To>, To, From>;  // AVX-512 has the conversions to 64 bits
      } else {
        return &unary_loop<Saturate<To>, To, From>;
      }
    });
  });
}

Tensor cast(const KernelContext& ctx, const Tensor& x, DType to) {
  if (x.dtype == to) return x;
  return map(ctx, {&x}, to, cast_loop(x.dtype, to));
}

std::span<const KernelEntry> cast_kernels() { return kTable; }

}  // namespace curia
