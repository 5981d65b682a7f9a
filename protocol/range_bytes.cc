#include "protocol/range_bytes.h"

#include <algorithm>

namespace curia {
namespace {

// The fewest bytes of one column's range, and of the ranges of an input.
constexpr std::int64_t kMinRange = 17;
constexpr std::int64_t kMinInput = 2 + kMinRange;

}  // namespace

void write_ranges(ByteWriter& out, const Ranges& ranges) {
  if (ranges.empty()) throw Error(Code::kInvalid, "a range without bounds; leave it out");
  out.varint(ranges.size());
  for (const auto& [column, range] : ranges) {
    out.text(column);
    out.f64(range.low);
    out.f64(range.high);
  }
}

Ranges read_ranges(ByteReader& in) {
  Ranges ranges;
  std::int64_t left = in.count(kMinRange, kMaxColumns + 1, "ranges");
  if (left == 0) in.fail("expected at least one range");
  for (; left > 0; --left) {
    std::string column = in.text(kMaxNameBytes, "a column name");
    if (!ranges.empty() && column <= ranges.rbegin()->first) {
      in.fail("expected columns in ascending order, none twice");
    }
    const double low = in.f64();
    ranges.emplace_hint(ranges.end(), std::move(column), Interval{low, in.f64()});
  }
  return ranges;
}

void write_input_ranges(ByteWriter& out, const std::vector<GraphInput>& inputs) {
  const auto count =
      std::ranges::count_if(inputs, [](const GraphInput& input) { return !input.ranges.empty(); });
  if (count == 0) return;
  out.varint(static_cast<std::uint64_t>(count));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].ranges.empty()) continue;
    out.varint(i);
    write_ranges(out, inputs[i].ranges);
  }
}

void read_input_ranges(ByteReader& in, std::vector<GraphInput>& inputs) {
  std::uint64_t next = 0;
  std::int64_t left = in.count(kMinInput, std::ssize(inputs), "inputs with ranges");
  if (left == 0) in.fail("expected ranges of at least one input");
  for (; left > 0; --left) {
    const std::uint64_t i = in.varint_up_to(UINT32_MAX, "an input number");
    if (i < next || i >= inputs.size()) in.fail("expected inputs in order, none twice");
    inputs[i].ranges = read_ranges(in);
    next = i + 1;
  }
}

}  // namespace curia
