#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "protocol/graph_json.h"
#include "protocol/op_table.h"
#include "protocol/ops.h"

namespace curia {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLine = 100;

// A float that JSON has no number for, as text.
template <class T, class Bits>
Json float_json(T value) {
  if (std::isfinite(value)) return static_cast<double>(value);
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  const Bits bits = std::bit_cast<Bits>(value);
  if (bits == std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN())) return "nan";
  std::string hex;
  for (int shift = static_cast<int>(sizeof(Bits)) * 8 - 4; shift >= 0; shift -= 4) {
    hex += "0123456789abcdef"[(bits >> shift) & 15];
  }
  return "nan:" + hex;
}

template <class T>
Json element_json(T value) {
  if constexpr (std::is_same_v<T, double>) return float_json<double, std::uint64_t>(value);
  if constexpr (std::is_same_v<T, float>) return float_json<float, std::uint32_t>(value);
  return value;
}

template <class T>
Json elements_json(const Tensor& tensor) {
  Json list = Json::array();
  for (const T value : tensor.as<T>()) list.push_back(element_json(value));
  return list;
}

Json data_json(const Tensor& tensor) {
  switch (tensor.dtype) {
    case DType::kBool:
      return elements_json<bool>(tensor);
    case DType::kI8:
      return elements_json<std::int8_t>(tensor);
    case DType::kI16:
      return elements_json<std::int16_t>(tensor);
    case DType::kI32:
      return elements_json<std::int32_t>(tensor);
    case DType::kI64:
      return elements_json<std::int64_t>(tensor);
    case DType::kU8:
      return elements_json<std::uint8_t>(tensor);
    case DType::kU16:
      return elements_json<std::uint16_t>(tensor);
    case DType::kU32:
      return elements_json<std::uint32_t>(tensor);
    case DType::kU64:
      return elements_json<std::uint64_t>(tensor);
    case DType::kF32:
      return elements_json<float>(tensor);
    case DType::kF64:
      return elements_json<double>(tensor);
    case DType::kString:
      break;
  }
  throw Error(Code::kInvalid, "a constant cannot hold strings");
}

Json ranges_json(const Ranges& ranges) {
  const auto pair = [](const Interval& range) {
    return Json::array({element_json(range.low), element_json(range.high)});
  };
  if (ranges.size() == 1 && ranges.begin()->first.empty()) return pair(ranges.begin()->second);
  Json json = Json::object();
  for (const auto& [column, range] : ranges) json[column] = pair(range);
  return json;
}

Json attr_json(const std::string& key, const Attr& attr) {
  if (attr_kind(key) != kind_of(attr)) {
    throw Error(Code::kInvalid, "attribute " + ops::in_quotes(key) +
                                    " is not one of the op set, so it has no JSON form");
  }
  if (const auto* type = std::get_if<Type>(&attr)) return type->str();
  if (const auto* tensor = std::get_if<Tensor>(&attr)) {
    ops::check_type({tensor->type(), ""});
    expect(tensor->data.size == byte_count(tensor->type()), "a constant's data does not fit it");
    return {{"type", type_text(tensor->type())}, {"data", data_json(*tensor)}};
  }
  if (const auto* ranges = std::get_if<Ranges>(&attr)) return ranges_json(*ranges);
  if (const auto* number = std::get_if<std::int64_t>(&attr)) return *number;
  if (const auto* number = std::get_if<double>(&attr)) return element_json(*number);
  if (const auto* flag = std::get_if<bool>(&attr)) return *flag;
  if (const auto* text = std::get_if<std::string>(&attr)) return *text;
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(&attr)) return *list;
  return std::get<std::vector<std::string>>(attr);
}

// The names of the values of one region, in their order.
class Names {
 public:
  const std::string& add(const std::string& wish) {
    std::string name = wish;
    while (!taken_.insert(name).second) name += "_";
    return by_id_.emplace_back(std::move(name));
  }

  std::string next() const { return "v" + std::to_string(by_id_.size()); }
  std::size_t size() const { return by_id_.size(); }

  const std::string& at(ValueId id) const {
    if (id < by_id_.size()) return by_id_[id];
    throw Error(Code::kInvalid, "%" + std::to_string(id) + " is used before it is defined");
  }

  Json list(const std::vector<ValueId>& ids) const {
    Json list = Json::array();
    for (const ValueId id : ids) list.push_back(at(id));
    return list;
  }

 private:
  std::vector<std::string> by_id_;
  std::unordered_set<std::string> taken_;
};

class Writer {
 public:
  explicit Writer(const Graph& graph) : graph_(graph) {}

  Json write() {
    for (const GraphOutput& output : graph_.outputs) {
      output_names_.emplace(output.value, output.name);
    }
    Json json = {{"name", graph_.name}};
    for (const SecureDevice& device : graph_.devices) {
      if (json.contains("devices") && json["devices"].contains(device.name)) {
        throw Error(Code::kInvalid, "two devices are called " + ops::in_quotes(device.name));
      }
      json["devices"][device.name] = {{"protocol", device.protocol}, {"members", device.members}};
    }
    json["inputs"] = Json::array();
    Names names;
    for (const GraphInput& input : graph_.inputs) {
      if (names.add(input.name) != input.name) {
        throw Error(Code::kInvalid, "two inputs are called " + ops::in_quotes(input.name));
      }
      json["inputs"].push_back({{"name", input.name}, {"type", input.type.str()}});
      if (!input.ranges.empty()) json["inputs"].back()["range"] = ranges_json(input.ranges);
    }
    json["ops"] = write_ops(graph_.ops, names, 0);
    json["outputs"] = Json::object();
    for (const GraphOutput& output : graph_.outputs) {
      json["outputs"][output.name] = names.at(output.value);
    }
    return json;
  }

 private:
  Json write_ops(const std::vector<Op>& ops, Names& names, std::int64_t depth) {
    expect(depth <= kMaxRegionDepth, "regions are nested too deep");
    Json list = Json::array();
    for (const Op& op : ops) {
      try {
        list.push_back(write_op(op, names, depth));
      } catch (const Error& error) {
        throw error.at_op(op.name, graph_.site_of(op));
      }
    }
    return list;
  }

  Json write_op(const Op& op, Names& names, std::int64_t depth) {
    Json json = {{"op", op.name}, {"at", op.device}};
    if (!op.operands.empty()) json["in"] = names.list(op.operands);
    if (const std::int64_t results = result_count(op); results > 0) {
      json["out"] = Json::array();
      for (std::int64_t i = 0; i < results; ++i) json["out"].push_back(name_result(names, depth));
    }
    for (const auto& [key, attr] : op.attrs) json[key] = attr_json(key, attr);
    const auto region_keys = region_names(op.name);
    expect(region_keys.size() == op.regions.size(), "the op has a wrong number of regions");
    for (std::size_t r = 0; r < op.regions.size(); ++r) {
      json[std::string(region_keys[r])] = write_region(op.regions[r], depth);
    }
    if (const Site site = graph_.site_of(op); !site.file.empty()) {
      json["site"] = site.file + ":" + std::to_string(site.line);
    }
    return json;
  }

  std::string name_result(Names& names, std::int64_t depth) const {
    const auto output = output_names_.find(static_cast<ValueId>(names.size()));
    const bool is_output = depth == 0 && output != output_names_.end();
    return names.add(is_output ? output->second : names.next());
  }

  Json write_region(const Region& region, std::int64_t depth) {
    Names names;
    Json json = {{"params", Json::array()}};
    for (const Type& type : region.params) {
      const std::string name = names.add("p" + std::to_string(names.size()));
      json["params"].push_back({{"name", name}, {"type", type.str()}});
    }
    json["ops"] = write_ops(region.ops, names, depth + 1);
    json["results"] = names.list(region.results);
    return json;
  }

  const Graph& graph_;
  std::map<ValueId, std::string> output_names_;
};

// On one line where that fits, else one element a line.
void print(const Json& json, std::size_t indent, std::string& out) {
  const std::string flat = json.dump();
  if (!json.is_structured() || json.empty() || indent + flat.size() <= kLine) {
    out += flat;
    return;
  }
  const bool object = json.is_object();
  const std::string margin(indent + 2, ' ');
  out += object ? "{" : "[";
  bool first = true;
  for (const auto& [key, value] : json.items()) {
    out += (first ? "\n" : ",\n") + margin;
    if (object) out += Json(key).dump() + ": ";
    const bool list_of_numbers = value.is_array() && !value.empty() && !value[0].is_structured();
    if (list_of_numbers) {
      out += value.dump();
    } else {
      print(value, indent + 2, out);
    }
    first = false;
  }
  out += "\n" + std::string(indent, ' ') + (object ? "}" : "]");
}

}  // namespace

std::string graph_to_json(const Graph& graph) {
  std::string out;
  try {
    print(Writer(graph).write(), 0, out);
  } catch (const nlohmann::json::exception&) {
    throw Error(Code::kInvalid,
                "a name or string of the graph is not UTF-8, so it has no JSON form");
  }
  return out + "\n";
}

}  // namespace curia
