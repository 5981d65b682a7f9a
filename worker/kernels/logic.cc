// eq ne lt le gt ge, and or xor not, select.
//
// Comparisons of floats follow IEEE 754: with NaN only `ne` holds. and, or, xor work on bools or
// bit by bit on integers; `not` on bools is logical.
#include <type_traits>

#include "worker/kernels/map.h"

namespace curia {
namespace {

struct Eq {
  template <class T>
  CURIA_INLINE std::uint8_t operator()(T a, T b) const {
    return a == b;
  }
};
struct Ne {
  template <class T>
  CURIA_INLINE std::uint8_t operator()(T a, T b) const {
    return a != b;
  }
};
struct Lt {
  template <class T>
  CURIA_INLINE std::uint8_t operator()(T a, T b) const {
    return a < b;
  }
};
struct Le {
  template <class T>
  CURIA_INLINE std::uint8_t operator()(T a, T b) const {
    return a <= b;
  }
};
struct Gt {
  template <class T>
  CURIA_INLINE std::uint8_t operator()(T a, T b) const {
    return a > b;
  }
};
struct Ge {
  template <class T>
  CURIA_INLINE std::uint8_t operator()(T a, T b) const {
    return a >= b;
  }
};
struct And {
  template <class T>
  CURIA_INLINE T operator()(T a, T b) const {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <class T>
  CURIA_INLINE T operator()(T a, T b) const {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <class T>
  CURIA_INLINE T operator()(T a, T b) const {
    return static_cast<T>(a ^ b);
  }
};
struct BitNot {
  template <class T>
  CURIA_INLINE T operator()(T a) const {
    return static_cast<T>(~a);
  }
};
struct BoolNot {
  CURIA_INLINE std::uint8_t operator()(std::uint8_t a) const { return a == 0; }
};

DType common_dtype(const Tensor& a, const Tensor& b) {
  if (a.dtype != b.dtype) {
    throw Error(Code::kInvalid, "expected two operands of one dtype, found " + type_text(a.type()) +
                                    " and " + type_text(b.type()));
  }
  return a.dtype;
}

void check_bits(DType dtype) {
  if (dtype != DType::kBool && !is_int(dtype)) {
    throw Error(Code::kInvalid,
                "expected bools or integers, found " + std::string(dtype_name(dtype)));
  }
}

template <class F>
std::vector<ValuePtr> compare(const KernelContext& ctx) {
  const Tensor& a = ctx.tensor(0);
  const Tensor& b = ctx.tensor(1);
  const Loop loop = with_dtype(common_dtype(a, b), [](auto zero) -> Loop {
    return &binary_loop<F, std::uint8_t, decltype(zero)>;
  });
  return one(map(ctx, {&a, &b}, DType::kBool, loop));
}

// Bits do not care about the sign: one loop a width.
template <class F>
std::vector<ValuePtr> bits(const KernelContext& ctx) {
  const Tensor& a = ctx.tensor(0);
  const Tensor& b = ctx.tensor(1);
  const DType dtype = common_dtype(a, b);
  check_bits(dtype);
  const Loop loop = with_width(
      dtype, [](auto zero) -> Loop { return &binary_loop<F, decltype(zero), decltype(zero)>; });
  return one(map(ctx, {&a, &b}, dtype, loop));
}

std::vector<ValuePtr> logical_not(const KernelContext& ctx) {
  const Tensor& a = ctx.tensor(0);
  check_bits(a.dtype);
  if (a.dtype == DType::kBool) {
    return one(map(ctx, {&a}, a.dtype, &unary_loop<BoolNot, std::uint8_t, std::uint8_t>));
  }
  const Loop loop = with_width(a.dtype, [](auto zero) -> Loop {
    return &unary_loop<BitNot, decltype(zero), decltype(zero)>;
  });
  return one(map(ctx, {&a}, a.dtype, loop));
}

template <class T>
void select_loop(const std::uint8_t* const* in, std::uint8_t* out, std::int64_t n) {
  with_simd(
      [](const std::uint8_t* cond, const T* a, const T* b, T* __restrict r, std::int64_t count)
          CURIA_INLINE {
            for (std::int64_t i = 0; i < count; ++i) {
              const T yes = a[i];
              const T no = b[i];
              r[i] = cond[i] != 0 ? yes : no;
            }
          },
      in[0], reinterpret_cast<const T*>(in[1]), reinterpret_cast<const T*>(in[2]),
      reinterpret_cast<T*>(out), n);
}

std::vector<ValuePtr> select(const KernelContext& ctx) {
  const Tensor& cond = ctx.tensor(0);
  const Tensor& a = ctx.tensor(1);
  const Tensor& b = ctx.tensor(2);
  const DType dtype = common_dtype(a, b);
  if (cond.dtype != DType::kBool) {
    throw Error(Code::kInvalid, "expected a bool condition, found " + type_text(cond.type()));
  }
  const Loop loop =
      with_width(dtype, [](auto zero) -> Loop { return &select_loop<decltype(zero)>; });
  return one(map(ctx, {&cond, &a, &b}, dtype, loop));
}

constexpr KernelEntry kTable[] = {
    {"eq", compare<Eq>}, {"ne", compare<Ne>},  {"lt", compare<Lt>}, {"le", compare<Le>},
    {"gt", compare<Gt>}, {"ge", compare<Ge>},  {"and", bits<And>},  {"or", bits<Or>},
    {"xor", bits<Xor>},  {"not", logical_not}, {"select", select},
};

}  // namespace

std::span<const KernelEntry> logic_kernels() { return kTable; }

}  // namespace curia
