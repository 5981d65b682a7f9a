#include "protocol/op_table.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "protocol/ops.h"

namespace curia {
namespace {

struct AttrRow {
  std::string_view key;
  AttrKind kind;
};

// Sorted by key.
constexpr auto kAttrs = std::to_array<AttrRow>({
    {"aggs", AttrKind::kStrings},
    {"axes", AttrKind::kInts},
    {"axis", AttrKind::kInt},
    {"carried", AttrKind::kInt},
    {"columns", AttrKind::kStrings},
    {"count", AttrKind::kInt},
    {"delta", AttrKind::kDouble},
    {"descending", AttrKind::kBool},
    {"distribution", AttrKind::kString},
    {"dtype", AttrKind::kString},
    {"edges", AttrKind::kTensor},
    {"ends", AttrKind::kInts},
    {"epsilon", AttrKind::kDouble},
    {"fraction_bits", AttrKind::kInt},
    {"high", AttrKind::kDouble},
    {"keep_dims", AttrKind::kBool},
    {"key", AttrKind::kInt},
    {"keys", AttrKind::kStrings},
    {"kind", AttrKind::kString},
    {"label", AttrKind::kString},
    {"limit", AttrKind::kInt},
    {"low", AttrKind::kDouble},
    {"name", AttrKind::kString},
    {"names", AttrKind::kStrings},
    {"on", AttrKind::kStrings},
    {"overflow", AttrKind::kString},
    {"pad_to", AttrKind::kInt},
    {"perm", AttrKind::kInts},
    {"pieces", AttrKind::kInt},
    {"range", AttrKind::kRanges},
    {"seed", AttrKind::kInt},
    {"shape", AttrKind::kInts},
    {"starts", AttrKind::kInts},
    {"steps", AttrKind::kInts},
    {"type", AttrKind::kType},
    {"uri", AttrKind::kString},
    {"value", AttrKind::kTensor},
});
static_assert(std::ranges::is_sorted(kAttrs, {}, &AttrRow::key));

std::vector<OpSpec> all_ops() {
  std::vector<OpSpec> table;
  for (auto family : {ops::source_ops, ops::elementwise_ops, ops::shape_ops, ops::reduction_ops,
                      ops::table_ops, ops::private_ops, ops::control_ops, ops::secret_ops}) {
    std::ranges::move(family(), std::back_inserter(table));
  }
  for (OpSpec& spec : table) {
    const bool numbers = (spec.secrets & (kInts | kFixeds)) != 0 && !spec.publics;
    if (numbers || spec.name == "share") spec.optional_attrs.push_back("overflow");
  }
  std::ranges::sort(table, {}, &OpSpec::name);
  return table;
}

const Attr* find_attr(const Op& op, std::string_view key) {
  const auto it = op.attrs.find(std::string(key));
  return it == op.attrs.end() ? nullptr : &it->second;
}

template <class T>
const T& attr_as(const Op& op, std::string_view key, AttrKind kind) {
  const Attr* attr = find_attr(op, key);
  if (attr != nullptr && std::holds_alternative<T>(*attr)) return std::get<T>(*attr);
  throw Error(Code::kInvalid,
              "op " + op.name + ": expected attribute " + std::string(key) + " to be " +
                  std::string(kind_name(kind)) + ", found " +
                  (attr == nullptr ? "none" : std::string(kind_name(kind_of(*attr)))));
}

constexpr std::int64_t kMaxOperands = 4096;

// "1 operand", "2 operands".
std::string counted(std::int64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string attr_list(const OpSpec& spec) {
  std::string list;
  for (const auto* keys : {&spec.required_attrs, &spec.optional_attrs}) {
    for (const std::string_view key : *keys) list += (list.empty() ? "" : ", ") + std::string(key);
  }
  return list.empty() ? "; it takes none" : "; it takes " + list;
}

}  // namespace

void check_form(const OpSpec& spec, const Op& op) {
  using ops::in_quotes;
  using ops::refuse;
  const auto operands = std::ssize(op.operands);
  const std::int64_t most = spec.max_operands < 0 ? kMaxOperands : spec.max_operands;
  if (operands < spec.min_operands || operands > most) {
    refuse("expected " + std::to_string(spec.min_operands) +
           (most == spec.min_operands ? "" : " to " + std::to_string(most)) +
           (most == 1 ? " operand, found " : " operands, found ") + std::to_string(operands));
  }
  if (std::ssize(op.regions) != spec.regions) {
    refuse("expected " + counted(spec.regions, "region") + ", found " +
           std::to_string(op.regions.size()));
  }
  for (const std::string_view key : spec.required_attrs) {
    if (!op.attrs.contains(std::string(key))) {
      refuse("expected an attribute " + std::string(key) + ", " +
             std::string(kind_name(attr_kind(key).value())) + "; found none");
    }
  }
  for (const auto& [key, attr] : op.attrs) {
    const bool known = std::ranges::find(spec.required_attrs, key) != spec.required_attrs.end() ||
                       std::ranges::find(spec.optional_attrs, key) != spec.optional_attrs.end();
    if (!known) refuse("there is no attribute " + in_quotes(key) + attr_list(spec));
    const AttrKind kind = attr_kind(key).value();
    if (kind_of(attr) != kind) {
      refuse("expected attribute " + key + " to be " + std::string(kind_name(kind)) + ", found " +
             std::string(kind_name(kind_of(attr))));
    }
  }
}

std::string_view kind_name(AttrKind kind) {
  static constexpr auto kNames = std::to_array<std::string_view>(
      {"a boolean", "an integer", "a number", "a string", "a list of integers", "a list of strings",
       "a tensor", "a type", "a range"});
  return kNames.at(static_cast<std::size_t>(kind));
}

std::optional<AttrKind> attr_kind(std::string_view key) {
  const auto it = std::ranges::lower_bound(kAttrs, key, {}, &AttrRow::key);
  if (it == kAttrs.end() || it->key != key) return std::nullopt;
  return it->kind;
}

std::int64_t OpContext::int_attr(std::string_view key) const {
  return attr_as<std::int64_t>(op, key, AttrKind::kInt);
}

std::int64_t OpContext::int_attr_or(std::string_view key, std::int64_t fallback) const {
  return find_attr(op, key) == nullptr ? fallback : int_attr(key);
}

double OpContext::double_attr(std::string_view key) const {
  return attr_as<double>(op, key, AttrKind::kDouble);
}

bool OpContext::bool_attr_or(std::string_view key, bool fallback) const {
  return find_attr(op, key) == nullptr ? fallback : attr_as<bool>(op, key, AttrKind::kBool);
}

const std::string& OpContext::string_attr(std::string_view key) const {
  return attr_as<std::string>(op, key, AttrKind::kString);
}

const std::vector<std::int64_t>& OpContext::ints_attr(std::string_view key) const {
  return attr_as<std::vector<std::int64_t>>(op, key, AttrKind::kInts);
}

const std::vector<std::string>& OpContext::strings_attr(std::string_view key) const {
  return attr_as<std::vector<std::string>>(op, key, AttrKind::kStrings);
}

const Tensor& OpContext::tensor_attr(std::string_view key) const {
  return attr_as<Tensor>(op, key, AttrKind::kTensor);
}

const Type& OpContext::type_attr(std::string_view key) const {
  return attr_as<Type>(op, key, AttrKind::kType);
}

std::span<const OpSpec> op_table() {
  static const std::vector<OpSpec> table = all_ops();
  return table;
}

const OpSpec* find_op(std::string_view name) {
  const auto table = op_table();
  const auto it = std::ranges::lower_bound(table, name, {}, &OpSpec::name);
  return it == table.end() || it->name != name ? nullptr : &*it;
}

std::int64_t result_count(const Op& op) {
  if (op.name == "save") return 0;
  if (op.name == "to_tensor") return find_attr(op, "pad_to") == nullptr ? 1 : 2;
  if ((op.name == "cond" || op.name == "call") && !op.regions.empty()) {
    return static_cast<std::int64_t>(op.regions[0].results.size());
  }
  if (op.name == "while" || op.name == "for") {
    const Attr* carried = find_attr(op, "carried");
    const auto* number = carried == nullptr ? nullptr : std::get_if<std::int64_t>(carried);
    const auto operands = static_cast<std::int64_t>(op.operands.size());
    return number == nullptr ? 0 : std::clamp<std::int64_t>(*number, 0, operands);
  }
  return 1;
}

std::span<const std::string_view> region_names(std::string_view op) {
  static constexpr auto kCond = std::to_array<std::string_view>({"then", "else"});
  static constexpr auto kWhile = std::to_array<std::string_view>({"test", "body"});
  if (op == "cond") return kCond;
  if (op == "while") return kWhile;
  if (op == "for" || op == "call") return std::span(kWhile).last(1);
  return {};
}

bool needs_for_body(std::string_view op) { return op == "loop_index"; }

}  // namespace curia
