// sum mean min max over any axes.
//
// Float sums are compensated (reduce.h) and added in an order that depends on the shape only.
// Integer sums wrap in 64 bits. An empty sum is 0, an empty mean NaN, an empty min or max the
// largest or smallest value of the dtype. min and max are NaN where any element is.
#include "worker/kernels/reduce.h"

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

#include "worker/kernels/map.h"
#include "worker/kernels/shape.h"

namespace curia {
namespace {

// The operand as [planes, rows, cols]: rows are reduced, cols lie next to each other in memory.
struct Layout {
  std::int64_t planes = 1, rows = 1, cols = 1;
};

// Accumulators. T: element, S: state of one result, kept in arrays so that loops over columns
// vectorise: `a` and, where used, `b`.
template <class T>
struct FloatSum {
  using State = double;
  static constexpr bool kTwo = true;
  static constexpr State kInit = 0;
  CURIA_INLINE static void add(State& a, State& b, T x) {
    const double value = static_cast<double>(x);
    const double next = a + value;
    const double part = next - a;
    b += (a - (next - part)) + (value - part);
    a = next;
  }
  CURIA_INLINE static void merge(State& a, State& b, State x, State y) {
    FloatSum<double>::add(a, b, x);
    b += y;
  }
};

template <class T>
struct IntSum {
  using State = std::uint64_t;
  static constexpr bool kTwo = false;
  static constexpr State kInit = 0;
  CURIA_INLINE static void add(State& a, State&, T x) { a += static_cast<State>(x); }
  CURIA_INLINE static void merge(State& a, State&, State x, State) { a += x; }
};

template <class T>
struct Min {
  using State = T;
  static constexpr bool kTwo = false;
  static constexpr State kInit = std::numeric_limits<T>::has_infinity
                                     ? std::numeric_limits<T>::infinity()
                                     : std::numeric_limits<T>::max();
  CURIA_INLINE static void add(State& a, State&, T x) { a = a < x || a != a ? a : x; }
  CURIA_INLINE static void merge(State& a, State& b, State x, State) { add(a, b, x); }
};

template <class T>
struct Max {
  using State = T;
  static constexpr bool kTwo = false;
  static constexpr State kInit = std::numeric_limits<T>::has_infinity
                                     ? -std::numeric_limits<T>::infinity()
                                     : std::numeric_limits<T>::lowest();
  CURIA_INLINE static void add(State& a, State&, T x) { a = a > x || a != a ? a : x; }
  CURIA_INLINE static void merge(State& a, State& b, State x, State) { add(a, b, x); }
};

// Adds `rows` rows of `cols` elements into states a[cols], b[cols].
template <class Acc, class T>
void add_rows(const T* x, std::int64_t rows, std::int64_t cols, typename Acc::State* a_out,
              typename Acc::State* b_out) {
  auto* __restrict a = a_out;
  auto* __restrict b = b_out;
  with_wide_simd([=]() CURIA_INLINE {
    for (std::int64_t r = 0; r < rows; ++r) {
      const T* row = x + r * cols;
      for (std::int64_t c = 0; c < cols; ++c) Acc::add(a[c], b[Acc::kTwo ? c : 0], row[c]);
    }
  });
}

// Likewise for exactly kLanes columns, whose states stay in registers.
constexpr std::int64_t kLanes = 32;

template <class Acc, class T>
void add_lanes(const T* x, std::int64_t rows, typename Acc::State* a_out,
               typename Acc::State* b_out) {
  with_wide_simd([=]() CURIA_INLINE {
    std::array<typename Acc::State, kLanes> a, b{};
    for (std::size_t c = 0; c < kLanes; ++c) {
      a[c] = a_out[c];
      if (Acc::kTwo) b[c] = b_out[c];
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < kLanes; ++c)
        Acc::add(a[c], b[c], x[r * kLanes + static_cast<std::int64_t>(c)]);
    }
    for (std::size_t c = 0; c < kLanes; ++c) {
      a_out[c] = a[c];
      if (Acc::kTwo) b_out[c] = b[c];
    }
  });
}

// Reduces [rows, cols] into states a[cols], b[cols]. Few columns are taken several rows at a time,
// as lanes of their own that are merged at the end.
template <class Acc, class T>
void reduce_plane(const T* x, std::int64_t rows, std::int64_t cols, typename Acc::State* a,
                  typename Acc::State* b) {
  using State = typename Acc::State;
  const std::int64_t group = cols >= kLanes ? 1 : kLanes / cols;  // rows taken at a time
  const std::int64_t groups = rows / group;
  if (group == 1 || groups < 2) {
    add_rows<Acc>(x, rows, cols, a, b);
    return;
  }
  const std::int64_t width = group * cols;
  std::array<State, kLanes> lane_a, lane_b{};
  lane_a.fill(Acc::kInit);
  if (width == kLanes) {
    add_lanes<Acc>(x, groups, lane_a.data(), lane_b.data());
  } else {
    add_rows<Acc>(x, groups, width, lane_a.data(), lane_b.data());
  }
  for (std::int64_t i = 0; i < width; ++i) {
    const auto lane = static_cast<std::size_t>(i);
    Acc::merge(a[i % cols], b[Acc::kTwo ? i % cols : 0], lane_a[lane], lane_b[lane]);
  }
  add_rows<Acc>(x + groups * width, rows - groups * group, cols, a, b);
}

// Elements one piece of a long reduction has, and how many pieces at most. From the shape only.
constexpr std::int64_t kPiece = 1 << 16;
constexpr std::int64_t kMaxPieces = 256;

// Calls store(i, a, b) for every result i.
template <class Acc, class T, class Store>
void reduce(const KernelContext& ctx, const T* x, const Layout& layout, const Store& store) {
  using State = typename Acc::State;
  const auto [planes, rows, cols] = layout;
  const std::int64_t plane = rows * cols;
  const std::int64_t pieces =
      std::clamp<std::int64_t>(std::min(plane / kPiece, rows), 1, kMaxPieces);
  const std::int64_t depth = (rows + pieces - 1) / pieces;  // rows a piece
  const std::int64_t batch = std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(plane, 1));
  const std::int64_t seconds = Acc::kTwo ? cols : 1;
  if (pieces == 1) {
    ctx.for_chunks(planes, batch, [&](std::int64_t begin, std::int64_t end) {
      std::vector<State> a(static_cast<std::size_t>(cols)), b(static_cast<std::size_t>(seconds));
      for (std::int64_t p = begin; p < end; ++p) {
        std::fill(a.begin(), a.end(), Acc::kInit);
        std::fill(b.begin(), b.end(), State{0});
        reduce_plane<Acc>(x + p * plane, rows, cols, a.data(), b.data());
        for (std::int64_t c = 0; c < cols; ++c) {
          store(p * cols + c, a[static_cast<std::size_t>(c)],
                b[static_cast<std::size_t>(Acc::kTwo ? c : 0)]);
        }
      }
    });
    return;
  }
  const auto slots = static_cast<std::size_t>(pieces * cols);
  for (std::int64_t p = 0; p < planes; ++p) {
    std::vector<State> a(slots, Acc::kInit), b(slots, State{0});
    ctx.for_chunks(pieces, 1, [&](std::int64_t i, std::int64_t) {
      const std::int64_t first = std::min(i * depth, rows);
      reduce_plane<Acc>(x + p * plane + first * cols, std::min(depth, rows - first), cols,
                        a.data() + i * cols, b.data() + i * cols);
    });
    for (std::int64_t c = 0; c < cols; ++c) {
      State total_a = Acc::kInit, total_b = 0;
      for (std::int64_t i = 0; i < pieces; ++i) {
        const auto slot = static_cast<std::size_t>(i * cols + c);
        Acc::merge(total_a, total_b, a[slot], b[slot]);
      }
      store(p * cols + c, total_a, total_b);
    }
  }
}

// The operand with its reduced axes next to each other.
struct Plan {
  Tensor x;
  Layout layout;
  Shape shape;         // of the result
  std::int64_t count;  // elements reduced into each
};

Plan plan(const KernelContext& ctx) {
  const Tensor& x = ctx.tensor(0);
  const auto rank = static_cast<std::int64_t>(x.shape.size());
  std::vector<bool> reduced(x.shape.size(), !ctx.has("axes"));
  if (ctx.has("axes")) {
    for (const std::int64_t axis : ctx.ints_attr("axes")) {
      reduced[static_cast<std::size_t>(check_axis(axis, rank))] = true;
    }
  }
  const bool keep = ctx.bool_attr_or("keep_dims", false);
  Plan plan{x, {}, {}, 1};
  // Runs of axes: kept, reduced, kept is what the loops take; anything else is transposed to kept,
  // reduced.
  int runs = 0;
  bool in_reduced = false;
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    const std::int64_t extent = x.shape[i];
    if (reduced[i]) {
      plan.count *= extent;
      if (keep) plan.shape.push_back(1);
      runs += in_reduced ? 0 : 1;
      plan.layout.rows *= extent;
    } else {
      plan.shape.push_back(extent);
      (runs == 0 ? plan.layout.planes : plan.layout.cols) *= extent;
    }
    in_reduced = reduced[i];
  }
  if (runs > 1) {
    std::vector<std::int64_t> perm;
    for (const bool want : {false, true}) {
      for (std::int64_t i = 0; i < rank; ++i) {
        if (reduced[static_cast<std::size_t>(i)] == want) perm.push_back(i);
      }
    }
    plan.x = transpose(ctx, x, perm);
    plan.layout = {plan.layout.planes * plan.layout.cols, plan.layout.rows, 1};
  }
  return plan;
}

template <class R, class Acc, class T, class Finish>
std::vector<ValuePtr> run(const KernelContext& ctx, const Plan& plan, DType dtype,
                          const Finish& finish) {
  Output out(dtype, plan.shape);
  R* to = out.as<R>();
  if (out.elements != 0) {
    reduce<Acc>(ctx, elements_of<T>(plan.x), plan.layout,
                [&](std::int64_t i, auto a, auto b) { to[i] = static_cast<R>(finish(a, b)); });
  }
  return one(std::move(out).finish());
}

double total(double plain, double lost) { return Sum{plain, lost}.total(); }

std::vector<ValuePtr> sum(const KernelContext& ctx) {
  const Plan p = plan(ctx);
  const DType dtype = sum_dtype(p.x.dtype);
  return with_dtype(p.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      return run<T, FloatSum<T>, T>(ctx, p, dtype, total);
    } else {
      return run<std::uint64_t, IntSum<T>, T>(ctx, p, dtype, [](auto a, auto) { return a; });
    }
  });
}

// Integers are averaged as doubles, so that a sum beyond 64 bits does not wrap.
std::vector<ValuePtr> mean(const KernelContext& ctx) {
  const Plan p = plan(ctx);
  const DType dtype = is_float(p.x.dtype) ? p.x.dtype : DType::kF64;
  const double count = static_cast<double>(p.count);
  return with_dtype(p.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    using R = std::conditional_t<std::is_same_v<T, float>, float, double>;
    return run<R, FloatSum<T>, T>(ctx, p, dtype,
                                  [&](double a, double b) { return total(a, b) / count; });
  });
}

template <template <class> class Acc>
std::vector<ValuePtr> extremum(const KernelContext& ctx) {
  const Plan p = plan(ctx);
  if (p.x.dtype == DType::kBool) {
    // A byte's limits are not a bool's.
    return run<std::uint8_t, Acc<std::uint8_t>, std::uint8_t>(ctx, p, p.x.dtype,
                                                              [](auto a, auto) { return a != 0; });
  }
  return with_dtype(p.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    return run<T, Acc<T>, T>(ctx, p, p.x.dtype, [](auto a, auto) { return a; });
  });
}

constexpr KernelEntry kTable[] = {
    {"sum", sum}, {"mean", mean}, {"min", extremum<Min>}, {"max", extremum<Max>}};

}  // namespace

std::span<const KernelEntry> reduce_kernels() { return kTable; }

}  // namespace curia
