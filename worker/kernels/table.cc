// table_select, filter, column, with_column, make_table, to_tensor.
//
// to_tensor{columns, dtype, pad_to} casts each column as the op `cast` does and lays rows out as
// [rows, columns]. With pad_to there are exactly pad_to rows: missing ones are zeros, rows beyond
// it are cut, and a second result says which rows are real.
#include <algorithm>
#include <array>
#include <cstring>

#include "worker/kernels/cast.h"
#include "worker/kernels/keys.h"

namespace curia {
namespace {

const Tensor& numeric(const Column& column) {
  const auto* tensor = std::get_if<Tensor>(&column.data);
  if (tensor == nullptr) {
    throw Error(Code::kInvalid, "column \"" + column.name + "\": expected numbers, found strings");
  }
  return *tensor;
}

void check_distinct(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    check_column_name(names[i]);
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i)) {
      throw Error(Code::kInvalid, "column \"" + names[i] + "\" is named twice");
    }
  }
}

void check_column(const Tensor& tensor, std::int64_t rows) {
  if (tensor.shape.size() != 1 || tensor.shape[0] != rows) {
    throw Error(Code::kInvalid, "expected a column of " + std::to_string(rows) + " rows, found " +
                                    type_text(tensor.type()));
  }
}

std::vector<ValuePtr> table_select(const KernelContext& ctx) {
  const Table& table = ctx.table(0);
  const auto& names = ctx.strings_attr("columns");
  check_distinct(names);
  Table result;
  result.rows = table.rows;
  for (const std::string& name : names) result.columns.push_back(table.column(name));
  return one(std::move(result));
}

std::vector<ValuePtr> filter(const KernelContext& ctx) {
  const Table& table = ctx.table(0);
  const Tensor& mask = ctx.tensor(1);
  if (mask.dtype != DType::kBool) {
    throw Error(Code::kInvalid, "expected a bool mask, found " + type_text(mask.type()));
  }
  check_column(mask, table.rows);
  const auto* keep = elements_of<std::uint8_t>(mask);
  std::vector<std::int64_t> index(static_cast<std::size_t>(table.rows));
  std::size_t kept = 0;
  for (std::int64_t i = 0; i < table.rows; ++i) {
    index[kept] = i;
    kept += keep[i] != 0 ? 1 : 0;
  }
  return one(take(ctx, table, std::span(index).first(kept)));
}

std::vector<ValuePtr> column(const KernelContext& ctx) {
  return one(numeric(ctx.table(0).column(ctx.string_attr("name"))));
}

std::vector<ValuePtr> with_column(const KernelContext& ctx) {
  Table table = ctx.table(0);
  const Tensor& tensor = ctx.tensor(1);
  const std::string& name = ctx.string_attr("name");
  check_column_name(name);
  check_column(tensor, table.rows);
  for (Column& old : table.columns) {
    if (old.name != name) continue;
    old.data = tensor;
    return one(std::move(table));
  }
  table.columns.push_back({name, tensor});
  return one(std::move(table));
}

std::vector<ValuePtr> make_table(const KernelContext& ctx) {
  const auto& names = ctx.strings_attr("names");
  expect(names.size() == ctx.operands.size(), "expected one name an operand");
  check_distinct(names);
  Table table;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Tensor& tensor = ctx.tensor(i);
    if (i == 0 && tensor.shape.size() == 1) table.rows = tensor.shape[0];
    check_column(tensor, table.rows);
    table.columns.push_back({names[i], tensor});
  }
  return one(std::move(table));
}

// Rows cast and laid out at a time: a strip of each column stays in the first-level cache.
constexpr std::int64_t kStrip = 512;

std::vector<ValuePtr> to_tensor(const KernelContext& ctx) {
  const Table& table = ctx.table(0);
  const DType dtype = parse_dtype(ctx.string_attr("dtype"));
  std::vector<const Tensor*> columns;
  std::vector<Loop> loops;
  for (const std::string& name : ctx.strings_attr("columns")) {
    columns.push_back(&numeric(table.column(name)));
    loops.push_back(cast_loop(columns.back()->dtype, dtype));
  }
  const bool padded = ctx.has("pad_to");
  const std::int64_t rows = padded ? ctx.int_attr("pad_to") : table.rows;
  expect(rows >= 0, "expected pad_to to be at least 0");
  const std::int64_t real = std::min(rows, table.rows);
  const auto width = static_cast<std::int64_t>(columns.size());
  Output out(dtype, {rows, width});
  with_width(dtype, [&](auto zero) {
    using T = decltype(zero);
    ctx.for_chunks(real, 8 * kStrip, [&](std::int64_t begin, std::int64_t end) {
      alignas(64) std::array<T, kStrip> strip;
      for (std::int64_t first = begin; first < end; first += kStrip) {
        const std::int64_t n = std::min(kStrip, end - first);
        for (std::size_t k = 0; k < columns.size(); ++k) {
          const std::uint8_t* from = columns[k]->data.data + first * dtype_bytes(columns[k]->dtype);
          loops[k](&from, reinterpret_cast<std::uint8_t*>(strip.data()), n);
          T* to = out.as<T>() + first * width + static_cast<std::int64_t>(k);
          for (std::int64_t i = 0; i < n; ++i) to[i * width] = strip[static_cast<std::size_t>(i)];
        }
      }
    });
  });
  const std::int64_t used = real * width * dtype_bytes(dtype);
  std::memset(out.bytes() + used, 0, static_cast<std::size_t>(out.buffer->size() - used));
  std::vector<ValuePtr> results = one(std::move(out).finish());
  if (padded) {
    Output valid(DType::kBool, {rows});
    std::memset(valid.bytes(), 1, static_cast<std::size_t>(real));
    std::memset(valid.bytes() + real, 0, static_cast<std::size_t>(rows - real));
    results.push_back(std::make_shared<const Value>(std::move(valid).finish()));
  }
  return results;
}

constexpr KernelEntry kTable[] = {
    {"table_select", table_select}, {"filter", filter},         {"column", column},
    {"with_column", with_column},   {"make_table", make_table}, {"to_tensor", to_tensor},
};

}  // namespace

std::span<const KernelEntry> table_kernels() { return kTable; }

}  // namespace curia
