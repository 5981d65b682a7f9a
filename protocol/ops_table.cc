// Ops on tables, and between tables and tensors.
#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "protocol/ops.h"

namespace curia::ops {
namespace {

// The columns of a table by name, with errors that list what there is.
class ColumnIndex {
 public:
  explicit ColumnIndex(const TableType& table) : table_(table) {
    for (const ColumnType& column : table.columns) by_name_.emplace(column.name, &column);
  }

  bool has(std::string_view name) const { return by_name_.contains(name); }
  const ColumnType& at(std::string_view name) const {
    const auto it = by_name_.find(name);
    if (it != by_name_.end()) return *it->second;
    refuse("there is no column " + in_quotes(name) + " in " + brief(Type{table_, ""}));
  }
  const ColumnType& number_at(std::string_view name) const {
    const ColumnType& column = at(name);
    if (column.dtype == DType::kString) {
      refuse("column " + in_quotes(name) + " holds strings; expected numbers or bool");
    }
    return column;
  }

 private:
  const TableType& table_;
  std::unordered_map<std::string_view, const ColumnType*> by_name_;
};

// A list of names: at least one, none twice.
const std::vector<std::string>& names_attr(const OpContext& op, std::string_view key) {
  const auto& names = op.strings_attr(key);
  if (names.empty()) refuse("expected at least one name in " + std::string(key));
  if (static_cast<std::int64_t>(names.size()) > kMaxColumns) {
    refuse("expected at most " + std::to_string(kMaxColumns) + " names in " + std::string(key) +
           ", found " + std::to_string(names.size()));
  }
  std::unordered_set<std::string_view> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) refuse(in_quotes(name) + " stands twice in " + std::string(key));
  }
  return names;
}

// A column that rows are matched or grouped by.
const ColumnType& key_at(const ColumnIndex& index, std::string_view name) {
  const ColumnType& column = index.at(name);
  if (is_float(column.dtype)) {
    refuse("expected the key " + in_quotes(name) + " to hold strings, integers or bool, found " +
           std::string(dtype_name(column.dtype)) + "; cast it first");
  }
  return column;
}

// The extent of a column's tensor. Errors: unless it has one dimension.
std::int64_t column_rows(const OpContext& op, std::size_t i) {
  const TensorType& tensor = tensor_operand(op, i);
  if (rank(tensor) != 1) {
    refuse("expected operand " + std::to_string(i) + ", a column, to have one dimension, found " +
           brief(tensor) + "; slice or reshape it first");
  }
  return tensor.shape[0];
}

std::vector<Type> table_select(const OpContext& op) {
  const TableType& table = table_operand(op, 0);
  const ColumnIndex index(table);
  TableType result{{}, table.rows};
  for (const std::string& name : names_attr(op, "columns")) {
    result.columns.push_back(index.at(name));
  }
  return {placed(op, std::move(result))};
}

std::vector<Type> filter(const OpContext& op) {
  const TableType& table = table_operand(op, 0);
  const TensorType& mask = tensor_operand(op, 1);
  if (mask.dtype != DType::kBool || rank(mask) != 1) {
    refuse("expected operand 1, the mask, to be bool[rows], found " + brief(mask));
  }
  same_extent(table.rows, mask.shape[0], "expected a mask with one element for each row");
  return {placed(op, TableType{table.columns, kUnknown})};
}

std::vector<Type> join(const OpContext& op) {
  const TableType& left = table_operand(op, 0);
  const TableType& right = table_operand(op, 1);
  const ColumnIndex left_index(left);
  const ColumnIndex right_index(right);
  const auto& on = names_attr(op, "on");
  for (const std::string& key : on) {
    const DType a = key_at(left_index, key).dtype;
    const DType b = key_at(right_index, key).dtype;
    if (a != b) {
      refuse("expected the key " + in_quotes(key) + " to have one dtype in both tables, found " +
             std::string(dtype_name(a)) + " and " + std::string(dtype_name(b)));
    }
  }
  const std::unordered_set<std::string_view> keys(on.begin(), on.end());
  TableType result{left.columns, kUnknown};
  for (const ColumnType& column : right.columns) {
    if (keys.contains(column.name)) continue;
    if (left_index.has(column.name)) {
      refuse("both tables have a column " + in_quotes(column.name) +
             " that is no key; leave it out of one of them with table_select");
    }
    result.columns.push_back(column);
  }
  return {placed(op, std::move(result))};
}

// One "function:column:name" of group_by.
ColumnType aggregate(const ColumnIndex& index, std::string_view spec) {
  const auto first = spec.find(':');
  const auto last = spec.rfind(':');
  if (first == last || first == std::string_view::npos) {
    refuse("expected an aggregate function:column:name such as sum:amount:total, found " +
           in_quotes(spec));
  }
  const std::string_view function = spec.substr(0, first);
  const std::string_view source = spec.substr(first + 1, last - first - 1);
  ColumnType result{std::string(spec.substr(last + 1)), DType::kI64};
  check_column_name(result.name);
  if (function == "count") {
    index.at(source);
    return result;
  }
  const DType dtype = index.number_at(source).dtype;
  const bool integral = !is_float(dtype);
  if (function == "sum") {
    const DType wide = is_unsigned_int(dtype) ? DType::kU64 : DType::kI64;
    result.dtype = integral ? wide : dtype;
    return result;
  }
  if (function != "mean" && function != "min" && function != "max") {
    refuse("expected one of the functions sum, mean, min, max, count, found " +
           in_quotes(function));
  }
  if (dtype == DType::kBool) {
    refuse("expected numbers for " + std::string(function) + ", found the bool column " +
           in_quotes(source));
  }
  result.dtype = function == "mean" && integral ? DType::kF64 : dtype;
  return result;
}

std::vector<Type> group_by(const OpContext& op) {
  const TableType& table = table_operand(op, 0);
  const ColumnIndex index(table);
  TableType result{{}, kUnknown};
  for (const std::string& key : names_attr(op, "keys")) {
    result.columns.push_back(key_at(index, key));
  }
  for (const std::string& spec : names_attr(op, "aggs")) {
    result.columns.push_back(aggregate(index, spec));
  }
  return {placed(op, std::move(result))};
}

std::vector<Type> to_tensor(const OpContext& op) {
  const TableType& table = table_operand(op, 0);
  const ColumnIndex index(table);
  const auto& names = names_attr(op, "columns");
  for (const std::string& name : names) index.number_at(name);
  TensorType tensor{dtype_attr(op), {table.rows, static_cast<std::int64_t>(names.size())}};
  if (!op.op.attrs.contains("pad_to")) return {placed(op, std::move(tensor))};
  const std::int64_t bound = int_attr_between(op, "pad_to", 0, kMaxElements);
  if (table.rows > bound) {
    refuse("expected pad_to to be at least the " + std::to_string(table.rows) +
           " rows of the table, found " + std::to_string(bound));
  }
  tensor.shape[0] = bound;
  return {placed(op, std::move(tensor)), placed(op, TensorType{DType::kBool, {bound}})};
}

std::vector<Type> column(const OpContext& op) {
  const TableType& table = table_operand(op, 0);
  const DType dtype = ColumnIndex(table).number_at(op.string_attr("name")).dtype;
  return {placed(op, TensorType{dtype, {table.rows}})};
}

std::vector<Type> with_column(const OpContext& op) {
  TableType result = table_operand(op, 0);
  const std::string& name = op.string_attr("name");
  const DType dtype = tensor_operand(op, 1).dtype;
  result.rows = same_extent(result.rows, column_rows(op, 1),
                            "expected a column with one element for each row");
  const auto same = std::ranges::find(result.columns, name, &ColumnType::name);
  if (same != result.columns.end()) {
    same->dtype = dtype;
  } else {
    result.columns.push_back({name, dtype});
  }
  return {placed(op, std::move(result))};
}

std::vector<Type> make_table(const OpContext& op) {
  const auto& names = names_attr(op, "names");
  if (names.size() != op.operands.size()) {
    refuse("expected a name for each of the " + std::to_string(op.operands.size()) +
           " operands, found " + std::to_string(names.size()));
  }
  TableType result{{}, kUnknown};
  for (std::size_t i = 0; i < names.size(); ++i) {
    result.rows = same_extent(result.rows, column_rows(op, i), "expected columns of equal length");
    result.columns.push_back({names[i], op.operands[i].tensor().dtype});
  }
  return {placed(op, std::move(result))};
}

}  // namespace

std::vector<OpSpec> table_ops() {
  return {
      {"column", 1, 1, 0, {"name"}, {}, column},
      {"filter", 2, 2, 0, {}, {}, filter},
      {"group_by", 1, 1, 0, {"aggs", "keys"}, {}, group_by},
      {"join", 2, 2, 0, {"on"}, {}, join},
      {"make_table", 1, -1, 0, {"names"}, {}, make_table},
      {"table_select", 1, 1, 0, {"columns"}, {}, table_select},
      {"to_tensor", 1, 1, 0, {"columns", "dtype"}, {"pad_to"}, to_tensor},
      {"with_column", 2, 2, 0, {"name"}, {}, with_column},
  };
}

}  // namespace curia::ops
