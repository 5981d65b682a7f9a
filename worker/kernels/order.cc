// argmax argmin argsort along one axis.
//
// argmax and argmin give the first index of the extremum; the first NaN wins over everything, and
// an axis of extent 0 gives 0. argsort is stable in both directions, and NaN comes last in both.
#include "worker/kernels/order.h"

#include <algorithm>
#include <array>

#include "worker/kernels/map.h"

namespace curia {
namespace {

struct Layout {
  std::int64_t planes = 1, rows = 1, cols = 1;
};

Layout layout_of(const Shape& shape, std::size_t axis) {
  Layout layout;
  layout.rows = shape[axis];
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i != axis) (i < axis ? layout.planes : layout.cols) *= shape[i];
  }
  return layout;
}

std::size_t axis_of(const KernelContext& ctx) {
  const auto rank = static_cast<std::int64_t>(ctx.tensor(0).shape.size());
  return static_cast<std::size_t>(check_axis(ctx.int_attr("axis"), rank));
}

struct Greater {
  template <class T>
  CURIA_INLINE bool operator()(T a, T b) const {
    return a > b;
  }
};
struct Less {
  template <class T>
  CURIA_INLINE bool operator()(T a, T b) const {
    return a < b;
  }
};

// Whether x takes the place of `best`: it is better, or the first NaN.
template <class Better, class T>
CURIA_INLINE inline bool takes(T x, T best) {
  return Better()(x, best) || (x != x && best == best);
}

// One result a column, over rows of `cols` elements.
template <class Better, class T>
void find_best(const T* x, const Layout& at, std::int64_t* index, std::vector<T>& best) {
  std::fill_n(index, at.cols, 0);
  if (at.rows == 0) return;
  best.assign(x, x + at.cols);
  for (std::int64_t r = 1; r < at.rows; ++r) {
    const T* row = x + r * at.cols;
    for (std::int64_t c = 0; c < at.cols; ++c) {
      if (takes<Better>(row[c], best[static_cast<std::size_t>(c)])) {
        best[static_cast<std::size_t>(c)] = row[c];
        index[c] = r;
      }
    }
  }
}

template <class Better>
std::vector<ValuePtr> arg_extremum(const KernelContext& ctx) {
  const Tensor& x = ctx.tensor(0);
  const std::size_t axis = axis_of(ctx);
  const Layout at = layout_of(x.shape, axis);
  Shape shape = x.shape;
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  Output out(DType::kI64, shape);
  auto* index = out.as<std::int64_t>();
  const std::int64_t plane = std::max<std::int64_t>(1, at.rows * at.cols);
  with_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    ctx.for_chunks(out.elements == 0 ? 0 : at.planes, std::max<std::int64_t>(1, (1 << 15) / plane),
                   [&](std::int64_t begin, std::int64_t end) {
                     std::vector<T> best;
                     for (std::int64_t p = begin; p < end; ++p) {
                       find_best<Better>(elements_of<T>(x) + p * at.rows * at.cols, at,
                                         index + p * at.cols, best);
                     }
                   });
  });
  return one(std::move(out).finish());
}

std::vector<ValuePtr> argsort(const KernelContext& ctx) {
  const Tensor& x = ctx.tensor(0);
  const Layout at = layout_of(x.shape, axis_of(ctx));
  const bool descending = ctx.bool_attr_or("descending", false);
  Output out(DType::kI64, x.shape);
  auto* index = out.as<std::int64_t>();
  const std::int64_t lines = out.elements == 0 ? 0 : at.planes * at.cols;
  with_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* from = elements_of<T>(x);
    const std::int64_t grain =
        std::max<std::int64_t>(1, (1 << 13) / std::max<std::int64_t>(1, at.rows));
    ctx.for_chunks(lines, grain, [&](std::int64_t begin, std::int64_t end) {
      std::vector<Keyed> rows(static_cast<std::size_t>(at.rows)), spare;
      for (std::int64_t line = begin; line < end; ++line) {
        const std::int64_t base = line / at.cols * at.rows * at.cols + line % at.cols;
        for (std::int64_t r = 0; r < at.rows; ++r) {
          const T value = from[base + r * at.cols];
          const std::uint64_t key = order_key(value);
          rows[static_cast<std::size_t>(r)] = {descending && value == value ? ~key : key, r};
        }
        sort_stable(rows, spare);
        for (std::int64_t r = 0; r < at.rows; ++r) {
          index[base + r * at.cols] = rows[static_cast<std::size_t>(r)].index;
        }
      }
    });
  });
  return one(std::move(out).finish());
}

constexpr KernelEntry kTable[] = {
    {"argmax", arg_extremum<Greater>}, {"argmin", arg_extremum<Less>}, {"argsort", argsort}};

// One pass of a radix sort takes this many bits of the key.
constexpr int kDigit = 11;
constexpr std::size_t kBuckets = std::size_t{1} << kDigit;
constexpr int kPasses = (64 + kDigit - 1) / kDigit;
constexpr std::size_t kRadixFrom = 4096;  // below, counting buckets costs more than it saves

}  // namespace

void sort_stable(std::vector<Keyed>& rows, std::vector<Keyed>& spare) {
  if (rows.size() < kRadixFrom) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Keyed& a, const Keyed& b) { return a.key < b.key; });
    return;
  }
  spare.resize(rows.size());
  std::vector<std::array<std::size_t, kBuckets>> counts(kPasses);
  for (auto& pass : counts) pass.fill(0);
  for (const Keyed& row : rows) {
    for (int pass = 0; pass < kPasses; ++pass) {
      ++counts[static_cast<std::size_t>(pass)][(row.key >> (pass * kDigit)) % kBuckets];
    }
  }
  for (int pass = 0; pass < kPasses; ++pass) {
    auto& count = counts[static_cast<std::size_t>(pass)];
    const int shift = pass * kDigit;
    if (count[(rows[0].key >> shift) % kBuckets] == rows.size()) continue;  // all in one bucket
    std::size_t at = 0;
    for (std::size_t& bucket : count) {
      const std::size_t size = bucket;
      bucket = at;
      at += size;
    }
    for (const Keyed& row : rows) spare[count[(row.key >> shift) % kBuckets]++] = row;
    rows.swap(spare);
  }
}

std::span<const KernelEntry> order_kernels() { return kTable; }

}  // namespace curia
