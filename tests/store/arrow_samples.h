// Values of every kind, for the tests of Arrow files. The names are those of files.
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "protocol/value.h"
#include "store/backend.h"

namespace curia {

template <class T>
Tensor sample_tensor(Shape shape, const std::vector<T>& values) {
  return Tensor::of<T>(std::move(shape), values);
}

inline Tensor sample_bools(Shape shape, const std::vector<std::uint8_t>& values) {
  return {DType::kBool, std::move(shape), Slice::copy_of(std::span(values))};
}

inline Table sample_table() {
  Table table;
  table.rows = 3;
  table.columns.push_back({"id", StringColumn::of({"ann", "", "zo\xc3\xab"})});
  table.columns.push_back({"age", sample_tensor<std::int64_t>({3}, {30, -1, 77})});
  table.columns.push_back({"member", sample_bools({3}, {1, 0, 1})});
  table.columns.push_back(
      {"score", sample_tensor<float>({3}, {0.5F, std::numeric_limits<float>::infinity(), -0.0F})});
  return table;
}

inline Share sample_share() {
  const SecretType type{SecretKind::kInt, 0, {3}};
  const std::vector<std::uint8_t> first(static_cast<std::size_t>(part_bytes(type)), 7);
  const std::vector<std::uint8_t> second(first.size(), 9);
  return {type, sha256({}), Slice::copy_of(std::span(first)), Slice::copy_of(std::span(second))};
}

inline std::map<std::string, Value> arrow_samples() {
  std::map<std::string, Value> samples;
  const auto add = [&](const std::string& name, Value value) {
    samples.emplace(name, std::move(value));
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  add("scalar", Tensor::scalar<double>(2.5));
  add("vector", sample_tensor<std::int32_t>({4}, {1, 2, 3, -4}));
  add("nan", sample_tensor<double>({3}, {nan, 1, -nan}));
  add("matrix", sample_tensor<double>({2, 3}, {1, 2, 3, 4, 5, 6}));
  add("cube", sample_tensor<std::uint8_t>({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 255}));
  add("empty", sample_tensor<double>({0}, {}));
  add("no_rows", sample_tensor<double>({0, 4}, {}));
  add("no_columns", sample_tensor<double>({4, 0}, {}));
  add("bool_scalar", sample_bools({}, {1}));
  add("bools", sample_bools({3}, {1, 0, 1}));
  add("bool_matrix", sample_bools({2, 2}, {1, 0, 0, 1}));
  add("table", sample_table());
  Table no_rows;
  no_rows.columns.push_back({"id", StringColumn::of({})});
  no_rows.columns.push_back({"x", sample_tensor<double>({0}, {})});
  add("table_no_rows", no_rows);
  Table no_columns;
  no_columns.rows = 5;
  add("table_no_columns", no_columns);
  add("share", sample_share());
  add("error", Error(Code::kInvalid, "what went wrong").at_party("alice"));
  return samples;
}

// What a store is told of a sample: `meta`, and what follows from its kind.
inline std::shared_ptr<ObjectMeta> sample_meta(const Value& value, const ObjectMeta& meta) {
  auto found = std::make_shared<ObjectMeta>(meta);
  if (value.is_share()) {
    found->device = {"abc", std::string(kReplicated3), {"alice", "bob", "carol"}};
  }
  found->hidden = value.is_table();
  return found;
}

}  // namespace curia
