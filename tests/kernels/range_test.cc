// Whatever kernels make of data within declared ranges is within the computed ones.
#include "protocol/range.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "tests/protocol/graphs.h"
#include "worker/kernels/kernel.h"
#include "worker/kernels/map.h"

using namespace curia;
using namespace curia::test;

namespace {

Type random_type(Random& random) {
  static const std::vector<const char*> dtypes = {"bool", "i8",  "i16", "i32", "i64", "u8",
                                                  "u16",  "u32", "u64", "f32", "f64", "f64"};
  static const std::vector<const char*> shapes = {"[]", "[3]", "[5]", "[4,3]", "[3,4]", "[0,3]"};
  static const std::vector<const char*> tables = {
      "table[5]{id:string,age:i64,pay:f64}", "table[5]{id:string,total:bool}",
      "table[3]{age:i64,total:u8,pay:f32}", "table[0]{id:string,age:i64}"};
  std::string text = random() % 4 == 0 ? tables[random() % tables.size()]
                                       : std::string(dtypes[random() % dtypes.size()]) +
                                             shapes[random() % shapes.size()];
  Type type = parse_type(text);
  type.device = "alice";
  return type;
}

double sized(Random& random, int low, int high) {
  std::uniform_real_distribution<double> mantissa(-1, 1);
  const auto span = static_cast<std::uint64_t>(high - low + 1);
  return std::ldexp(mantissa(random), low + static_cast<int>(random() % span));
}

// Small, as they mostly are, or of any size.
Interval random_range(Random& random) {
  const bool wild = random() % 4 == 0;
  double a = sized(random, wild ? -1000 : -3, wild ? 1020 : 6);
  double b = random() % 5 == 0 ? 0 : sized(random, wild ? -1000 : -3, wild ? 1020 : 6);
  if (random() % 2 == 0) a = std::round(a), b = std::round(b);
  return {std::min(a, b), std::max(a, b), false};
}

// Cells of the range, its ends among them; any at all where it is unknown.
Tensor cells(Random& random, DType dtype, const Shape& shape, const Interval& range, bool known) {
  Output out(dtype, shape);
  with_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < out.elements; ++i) {
      T& cell = out.as<T>()[i];
      if (dtype == DType::kBool) {
        cell = static_cast<T>(random() % 2);
        if (known) cell = std::clamp(cell, static_cast<T>(range.low), static_cast<T>(range.high));
        continue;
      }
      const std::uint64_t bits = random();
      std::memcpy(&cell, &bits, sizeof(T));
      if (!known) continue;
      const std::uint64_t pick = random() % 4;
      std::uniform_real_distribution<double> part(0, 1);
      double number = range.low + part(random) * (range.high - range.low);
      if (pick == 0 || !std::isfinite(number)) number = range.low;
      if (pick == 1) number = range.high;
      if constexpr (std::is_floating_point_v<T>) {
        cell = static_cast<T>(number);
        if (cell > range.high) cell = std::nextafter(cell, -std::numeric_limits<T>::infinity());
        if (cell < range.low) cell = std::nextafter(cell, std::numeric_limits<T>::infinity());
      } else {
        number = std::clamp(std::round(number), std::ceil(range.low), std::floor(range.high));
        cell = number >= std::ldexp(1, 63) ? std::numeric_limits<T>::max() : static_cast<T>(number);
      }
    }
  });
  return std::move(out).finish();
}

// A value of the type within what is declared; declares a range now and then.
Value random_value(Random& random, const Type& type, Ranges& ranges) {
  const auto column = [&](const std::string& name, DType dtype, const Shape& shape) {
    if (random() % 4 == 0) return cells(random, dtype, shape, {}, false);
    ranges[name] = random_range(random);
    const Interval range = declared_range(ranges, name, dtype);
    return cells(random, dtype, shape, range, range.known());
  };
  if (type.is_tensor()) return column("", type.tensor().dtype, type.tensor().shape);
  Table table;
  table.rows = type.table().rows;
  for (const ColumnType& declared : type.table().columns) {
    if (declared.dtype != DType::kString) {
      table.columns.push_back({declared.name, column(declared.name, declared.dtype, {table.rows})});
      continue;
    }
    std::vector<std::string> rows;
    while (std::ssize(rows) < table.rows) rows.push_back(std::string(random() % 2, 'a'));
    table.columns.push_back({declared.name, StringColumn::of(rows)});
  }
  return table;
}

void forget_rows(Random& random, Type& type) {
  if (random() % 5 != 0) return;
  if (auto* table = std::get_if<TableType>(&type.form)) {
    table->rows = kUnknown;
  } else if (auto& shape = std::get<TensorType>(type.form).shape; !shape.empty()) {
    shape[0] = kUnknown;
  }
}

void check_cells(const Tensor& tensor, const Interval& range) {
  with_dtype(tensor.dtype, [&](auto zero) {
    const auto* cells = elements_of<decltype(zero)>(tensor);
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      const auto cell = static_cast<long double>(cells[i]);
      if (std::isnan(cell)) {
        REQUIRE(range.nan);
        continue;
      }
      INFO(static_cast<double>(cell) << " in " << range.str());
      REQUIRE(static_cast<long double>(range.low) <= cell);
      REQUIRE(cell <= static_cast<long double>(range.high));
    }
  });
}

void check_value(const Value& value, const ValueRange& range) {
  if (value.is_tensor()) return check_cells(value.tensor(), range.all);
  const auto& columns = value.table().columns;
  REQUIRE(range.columns->size() == columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto* tensor = std::get_if<Tensor>(&columns[i].data);
    if (tensor != nullptr) check_cells(*tensor, (*range.columns)[i]);
  }
}

bool same_types(const Type& declared, const Value& value) {
  Type found = value.type();
  found.device = declared.device;
  return accepts(declared, found);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kGraphs = 2000;
#else
constexpr int kGraphs = 15'000;
#endif

}  // namespace

TEST_CASE("Ranges: what kernels give is within the range, op by op and in chains of ops") {
  Random random(17);
  std::map<std::string, int> tried;
  std::int64_t known = 0;
  for (int round = 0; round < kGraphs; ++round) {
    Graph graph;
    std::vector<ValuePtr> values;
    std::vector<Type> types;
    for (int i = 0; i < 3; ++i) {
      Type type = random_type(random);
      Ranges ranges;
      values.push_back(std::make_shared<const Value>(random_value(random, type, ranges)));
      forget_rows(random, type);
      types.push_back(type);
      Op source{.name = "dataset",
                .device = "alice",
                .attrs = {{"name", "x" + std::to_string(i)}, {"type", type}}};
      if (!ranges.empty()) source.attrs["range"] = ranges;
      graph.ops.push_back(std::move(source));
    }
    for (int tries = 0; tries < 40 && graph.ops.size() < 7; ++tries) {
      const auto table = op_table();
      const OpSpec& spec = table[random() % table.size()];
      if (find_kernel(spec.name) == nullptr) continue;
      graph.ops.push_back(random_op(random, spec, types));
      graph.ops.back().device = "alice";
      try {
        types = verify(graph).body.types;
        std::vector<ValuePtr> operands;
        for (const ValueId id : graph.ops.back().operands) operands.push_back(values[id]);
        auto results = (*find_kernel(spec.name))({.op = graph.ops.back(), .operands = operands});
        for (ValuePtr& result : results) values.push_back(std::move(result));
      } catch (const Error&) {  // extents that turn out not to fit, too
        graph.ops.pop_back();
        types.resize(values.size());
        continue;
      }
      REQUIRE(same_types(types.back(), *values.back()));
      ++tried[graph.ops.back().name];
    }
    const Verified verified = verify(graph);
    const RangeAnalysis found = analyze_ranges(graph, verified);
    std::size_t next = 0;
    for (std::size_t i = 0; i < graph.ops.size(); ++i) {
      INFO("round " << round << ", op " << i << ": " << graph.ops[i].name);
      for (const ValueRange& range : found.results[i]) {
        check_value(*values[next++], range);
        known += range.columns == nullptr && range.all.known() ? 1 : 0;
      }
    }
  }
  CHECK(known > kGraphs / 3);
  for (const KernelEntry& entry : kernel_table()) {
    INFO(entry.name);
    CHECK(tried[std::string(entry.name)] >= kGraphs / 3000);
  }
}
