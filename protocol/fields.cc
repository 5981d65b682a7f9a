#include "protocol/fields.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "protocol/list_text.h"

namespace curia {
namespace {

constexpr int kMaxDepth = 32;

// Where a field is: its name behind the path of the object that it is in, if any.
std::string path_of(const std::string& object, const std::string& name) {
  return object.empty() ? name : object + "." + name;
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    throw Error(Code::kInvalid, "cannot read " + path + ": " + std::strerror(errno));
  }
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string beside(const std::string& file, const std::string& path) {
  const std::filesystem::path given(path);
  if (given.is_absolute()) return path;
  return (std::filesystem::path(file).parent_path() / given).lexically_normal().string();
}

Fields Fields::of_file(const std::string& path) { return of_text(read_file(path), path); }

Fields Fields::of_text(std::string_view text, const std::string& file) {
  // Deep ones would be too much for the stack when they are taken down again.
  const auto shallow = [&file](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    if (depth <= kMaxDepth) return true;
    throw Error(Code::kInvalid, file + ": nested deeper than " + std::to_string(kMaxDepth));
  };
  try {
    return Fields(nlohmann::json::parse(text, shallow, true, true), file, "");
  } catch (const nlohmann::json::exception& error) {
    throw Error(Code::kInvalid, file + ": not JSON: " + error.what());
  }
}

Fields::Fields(nlohmann::json json, std::string file, std::string where)
    : json_(std::move(json)), file_(std::move(file)), where_(std::move(where)) {
  if (!json_.is_object()) fail("", "expected an object {...}");
}

void Fields::fail(std::string_view name, const std::string& message) const {
  std::string at = where_;
  if (!name.empty()) at += (at.empty() ? "" : ".") + std::string(name);
  throw Error(Code::kInvalid, file_ + (at.empty() ? "" : ": " + at) + ": " + message);
}

const nlohmann::json* Fields::find(const std::string& name) {
  known_.insert(name);
  const auto found = json_.find(name);
  return found == json_.end() ? nullptr : &*found;
}

const nlohmann::json& Fields::get(const std::string& name) {
  const auto* found = find(name);
  if (found == nullptr) fail(name, "this field is missing");
  return *found;
}

std::string Fields::text(const std::string& name) {
  const auto& json = get(name);
  if (!json.is_string()) fail(name, std::string("expected a text, found ") + json.type_name());
  return json.get<std::string>();
}

std::string Fields::text_or(const std::string& name, const std::string& fallback) {
  return find(name) == nullptr ? fallback : text(name);
}

std::int64_t Fields::number(const std::string& name, std::int64_t least, std::int64_t most) {
  const auto& json = get(name);
  const bool good = json.is_number_integer() &&
                    !(json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX) &&
                    json.get<std::int64_t>() >= least && json.get<std::int64_t>() <= most;
  if (!good) {
    fail(name, "expected a whole number from " + std::to_string(least) + " to " +
                   std::to_string(most) + ", found " + json.dump().substr(0, 40));
  }
  return json.get<std::int64_t>();
}

std::int64_t Fields::number_or(const std::string& name, std::int64_t fallback, std::int64_t least,
                               std::int64_t most) {
  return find(name) == nullptr ? fallback : number(name, least, most);
}

double Fields::real(const std::string& name) {
  const auto& json = get(name);
  if (!json.is_number()) fail(name, "expected a number, found " + json.dump().substr(0, 40));
  return json.get<double>();
}

Digest Fields::digest(const std::string& name) {
  const std::string hex = text(name);
  return checked(name, [&] { return Digest::parse(hex); });
}

bool Fields::flag_or(const std::string& name, bool fallback) {
  const auto* json = find(name);
  if (json == nullptr) return fallback;
  if (!json->is_boolean()) fail(name, "expected true or false");
  return json->get<bool>();
}

std::vector<std::string> Fields::texts_or_none(const std::string& name) {
  std::vector<std::string> texts;
  const auto* json = find(name);
  if (json == nullptr) return texts;
  if (!json->is_array()) fail(name, "expected a list of texts [\"...\"]");
  for (const auto& item : *json) {
    if (!item.is_string()) fail(name, "expected a list of texts [\"...\"]");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Ranges Fields::ranges_or_none(const std::string& name) {
  Ranges ranges;
  const auto* json = find(name);
  if (json == nullptr) return ranges;
  const auto add = [&](const std::string& column, const std::string& where, const auto& item) {
    if (!item.is_array() || item.size() != 2 || !item[0].is_number() || !item[1].is_number()) {
      fail(where, "expected a range of two numbers, such as [0, 120]");
    }
    ranges[column] = {item[0].template get<double>(), item[1].template get<double>()};
  };
  if (!json->is_object()) {
    add("", name, *json);
    return ranges;
  }
  for (const auto& [column, item] : json->items()) add(column, path_of(name, column), item);
  return ranges;
}

Fields Fields::object(const std::string& name) {
  return Fields(get(name), file_, path_of(where_, name));
}

std::vector<std::pair<std::string, Fields>> Fields::objects_or_none(const std::string& name) {
  std::vector<std::pair<std::string, Fields>> objects;
  const auto* json = find(name);
  if (json == nullptr) return objects;
  if (!json->is_object()) fail(name, "expected an object {\"name\": {...}}");
  const std::string prefix = path_of(where_, name);
  for (const auto& [key, item] : json->items()) {
    objects.emplace_back(key, Fields(item, file_, path_of(prefix, key)));
  }
  return objects;
}

std::vector<Fields> Fields::list_or_none(const std::string& name) {
  std::vector<Fields> list;
  const auto* json = find(name);
  if (json == nullptr) return list;
  if (!json->is_array()) fail(name, "expected a list of objects [{...}]");
  const std::string prefix = path_of(where_, name);
  for (std::size_t i = 0; i < json->size(); ++i) {
    list.emplace_back((*json)[i], file_, prefix + "[" + std::to_string(i) + "]");
  }
  return list;
}

std::vector<std::pair<std::string, std::string>> Fields::pairs_or_none(const std::string& name) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto* json = find(name);
  if (json == nullptr) return pairs;
  if (!json->is_object()) fail(name, "expected an object {\"name\": \"...\"}");
  for (const auto& [key, item] : json->items()) {
    if (!item.is_string()) fail(path_of(name, key), "expected a text");
    pairs.emplace_back(key, item.get<std::string>());
  }
  return pairs;
}

void Fields::finish() const {
  for (const auto& [key, unused] : json_.items()) {
    if (known_.contains(key)) continue;
    fail(key, "unknown field; the fields here are " + list_text(known_));
  }
}

}  // namespace curia
