#include "protocol/json_read.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include "protocol/list_text.h"
#include "protocol/ops.h"

namespace curia::json {
namespace {

using ops::in_quotes;

// Refuses what nlohmann would accept: great depth, fields that come twice.
class Guard {
 public:
  Guard(const Bounds& bounds, const Path& root) : bounds_(bounds), root_(root) {}

  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        if (depth >= bounds_.max_depth) {
          root_.fail("nested deeper than " + std::to_string(bounds_.max_depth));
        }
        keys_.emplace_back();
        break;
      case Json::parse_event_t::key: {
        const auto& key = parsed.get_ref<const std::string&>();
        if (!keys_.back().insert(key).second) {
          root_.fail("the field " + in_quotes(key) + " stands twice in one object");
        }
        if (static_cast<std::int64_t>(keys_.back().size()) > bounds_.max_fields) {
          root_.fail("expected at most " + std::to_string(bounds_.max_fields) +
                     " fields in an object");
        }
        break;
      }
      case Json::parse_event_t::object_end:
      case Json::parse_event_t::array_end:
        keys_.pop_back();
        break;
      case Json::parse_event_t::value:
        break;
    }
    return true;
  }

 private:
  const Bounds& bounds_;
  const Path& root_;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

std::string Path::place() const {
  if (parent_ == nullptr) return "";
  const std::string before = parent_->place();
  if (key_.empty()) return before + "[" + std::to_string(index_) + "]";
  return (before.empty() ? "" : before + ".") + std::string(key_.substr(0, 64));
}

void Path::fail(const std::string& why) const {
  const Path* root = this;
  while (root->parent_ != nullptr) root = root->parent_;
  const std::string where = place();
  throw Error(Code::kInvalid,
              std::string(root->document_) + (where.empty() ? "" : " at " + where) + ": " + why);
}

Json parse(std::string_view text, const Bounds& bounds, const Path& root) {
  if (static_cast<std::int64_t>(text.size()) > bounds.max_bytes) {
    root.fail("expected at most " + std::to_string(bounds.max_bytes) + " bytes, found " +
              std::to_string(text.size()));
  }
  try {
    return Json::parse(text.begin(), text.end(), Guard(bounds, root));
  } catch (const nlohmann::json::parse_error& error) {
    // Not error.what(): it repeats the text before the error.
    root.fail("not JSON: expected a value, ',' or a closing bracket at byte " +
              std::to_string(error.byte));
  } catch (const nlohmann::json::exception&) {
    root.fail("not JSON: a number is out of range");
  }
}

std::string found(const Json& json) {
  if (json.is_string()) return "found " + in_quotes(json.get_ref<const std::string&>());
  if (json.is_number()) return "found the number " + json.dump();
  if (json.is_array()) return "found a list of " + std::to_string(json.size());
  return "found " + (json.is_object() ? std::string("an object") : json.dump());
}

const Json& want_object(const Json& json, const Path& path) {
  if (!json.is_object()) path.fail("expected an object, " + found(json));
  return json;
}

const Json& want_list(const Json& json, const Path& path) {
  if (!json.is_array()) path.fail("expected a list, " + found(json));
  return json;
}

const std::string& want_string(const Json& json, const Path& path) {
  if (!json.is_string()) path.fail("expected a string, " + found(json));
  return json.get_ref<const std::string&>();
}

std::int64_t want_int(const Json& json, const Path& path) {
  const bool fits = json.is_number_integer() &&
                    !(json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX);
  if (!fits) path.fail("expected an integer of 64 bits, " + found(json));
  return json.get<std::int64_t>();
}

const Json& field(const Json& object, std::string_view key, const Path& path) {
  const auto it = object.find(key);
  if (it == object.end()) path.fail("expected a field " + in_quotes(key) + ", found none");
  return *it;
}

void want_fields(const Json& object, const std::vector<std::string_view>& known, const Path& path) {
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    path.fail("unknown field " + in_quotes(key) + "; expected " + list_text(known));
  }
}

Type want_type(const Json& json, const Path& path) {
  const std::string& text = want_string(json, path);
  return at(path, [&] {
    Type type = parse_type(text);
    ops::check_type(type);
    return type;
  });
}

namespace {

// As found(), but for elements of constants, which no message repeats.
std::string kind_of_json(const Json& json) {
  return json.is_number() ? "found a number" : std::string("found a ") + json.type_name();
}

template <class T, class Bits>
T want_float(const Json& json, const Path& path) {
  if (json.is_number()) {
    const double wide = json.get<double>();
    const T value = static_cast<T>(wide);
    if (!std::isfinite(value)) path.fail("expected a number in the range of the dtype");
    return value;
  }
  const std::string text = json.is_string() ? json.get<std::string>() : "";
  if (text == "nan") return std::numeric_limits<T>::quiet_NaN();
  if (text == "inf") return std::numeric_limits<T>::infinity();
  if (text == "-inf") return -std::numeric_limits<T>::infinity();
  Bits bits = 0;
  if (text.size() == 4 + 2 * sizeof(Bits) && text.starts_with("nan:")) {
    const char* end = text.data() + text.size();
    if (std::from_chars(text.data() + 4, end, bits, 16).ptr == end) {
      const T value = std::bit_cast<T>(bits);
      if (std::isnan(value)) return value;
    }
  }
  path.fail("expected a number, \"nan\", \"inf\" or \"-inf\", " + kind_of_json(json));
}

template <class T>
T want_element(const Json& json, const Path& path) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) path.fail("expected true or false, " + kind_of_json(json));
    return json.get<bool>();
  } else if constexpr (std::is_same_v<T, double>) {
    return want_float<double, std::uint64_t>(json, path);
  } else if constexpr (std::is_same_v<T, float>) {
    return want_float<float, std::uint32_t>(json, path);
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    if (!json.is_number_unsigned()) path.fail("expected an integer from 0, " + kind_of_json(json));
    return json.get<std::uint64_t>();
  } else {
    const bool fits = json.is_number_integer() &&
                      !(json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX);
    const std::int64_t value = fits ? json.get<std::int64_t>() : 0;
    if (!fits || !std::in_range<T>(value)) {
      path.fail("expected an integer in the range of the dtype, " + kind_of_json(json));
    }
    return static_cast<T>(value);
  }
}

template <class T>
Slice want_elements(const Json& list, const Path& path) {
  std::vector<std::uint8_t> bytes(list.size() * sizeof(T));
  for (std::size_t i = 0; i < list.size(); ++i) {
    const T value = want_element<T>(list[i], {path, i});
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return Slice::copy_of(std::span<const std::uint8_t>(bytes));
}

Slice want_data(DType dtype, const Json& list, const Path& path) {
  switch (dtype) {
    case DType::kBool:
      return want_elements<bool>(list, path);
    case DType::kI8:
      return want_elements<std::int8_t>(list, path);
    case DType::kI16:
      return want_elements<std::int16_t>(list, path);
    case DType::kI32:
      return want_elements<std::int32_t>(list, path);
    case DType::kI64:
      return want_elements<std::int64_t>(list, path);
    case DType::kU8:
      return want_elements<std::uint8_t>(list, path);
    case DType::kU16:
      return want_elements<std::uint16_t>(list, path);
    case DType::kU32:
      return want_elements<std::uint32_t>(list, path);
    case DType::kU64:
      return want_elements<std::uint64_t>(list, path);
    case DType::kF32:
      return want_elements<float>(list, path);
    case DType::kF64:
      return want_elements<double>(list, path);
    case DType::kString:
      break;
  }
  path.fail("a constant cannot hold strings");
}

Tensor want_tensor(const Json& json, const Path& path) {
  want_object(json, path);
  want_fields(json, {"type", "data"}, path);
  const Path type_path(path, "type");
  const Type type = want_type(field(json, "type", path), type_path);
  if (!type.is_tensor() || !type.device.empty()) {
    type_path.fail("expected a tensor type without a device; the op's \"at\" says where");
  }
  const Path data_path(path, "data");
  const Json& data = want_list(field(json, "data", path), data_path);
  Tensor tensor{type.tensor().dtype, type.tensor().shape, {}};
  if (tensor.elements() != static_cast<std::int64_t>(data.size())) {
    data_path.fail("expected the elements of " + type_text(tensor.type()) + ", " + found(data));
  }
  tensor.data = want_data(tensor.dtype, data, data_path);
  return tensor;
}

}  // namespace

Ranges want_ranges(const Json& json, const Path& path) {
  const auto pair = [](const Json& item, const Path& place) {
    if (!item.is_array() || item.size() != 2 || !item[0].is_number() || !item[1].is_number()) {
      place.fail("expected a range of two numbers, as [0, 120], " + found(item));
    }
    return Interval{item[0].get<double>(), item[1].get<double>()};
  };
  if (!json.is_object()) return {{"", pair(json, path)}};
  if (json.empty()) path.fail("expected a range for at least one column");
  Ranges ranges;
  for (const auto& [column, range] : json.items()) {
    ranges.emplace(column, pair(range, {path, column}));
  }
  return ranges;
}

Attr want_attr(AttrKind kind, const Json& json, const Path& path) {
  switch (kind) {
    case AttrKind::kBool:
      return want_element<bool>(json, path);
    case AttrKind::kInt:
      return want_int(json, path);
    case AttrKind::kDouble:
      return want_element<double>(json, path);
    case AttrKind::kString:
      return want_string(json, path);
    case AttrKind::kInts: {
      std::vector<std::int64_t> list;
      for (const Json& item : want_list(json, path)) {
        list.push_back(want_int(item, {path, list.size()}));
      }
      return list;
    }
    case AttrKind::kStrings: {
      std::vector<std::string> list;
      for (const Json& item : want_list(json, path)) {
        list.push_back(want_string(item, {path, list.size()}));
      }
      return list;
    }
    case AttrKind::kTensor:
      return want_tensor(json, path);
    case AttrKind::kType:
      return want_type(json, path);
    case AttrKind::kRanges:
      return want_ranges(json, path);
  }
  path.fail("unknown kind of attribute");
}

}  // namespace curia::json
