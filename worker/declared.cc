#include "worker/declared.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "protocol/error.h"
#include "worker/kernels/map.h"

namespace curia {
namespace {

// The bounds of a declared_range() as numbers of the dtype.
template <class T>
std::pair<T, T> bounds(const Interval& range) {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_floating_point_v<T>) {
    return {static_cast<T>(range.low), static_cast<T>(range.high)};
  } else {
    // The lowest of the dtype is a double; the highest may be one less than a double.
    const double low = std::ceil(range.low), high = std::floor(range.high);
    return {low <= static_cast<double>(Limits::lowest()) ? Limits::lowest() : static_cast<T>(low),
            high >= static_cast<double>(Limits::max()) ? Limits::max() : static_cast<T>(high)};
  }
}

// Whether a range was declared for it at all.
std::optional<Interval> range_of(const Ranges& ranges, const std::string& column, DType dtype) {
  if (dtype == DType::kString) return std::nullopt;
  if (!ranges.contains(column) && !ranges.contains("")) return std::nullopt;
  return declared_range(ranges, column, dtype);
}

template <class T>
bool all_within(const Tensor& tensor, const Interval& range) {
  const auto [low, high] = bounds<T>(range);
  const T* cells = elements_of<T>(tensor);
  return std::all_of(cells, cells + tensor.elements(), [low = low, high = high](T cell) {
    return cell >= low && cell <= high;  // not NaN
  });
}

bool within(const Tensor& tensor, const Interval& range) {
  return with_dtype(tensor.dtype,
                    [&](auto zero) { return all_within<decltype(zero)>(tensor, range); });
}

Tensor held(const Tensor& tensor, const Interval& range) {
  if (within(tensor, range)) return tensor;
  auto buffer = Buffer::allocate(tensor.data.size);
  with_dtype(tensor.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto [low, high] = bounds<T>(range);
    const T* cells = elements_of<T>(tensor);
    std::transform(cells, cells + tensor.elements(), reinterpret_cast<T*>(buffer->data()),
                   [low = low, high = high](T cell) {
                     if constexpr (std::is_floating_point_v<T>) {
                       if (std::isnan(cell)) cell = 0;
                     }
                     return std::clamp(cell, low, high);
                   });
  });
  return Tensor{tensor.dtype, tensor.shape, Slice(BufferPtr(std::move(buffer)))};
}

}  // namespace

void check_declared(const Value& value, const Ranges& ranges) {
  check_ranges(ranges, value.type());
  std::int64_t bytes = 0;
  for (const auto& [column, range] : ranges) bytes += std::ssize(column) + 20;
  if (bytes > kMaxRangesBytes) {
    throw Error(Code::kInvalid, "expected ranges of at most " + std::to_string(kMaxRangesBytes) +
                                    " bytes in all, found " + std::to_string(bytes) +
                                    "; declare one range for all columns");
  }
  check_cells("", value, ranges);
}

void check_cells(const std::string& who, const Value& value, const Ranges& ranges) {
  const auto check = [&](const std::string& column, const Tensor& tensor) {
    const std::optional<Interval> range = range_of(ranges, column, tensor.dtype);
    if (!range || within(tensor, *range)) return;
    throw Error(Code::kInvalid, (who.empty() ? "" : who + ": ") +
                                    (column.empty() ? "the tensor" : "column \"" + column + "\"") +
                                    " holds cells beyond its declared range " + range->str() +
                                    "; mend the data, or declare a wider range");
  };
  if (value.is_tensor()) return check("", value.tensor());
  for (const Column& column : value.table().columns) {
    if (const auto* tensor = std::get_if<Tensor>(&column.data)) check(column.name, *tensor);
  }
}

void check_claim(const std::string& who, const Type& type, const Ranges& known,
                 const Ranges& claimed) {
  const auto check = [&](const std::string& column, DType dtype) {
    const Interval claim = declared_range(claimed, column, dtype);
    const Interval own = declared_range(known, column, dtype);
    if (own.within(claim)) return;
    throw Error(Code::kInvalid, who + (column.empty() ? "" : ", column \"" + column + "\",") +
                                    " has " +
                                    (own.known() ? "the range " + own.str() : "no known range") +
                                    ", but the program takes " + claim.str() +
                                    " for granted; take what the owner declares");
  };
  if (type.is_secret()) return check("", DType::kF64);
  if (type.is_tensor()) return check("", type.tensor().dtype);
  for (const ColumnType& column : type.table().columns) {
    if (column.dtype != DType::kString) check(column.name, column.dtype);
  }
}

ValuePtr saturated(const ValuePtr& value, const Ranges& ranges) {
  if (ranges.empty() || value->is_error() || value->is_share()) return value;
  if (value->is_tensor()) {
    const std::optional<Interval> range = range_of(ranges, "", value->tensor().dtype);
    if (!range || within(value->tensor(), *range)) return value;
    return std::make_shared<const Value>(held(value->tensor(), *range));
  }
  Table table = value->table();
  bool moved = false;
  for (Column& column : table.columns) {
    auto* tensor = std::get_if<Tensor>(&column.data);
    if (tensor == nullptr) continue;
    const std::optional<Interval> range = range_of(ranges, column.name, tensor->dtype);
    if (!range || within(*tensor, *range)) continue;
    *tensor = held(*tensor, *range);
    moved = true;
  }
  return moved ? std::make_shared<const Value>(std::move(table)) : value;
}

}  // namespace curia
