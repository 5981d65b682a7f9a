// What each op makes of the ranges of its operands: one row an op, apart for plain values and for
// secrets. To add an op, add a row in the range_*.cc of its family.
// Thread: immutable after start, any.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/interval.h"
#include "protocol/op_table.h"
#include "protocol/range.h"

namespace curia::ranges {

// One op, its operands and what is known of them. The op has been verified.
class Context {
 public:
  Context(const Op& this_op, const TypedRegion& around, const TypedOp& typed,
          std::span<const ValueRange> values, const Interval& loop_index, bool says_unknown = true)
      : op(this_op),
        index(loop_index),
        wants_unknowns(says_unknown),
        around_(around),
        typed_(typed),
        values_(values) {}

  const Op& op;
  const Interval& index;      // of the innermost `for`
  const bool wants_unknowns;  // else texts of unknown ranges are not worth making

  std::size_t operands() const { return op.operands.size(); }
  const Type& type(std::size_t i) const { return around_.types[op.operands[i]]; }
  const Type& result(std::size_t i = 0) const { return around_.types[typed_.first_result + i]; }
  const ValueRange& value(std::size_t i) const { return values_[op.operands[i]]; }
  const Interval& in(std::size_t i) const { return value(i).all; }  // of a tensor or secret
  const Shape& shape(std::size_t i) const {
    return type(i).is_secret() ? type(i).secret().shape : type(i).tensor().shape;
  }

  bool has(std::string_view key) const { return op.attrs.contains(std::string(key)); }
  template <class T>
  const T& attr(std::string_view key) const {
    return std::get<T>(op.attrs.at(std::string(key)));
  }

  // What a rule has to say, without the op and its line.
  void refuse(std::string text) { refusals.push_back(std::move(text)); }
  // What would fail when it runs: nobody can accept that.
  void refuse_always(std::string text) { impossible.push_back(std::move(text)); }
  void say_unknown(std::string text) { unknowns.push_back(std::move(text)); }
  bool quiet() const { return refusals.empty() && impossible.empty() && unknowns.empty(); }
  std::vector<std::string> refusals;
  std::vector<std::string> impossible;
  std::vector<std::string> unknowns;

 private:
  const TypedRegion& around_;
  const TypedOp& typed_;
  std::span<const ValueRange> values_;
};

using Rule = std::vector<ValueRange> (*)(Context&);

struct Row {
  std::string_view name;
  Rule rule;
};

// nullptr for control ops, which range.cc follows itself. `secret`: what the op does on secrets.
Rule find_rule(std::string_view op, bool secret);

// Of plain values: tensors, and what has to do with tables. Of secrets.
std::span<const Row> plain_rows();
std::span<const Row> table_rows();
std::span<const Row> secret_rows();

// Whether a sum of `count` cells of x may leave the numbers of a float dtype on its way.
inline bool sum_may_overflow(DType dtype, const Interval& x, double count) {
  const double most = dtype == DType::kF32 ? 0x1p127 : 0x1p1023;
  return !(x.size() <= most / std::max(count, 1.0));
}

inline std::vector<ValueRange> one(const Interval& range) { return {ValueRange{range, nullptr}}; }

// What the type tells, and what is declared of such a value.
ValueRange of_type(const Type& type, const Ranges& declared = {});

// What a cast between plain dtypes makes of it.
Interval cast_range(const Interval& x, DType to);

// How many elements one element of the result is reduced from; kUnknown for `?`.
std::int64_t reduced_count(const Context& ctx);
// How many products each element of a matmul's result sums; kUnknown for `?`.
std::int64_t inner_extent(const Context& ctx);

}  // namespace curia::ranges
