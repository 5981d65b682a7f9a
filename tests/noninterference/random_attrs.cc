#include <algorithm>
#include <string_view>

#include "tests/noninterference/random_program.h"

namespace curia::test {
namespace {

using Ints = std::vector<std::int64_t>;
using Strings = std::vector<std::string>;

Shape shape_of(const std::vector<Type>& operands) {
  if (operands.empty()) return {};
  if (operands[0].is_tensor()) return operands[0].tensor().shape;
  if (operands[0].is_secret()) return operands[0].secret().shape;
  return {operands[0].table().rows};
}

Strings columns_of(const std::vector<Type>& operands, bool without_floats, bool without_strings) {
  Strings names;
  if (!operands.empty() && operands[0].is_table()) {
    for (const ColumnType& column : operands[0].table().columns) {
      if (without_floats && is_float(column.dtype)) continue;
      if (without_strings && column.dtype == DType::kString) continue;
      names.push_back(column.name);
    }
  }
  return names;
}

Strings some(Random& random, Strings list) {
  std::shuffle(list.begin(), list.end(), random);
  if (!list.empty()) list.resize(static_cast<std::size_t>(pick(random, 1, std::ssize(list))));
  return list;
}

Strings names_of(Random& random, std::string_view key, const OpSpec& spec,
                 const std::vector<Type>& operands) {
  if (key == "names") {  // of make_table
    Strings names;
    for (std::size_t i = 0; i < operands.size(); ++i) names.push_back("c" + std::to_string(i));
    return names;
  }
  if (key == "on") return {"k"};
  if (key == "aggs") {
    static const Strings functions = {"sum", "mean", "min", "max"};
    const Strings columns = columns_of(operands, false, true);
    Strings aggs = {"count:" + (columns.empty() ? "k" : columns[0]) + ":n"};
    if (!columns.empty())
      aggs.push_back(pick(random, functions) + ":" + pick(random, columns) + ":g");
    return aggs;
  }
  return some(random, columns_of(operands, key == "keys", spec.name == "to_tensor"));
}

Ints ints_of(Random& random, std::string_view key, const OpSpec& spec, const Shape& shape) {
  Ints list;
  const std::int64_t rank = std::ssize(shape);
  if (key == "perm") {
    for (std::int64_t i = 0; i < rank; ++i) list.push_back(i);
    std::shuffle(list.begin(), list.end(), random);
  } else if (key == "axes") {
    list.push_back(rank == 0 ? 0 : pick(random, 0, rank - 1));
  } else if (key == "starts") {
    for (std::int64_t i = 0; i < rank; ++i) list.push_back(pick(random, -1, 1));
  } else if (key == "ends") {
    for (std::int64_t i = 0; i < rank; ++i) list.push_back(chance(random, 50) ? INT64_MAX : 1);
  } else if (key == "steps") {
    for (std::int64_t i = 0; i < rank; ++i) list.push_back(pick(random, 1, 2));
  } else if (spec.name == "reshape") {
    std::int64_t cells = 1;
    for (const std::int64_t extent : shape) cells *= extent;
    list = chance(random, 50) ? Ints{cells} : Ints{cells, 1};
  } else {  // shape of broadcast and random
    list = shape;
    if (spec.name == "random" || chance(random, 50)) list.insert(list.begin(), 2);
  }
  return list;
}

Tensor small_tensor(Random& random) {
  const auto number = [&] { return pick(random, -1, 3); };
  switch (pick(random, 0, 5)) {
    case 0:
      return Tensor::scalar(number());
    case 1:
      return Tensor::scalar(static_cast<double>(number()) / 2);
    case 2:
      return Tensor::of<std::int64_t>({2}, Ints{number(), number()});
    case 3:
      return Tensor::of<double>({2}, std::vector<double>{0.5, static_cast<double>(number())});
    case 4:
      return Tensor::scalar(chance(random, 50));
    default:
      return Tensor::of<std::int64_t>({3}, Ints{number(), 0, number()});
  }
}

Attr attr_of(Random& random, std::string_view key, const OpSpec& spec,
             const std::vector<Type>& operands) {
  static const Strings dtypes = {"bool", "i64", "i64", "f64", "f64", "i32", "f32", "u8"};
  const Shape shape = shape_of(operands);
  if (key == "dtype") {
    return spec.name == "random" ? std::string("f64") : pick(random, dtypes);
  }
  if (key == "distribution") return std::string(chance(random, 50) ? "uniform" : "normal");
  if (key == "kind") {
    const bool flag =
        !operands.empty() && operands[0].is_tensor() && operands[0].tensor().dtype == DType::kBool;
    return std::string(flag ? "bool" : chance(random, 60) ? "int" : "fixed");
  }
  if (key == "overflow") return std::string("warn");
  if (key == "label") return std::string(chance(random, 50) ? "out" : "move");
  if (key == "value") return small_tensor(random);
  if (key == "name") {
    const Strings columns = columns_of(operands, false, true);
    if (spec.name == "with_column" && chance(random, 50)) return std::string("n");
    return columns.empty() ? std::string("k") : pick(random, columns);
  }
  if (key == "axis") return shape.empty() ? 0 : pick(random, 0, std::ssize(shape) - 1);
  if (key == "fraction_bits") return std::int64_t{16};
  if (key == "pieces") return std::int64_t{chance(random, 50) ? 3 : 8};
  switch (attr_kind(key).value()) {
    case AttrKind::kBool:
      return chance(random, 50);
    case AttrKind::kInts:
      return ints_of(random, key, spec, shape);
    case AttrKind::kStrings:
      return names_of(random, key, spec, operands);
    default:
      return pick(random, 0, 3);  // count, key, pad_to, seed
  }
}

}  // namespace

std::map<std::string, Attr> random_attrs(Random& random, const OpSpec& spec,
                                         const std::vector<Type>& operands) {
  std::map<std::string, Attr> attrs;
  for (const std::string_view key : spec.required_attrs) {
    attrs.emplace(key, attr_of(random, key, spec, operands));
  }
  const bool secret = !operands.empty() && operands[0].is_secret();
  for (const std::string_view key : spec.optional_attrs) {
    const bool always = key == "overflow" ? secret : key == "kind" && spec.name == "share";
    const bool never = key == "range" || (key == "overflow" && !secret && spec.name != "share") ||
                       ((key == "fraction_bits" || key == "pieces") && !secret);
    const bool steps_of_slice = key == "perm" || key == "steps";
    if (!never && (always || chance(random, steps_of_slice ? 30 : 50))) {
      attrs.emplace(key, attr_of(random, key, spec, operands));
    }
  }
  return attrs;
}

}  // namespace curia::test
