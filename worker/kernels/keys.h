// Rows of a table: taking some of them, and numbering them by their key columns.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "worker/kernels/kernel.h"

namespace curia {

// Rows a join may give: its index alone takes 16 bytes a row.
inline constexpr std::int64_t kMaxJoinRows = std::int64_t{1} << 31;

// Rows `index[i]` of the column, in that order. REQUIRES: every index is a row.
Column take(const KernelContext& ctx, const Column& column, std::span<const std::int64_t> index);
Table take(const KernelContext& ctx, const Table& table, std::span<const std::int64_t> index);

// Key columns of a table. Keys are bools, integers and strings. Errors: kInvalid for floats, for
// none at all, and for a column that is not there.
std::vector<const Column*> key_columns(const Table& table, const std::vector<std::string>& names);

// Numbers the distinct keys of rows in the order they first appear.
class KeyIndex {
 public:
  // REQUIRES: the columns outlive the index.
  explicit KeyIndex(std::vector<const Column*> columns);

  std::int64_t groups() const { return static_cast<std::int64_t>(first_.size()); }
  // The number of each row's key.
  std::span<const std::int64_t> group_of_row() const { return group_; }
  // The first row of each number.
  std::span<const std::int64_t> first_row() const { return first_; }

  // The number of the key in row `row` of other columns of the same dtypes; -1: not among these.
  // `hashes`: hash_rows() of those columns.
  std::int64_t find(const std::vector<const Column*>& columns, std::int64_t row,
                    std::uint64_t hash) const;
  std::vector<std::uint64_t> hash_rows(const std::vector<const Column*>& columns) const;

 private:
  std::size_t slot_of(std::uint64_t hash) const { return hash >> shift_; }

  struct Slot {
    std::uint64_t hash;
    std::int64_t group;  // -1: empty
  };

  std::vector<const Column*> columns_;
  // Random, so that nobody can send keys that all collide. The results do not depend on it.
  std::uint64_t seed_;
  int shift_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::int64_t> group_;
  std::vector<std::int64_t> first_;
};

// Whether row i of columns a is less than row j of columns b, strings by their bytes.
// REQUIRES: the same dtypes.
bool key_less(const std::vector<const Column*>& a, std::int64_t i,
              const std::vector<const Column*>& b, std::int64_t j);

}  // namespace curia
