// Sorting by key, shared by argsort and group_by.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace curia {

// An unsigned key that orders as the value does: -0 like 0, every NaN last.
template <class T>
std::uint64_t order_key(T value) {
  if constexpr (std::is_same_v<T, float>) {
    return order_key(static_cast<double>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    if (value != value) return UINT64_MAX;
    const std::uint64_t bits = std::bit_cast<std::uint64_t>(value + 0.0);  // -0 becomes 0
    constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
    return (bits & kSign) != 0 ? ~bits : bits | kSign;
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value)) ^ (std::uint64_t{1} << 63);
  } else {
    return value;
  }
}

struct Keyed {
  std::uint64_t key;
  std::int64_t index;
};

// Sorts by key; equal keys stay in their order. `spare` is working memory, kept between calls.
void sort_stable(std::vector<Keyed>& rows, std::vector<Keyed>& spare);

}  // namespace curia
