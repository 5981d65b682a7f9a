#include <charconv>
#include <unordered_map>

#include "protocol/graph_json.h"
#include "protocol/json_read.h"
#include "protocol/op_table.h"
#include "protocol/ops.h"

namespace curia {
namespace {

using json::at;
using json::field;
using json::found;
using json::Json;
using json::Path;
using json::want_attr;
using json::want_fields;
using json::want_list;
using json::want_object;
using json::want_string;
using json::want_type;
using ops::in_quotes;

// The values of one region by name. An enclosing scope is only looked at for a better error.
struct Scope {
  struct Entry {
    ValueId id;
    std::size_t op;  // which defines it; kParam for inputs and parameters
  };
  static constexpr std::size_t kParam = SIZE_MAX;

  const Scope* outer = nullptr;
  std::unordered_map<std::string, Entry> entries;

  void define(const std::string& name, std::size_t op, const Path& path) {
    at(path, [&] { check_name(name, "value"); });
    const auto id = static_cast<ValueId>(entries.size());
    if (!entries.emplace(name, Entry{id, op}).second) {
      path.fail("the value " + in_quotes(name) + " is defined twice");
    }
  }

  // The value as op `user` sees it.
  ValueId use(const std::string& name, std::size_t user, const Path& path) const {
    const auto it = entries.find(name);
    if (it == entries.end()) {
      for (const Scope* scope = outer; scope != nullptr; scope = scope->outer) {
        if (scope->entries.contains(name)) {
          path.fail("the value " + in_quotes(name) +
                    " is defined outside the region; pass it to the op in \"in\" and name a "
                    "parameter for it");
        }
      }
      path.fail("the value " + in_quotes(name) + " is not defined");
    }
    const std::size_t op = it->second.op;
    if (op != kParam && op >= user) {
      path.fail("the value " + in_quotes(name) +
                (op == user ? " is a result of this very op: a cycle"
                            : " is defined later, by ops[" + std::to_string(op) +
                                  "]: a cycle or a wrong order; an op can only use what is "
                                  "defined before it"));
    }
    return it->second.id;
  }
};

class Reader {
 public:
  Graph read(const Json& json, const Path& root) {
    want_object(json, root);
    want_fields(json, {"name", "devices", "inputs", "ops", "outputs"}, root);
    if (json.contains("name")) graph_.name = want_string(json["name"], {root, "name"});
    if (json.contains("devices")) devices(json["devices"], {root, "devices"});
    Scope scope;
    graph_.inputs = params(json, "inputs", scope, root);
    graph_.ops = ops(field(json, "ops", root), scope, 0, {root, "ops"});
    const Path path(root, "outputs");
    for (const auto& [name, value] : want_object(field(json, "outputs", root), path).items()) {
      const Path place(path, name);
      graph_.outputs.push_back({name, scope.use(want_string(value, place), Scope::kParam, place)});
    }
    return std::move(graph_);
  }

 private:
  void devices(const Json& json, const Path& path) {
    for (const auto& [name, device] : want_object(json, path).items()) {
      const Path place(path, name);
      want_fields(want_object(device, place), {"protocol", "members"}, place);
      SecureDevice& added = graph_.devices.emplace_back();
      added.name = name;
      added.protocol = want_string(field(device, "protocol", place), {place, "protocol"});
      const Path members(place, "members");
      for (const Json& member : want_list(field(device, "members", place), members)) {
        added.members.push_back(want_string(member, {members, added.members.size()}));
      }
      at(place, [&] { check_device(added); });
    }
    if (std::ssize(graph_.devices) > kMaxDevices) {
      path.fail("expected at most " + std::to_string(kMaxDevices) + " devices");
    }
  }

  // Inputs of the graph or parameters of a region; both may be left out.
  std::vector<GraphInput> params(const Json& json, std::string_view key, Scope& scope,
                                 const Path& parent) {
    std::vector<GraphInput> list;
    if (!json.contains(key)) return list;
    const Path path(parent, key);
    for (const Json& item : want_list(json[std::string(key)], path)) {
      const Path place(path, list.size());
      want_object(item, place);
      const bool input = key == "inputs";
      want_fields(item,
                  input ? std::vector<std::string_view>{"name", "type", "range"}
                        : std::vector<std::string_view>{"name", "type"},
                  place);
      const std::string& name = want_string(field(item, "name", place), {place, "name"});
      scope.define(name, Scope::kParam, {place, "name"});
      list.push_back({name, want_type(field(item, "type", place), {place, "type"}), {}});
      if (item.contains("range")) {
        list.back().ranges = json::want_ranges(item["range"], {place, "range"});
      }
    }
    return list;
  }

  std::vector<Op> ops(const Json& json, Scope& scope, std::int64_t depth, const Path& path) {
    if (depth > kMaxRegionDepth) {
      path.fail("regions are nested deeper than " + std::to_string(kMaxRegionDepth));
    }
    want_list(json, path);
    ops_ += static_cast<std::int64_t>(json.size());
    if (ops_ > kMaxOps) path.fail("expected at most " + std::to_string(kMaxOps) + " ops");
    for (std::size_t i = 0; i < json.size(); ++i) {
      const Path place(path, i);
      if (!want_object(json[i], place).contains("out")) continue;
      const Path out(place, "out");
      std::size_t k = 0;
      for (const Json& name : want_list(json[i]["out"], out)) {
        const Path item(out, k++);
        scope.define(want_string(name, item), i, item);
      }
    }
    std::vector<Op> list;
    for (std::size_t i = 0; i < json.size(); ++i) {
      list.push_back(op(json[i], i, scope, depth, {path, i}));
    }
    return list;
  }

  Op op(const Json& json, std::size_t index, const Scope& scope, std::int64_t depth,
        const Path& path) {
    Op op;
    op.name = want_string(field(json, "op", path), {path, "op"});
    const OpSpec* spec = find_op(op.name);
    if (spec == nullptr) Path(path, "op").fail("unknown op " + in_quotes(op.name));
    want_fields(json, known_fields(*spec), path);
    op.device = want_string(field(json, "at", path), {path, "at"});
    if (json.contains("in")) op.operands = uses(json["in"], index, scope, {path, "in"});
    for (const auto* keys : {&spec->required_attrs, &spec->optional_attrs}) {
      for (const std::string_view key : *keys) {
        if (!json.contains(key)) continue;
        const Path place(path, key);
        op.attrs.emplace(key, want_attr(attr_kind(key).value(), json[std::string(key)], place));
      }
    }
    for (const std::string_view key : region_names(op.name)) {
      op.regions.push_back(region(field(json, key, path), scope, depth, {path, key}));
    }
    if (json.contains("site")) op.site = site(json["site"], {path, "site"});
    const auto named = static_cast<std::int64_t>(json.contains("out") ? json["out"].size() : 0);
    if (named != result_count(op)) {
      Path(path, "out")
          .fail("expected a name for each of the " + std::to_string(result_count(op)) +
                " results of " + op.name + ", found " + std::to_string(named));
    }
    return op;
  }

  static std::vector<std::string_view> known_fields(const OpSpec& spec) {
    std::vector<std::string_view> known = {"op", "at", "in", "out", "site"};
    const auto regions = region_names(spec.name);
    known.insert(known.end(), spec.required_attrs.begin(), spec.required_attrs.end());
    known.insert(known.end(), spec.optional_attrs.begin(), spec.optional_attrs.end());
    known.insert(known.end(), regions.begin(), regions.end());
    return known;
  }

  static std::vector<ValueId> uses(const Json& json, std::size_t user, const Scope& scope,
                                   const Path& path) {
    std::vector<ValueId> ids;
    for (const Json& name : want_list(json, path)) {
      const Path place(path, ids.size());
      ids.push_back(scope.use(want_string(name, place), user, place));
    }
    return ids;
  }

  Region region(const Json& json, const Scope& outer, std::int64_t depth, const Path& path) {
    want_object(json, path);
    want_fields(json, {"params", "ops", "results"}, path);
    Scope scope{&outer, {}};
    Region region;
    for (GraphInput& param : params(json, "params", scope, path)) {
      region.params.push_back(std::move(param.type));
    }
    region.ops = ops(field(json, "ops", path), scope, depth + 1, {path, "ops"});
    region.results = uses(field(json, "results", path), Scope::kParam, scope, {path, "results"});
    return region;
  }

  std::uint32_t site(const Json& json, const Path& path) {
    const std::string& text = want_string(json, path);
    const auto colon = text.rfind(':');
    Site site{text.substr(0, colon), 0};
    if (colon != std::string::npos) {
      const char* end = text.data() + text.size();
      const auto parsed = std::from_chars(text.data() + colon + 1, end, site.line);
      if (parsed.ec != std::errc() || parsed.ptr != end || site.line < 0) site.file.clear();
    }
    if (colon == std::string::npos || site.file.empty()) {
      path.fail("expected \"file:line\", " + found(json));
    }
    graph_.sites.push_back(std::move(site));
    return static_cast<std::uint32_t>(graph_.sites.size());
  }

  Graph graph_;
  std::int64_t ops_ = 0;
};

}  // namespace

Graph graph_from_json(std::string_view text) {
  const Path root("graph JSON");
  return Reader().read(json::parse(text, {kMaxJsonBytes, kMaxJsonDepth, kMaxJsonFields}, root),
                       root);
}

}  // namespace curia
