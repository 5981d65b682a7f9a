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

// Adds `rows` rows of `cols` elements, `stride` apart, into states a[cols], b[cols].
template <class Acc, class T>
void add_rows(const T* x, std::int64_t rows, std::int64_t cols, std::int64_t stride,
              typename Acc::State* a, typename Acc::State* b) {
  using State = typename Acc::State;
  with_wide_simd(
      [](const T* from, std::int64_t n, std::int64_t width, std::int64_t step, State* __restrict s,
         State* __restrict t) CURIA_INLINE {
        for (std::int64_t r = 0; r < n; ++r, from += step) {
          for (std::int64_t c = 0; c < width; ++c) Acc::add(s[c], t[Acc::kTwo ? c : 0], from[c]);
        }
      },
      x, rows, cols, stride, a, b);
}

// Likewise for exactly kLanes columns without gaps, whose states stay in registers.
constexpr std::int64_t kLanes = 32;

template <class Acc, class T>
void add_lanes(const T* x, std::int64_t rows, typename Acc::State* a, typename Acc::State* b) {
  using State = typename Acc::State;
  with_wide_simd(
      [](const T* from, std::int64_t n, State* a_out, State* b_out) CURIA_INLINE {
        std::array<State, kLanes> s, t{};
        for (std::size_t c = 0; c < kLanes; ++c) {
          s[c] = a_out[c];
          if (Acc::kTwo) t[c] = b_out[c];
        }
        for (std::int64_t r = 0; r < n; ++r, from += kLanes) {
          for (std::size_t c = 0; c < kLanes; ++c) Acc::add(s[c], t[c], from[c]);
        }
        for (std::size_t c = 0; c < kLanes; ++c) {
          a_out[c] = s[c];
          if (Acc::kTwo) b_out[c] = t[c];
        }
      },
      x, rows, a, b);
}

// Few columns are taken several rows at a time, as lanes of their own that are merged at the end.
template <class Acc, class T>
void add_narrow(const T* x, std::int64_t rows, std::int64_t cols, typename Acc::State* a,
                typename Acc::State* b) {
  using State = typename Acc::State;
  const std::int64_t group = kLanes / cols;  // rows taken at a time
  const std::int64_t groups = rows / group;
  const std::int64_t width = group * cols;
  std::array<State, kLanes> lane_a, lane_b{};
  lane_a.fill(Acc::kInit);
  if (width == kLanes) {
    add_lanes<Acc>(x, groups, lane_a.data(), lane_b.data());
  } else {
    add_rows<Acc>(x, groups, width, width, lane_a.data(), lane_b.data());
  }
  for (std::int64_t i = 0; i < width; ++i) {
    const auto lane = static_cast<std::size_t>(i);
    Acc::merge(a[i % cols], b[Acc::kTwo ? i % cols : 0], lane_a[lane], lane_b[lane]);
  }
  add_rows<Acc>(x + groups * width, rows - groups * group, cols, cols, a, b);
}

// States of some results.
template <class Acc>
struct States {
  using State = typename Acc::State;

  explicit States(std::int64_t count)
      : a(static_cast<std::size_t>(count)), b(static_cast<std::size_t>(Acc::kTwo ? count : 1)) {
    clear();
  }
  void clear() {
    std::fill(a.begin(), a.end(), Acc::kInit);
    std::fill(b.begin(), b.end(), State{0});
  }
  State* first(std::int64_t i) { return a.data() + i; }
  State* second(std::int64_t i) { return b.data() + (Acc::kTwo ? i : 0); }

  std::vector<State> a, b;
};

// How the work is cut. From the shape only, since it decides the order of adding.
constexpr std::int64_t kPiece = 1 << 16;    // elements worth a chunk of their own
constexpr std::int64_t kMaxPieces = 256;    // of one column
constexpr std::int64_t kColumns = 2048;     // columns at a time; their states stay in the cache
constexpr std::int64_t kShortRow = 256;     // lines below are turned into columns
constexpr std::int64_t kScratch = 1 << 13;  // elements turned at a time

// Many short lines that lie one behind the other: some of them at a time are turned into columns.
template <class Acc, class T, class Store>
void reduce_short(const KernelContext& ctx, const T* x, std::int64_t lines, std::int64_t length,
                  const Store& store) {
  const std::int64_t batch = kScratch / std::max<std::int64_t>(length, 1);
  const std::int64_t grain =
      (kPiece / std::max<std::int64_t>(length, 1) + batch - 1) / batch * batch;
  ctx.for_chunks(lines, grain, [&](std::int64_t begin, std::int64_t end) {
    // A line more than `batch` elements apart, so that columns do not share cache sets.
    const std::int64_t stride = batch + kAlignment / static_cast<std::int64_t>(sizeof(T));
    std::vector<T> turned(static_cast<std::size_t>(stride * length));
    States<Acc> states(batch);
    for (std::int64_t line = begin; line < end; line += batch) {
      const std::int64_t n = std::min(batch, end - line);
      const T* from = x + line * length;
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t k = 0; k < length; ++k) {
          turned[static_cast<std::size_t>(k * stride + i)] = from[i * length + k];
        }
      }
      states.clear();
      add_rows<Acc>(turned.data(), length, n, stride, states.first(0), states.second(0));
      for (std::int64_t i = 0; i < n; ++i) store(line + i, *states.first(i), *states.second(i));
    }
  });
}

// Calls store(i, a, b) for every result i.
template <class Acc, class T, class Store>
void reduce(const KernelContext& ctx, const T* x, const Layout& layout, const Store& store) {
  const auto [planes, rows, cols] = layout;
  if (cols == 1 && rows <= kShortRow && planes > 1) {
    return reduce_short<Acc>(ctx, x, planes, rows, store);
  }
  const std::int64_t strips = (cols + kColumns - 1) / kColumns;
  const std::int64_t strip = std::min(cols, kColumns);
  const std::int64_t pieces =
      std::clamp<std::int64_t>(std::min(rows * strip / kPiece, rows / 8), 1, kMaxPieces);
  const std::int64_t depth = (rows + pieces - 1) / pieces;  // rows a piece
  // One job: a piece of the rows of a strip of the columns of a plane.
  const auto job = [&](std::int64_t p, std::int64_t s, std::int64_t i, auto* a, auto* b) {
    const std::int64_t row = std::min(i * depth, rows);
    const std::int64_t count = std::min(depth, rows - row);
    const std::int64_t width = std::min(kColumns, cols - s * kColumns);
    const T* from = x + (p * rows + row) * cols + s * kColumns;
    if (cols < kLanes && count >= 2 * (kLanes / cols)) {
      add_narrow<Acc>(from, count, cols, a, b);
    } else {
      add_rows<Acc>(from, count, width, cols, a, b);
    }
    return width;
  };
  if (pieces == 1) {
    const std::int64_t work = std::max<std::int64_t>(1, rows * strip);
    ctx.for_chunks(planes * strips, std::max<std::int64_t>(1, kPiece / work),
                   [&](std::int64_t begin, std::int64_t end) {
                     States<Acc> states(strip);
                     for (std::int64_t at = begin; at < end; ++at) {
                       const std::int64_t p = at / strips, s = at % strips;
                       states.clear();
                       const std::int64_t width = job(p, s, 0, states.first(0), states.second(0));
                       for (std::int64_t c = 0; c < width; ++c) {
                         store(p * cols + s * kColumns + c, *states.first(c), *states.second(c));
                       }
                     }
                   });
    return;
  }
  for (std::int64_t p = 0; p < planes; ++p) {
    States<Acc> parts(pieces * cols);
    ctx.for_chunks(pieces * strips, 1, [&](std::int64_t at, std::int64_t) {
      const std::int64_t i = at / strips, s = at % strips;
      const std::int64_t slot = i * cols + s * kColumns;
      job(p, s, i, parts.first(slot), parts.second(slot));
    });
    for (std::int64_t c = 0; c < cols; ++c) {
      typename Acc::State a = Acc::kInit, b = 0;
      for (std::int64_t i = 0; i < pieces; ++i) {
        Acc::merge(a, b, *parts.first(i * cols + c), *parts.second(i * cols + c));
      }
      store(p * cols + c, a, b);
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
