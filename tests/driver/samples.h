// Values of every dtype and kind, and bitwise comparison.
#pragma once

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "protocol/value.h"

namespace curia {

template <class T>
Tensor extremes() {
  using L = std::numeric_limits<T>;
  std::vector<T> values = {T{0}, T{1}, L::lowest(), L::max()};
  if constexpr (L::has_quiet_NaN) {
    values.insert(values.end(), {L::quiet_NaN(), L::infinity(), T{-0.0}, L::denorm_min()});
  }
  return Tensor::of<T>({2, static_cast<std::int64_t>(values.size()) / 2}, values);
}

template <class T>
Column three(const std::string& name, T a, T b, T c) {
  const T values[] = {a, b, c};
  return {name, Tensor::of<T>({3}, std::span<const T>(values))};
}

inline std::vector<Value> samples() {
  const Column yes = three("yes", true, false, true);
  std::vector<Value> values = {
      std::get<Tensor>(yes.data),
      extremes<std::int8_t>(),
      extremes<std::int16_t>(),
      extremes<std::int32_t>(),
      extremes<std::int64_t>(),
      extremes<std::uint8_t>(),
      extremes<std::uint16_t>(),
      extremes<std::uint32_t>(),
      extremes<std::uint64_t>(),
      extremes<float>(),
      extremes<double>(),
      Tensor::scalar(7.25),
      Tensor::scalar(true),
      Tensor::of<double>({0}, std::vector<double>{}),
      Tensor::of<std::int32_t>({3, 0, 2}, std::vector<std::int32_t>{}),
  };
  Table table;
  table.rows = 3;
  table.columns = {{"name of it", StringColumn::of({"", "zwölf, \"quoted\"\n", "007"})},
                   yes,
                   three<std::int8_t>("small", -128, 0, 127),
                   three<std::uint64_t>("large", 0, 1, UINT64_MAX),
                   three<float>("f", 0.1F, -0.0F, 1e30F),
                   three<double>("d", 1, -2.5, std::numeric_limits<double>::infinity())};
  values.emplace_back(table);
  values.emplace_back(Table{{{"name", StringColumn::of({})},
                             {"age", Tensor::of<std::int64_t>({0}, std::vector<std::int64_t>{})}},
                            0});
  values.emplace_back(Table{{{"name", StringColumn::of({"", "", "x"})}}, 3});
  return values;
}

inline bool same(const Slice& a, const Slice& b) {
  return a.size == b.size &&
         (a.size == 0 || std::memcmp(a.data, b.data, static_cast<std::size_t>(a.size)) == 0);
}

inline bool same(const Value& a, const Value& b) {
  if (a.type() != b.type()) return false;
  if (a.is_tensor()) return same(a.tensor().data, b.tensor().data);
  for (std::size_t i = 0; i < a.table().columns.size(); ++i) {
    const Column& mine = a.table().columns[i];
    const Column& other = b.table().columns[i];
    if (const auto* tensor = std::get_if<Tensor>(&mine.data)) {
      if (!same(tensor->data, std::get<Tensor>(other.data).data)) return false;
      continue;
    }
    const auto& texts = std::get<StringColumn>(mine.data);
    for (std::int64_t row = 0; row < texts.rows(); ++row) {
      if (texts.at(row) != std::get<StringColumn>(other.data).at(row)) return false;
    }
  }
  return true;
}

}  // namespace curia
