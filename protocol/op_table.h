// One row an op: how many operands and regions, which attributes, and the rule for its results'
// types. What each op means, edges included, is in OPS.md. Kernels (worker/kernels) are rows of
// another table under the same names. To add an op, add a row in the ops_*.cc file of its family
// and a kernel.
//
// Thread: immutable after start, any.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/graph.h"

namespace curia {

// What an attribute holds: the alternatives of Attr, in their order. An attribute has the same kind
// in every op that has it.
enum class AttrKind : std::uint8_t {
  kBool,
  kInt,
  kDouble,
  kString,
  kInts,
  kStrings,
  kTensor,
  kType,
  kRanges,
};

inline AttrKind kind_of(const Attr& attr) { return static_cast<AttrKind>(attr.index()); }
// "an integer", "a list of strings", ...
std::string_view kind_name(AttrKind kind);
// nullopt where no op has an attribute of that name.
std::optional<AttrKind> attr_kind(std::string_view key);

// What a type rule sees of one op. Types of the operands are those inferred (may hold `?`).
struct OpContext {
  const Op& op;
  std::span<const Type> operands;
  // For ops with regions: the types of each region's results, already inferred.
  std::span<const std::vector<Type>> region_results;
  std::span<const SecureDevice> devices = {};  // of the graph

  // Attribute access. Errors: kInvalid, "op <name>: expected attribute <key> of type <...>".
  std::int64_t int_attr(std::string_view key) const;
  std::int64_t int_attr_or(std::string_view key, std::int64_t fallback) const;
  double double_attr(std::string_view key) const;
  bool bool_attr_or(std::string_view key, bool fallback) const;
  const std::string& string_attr(std::string_view key) const;
  const std::vector<std::int64_t>& ints_attr(std::string_view key) const;
  const std::vector<std::string>& strings_attr(std::string_view key) const;
  const Tensor& tensor_attr(std::string_view key) const;
  const Type& type_attr(std::string_view key) const;
};

// Result types of the op, their device set. Errors: kInvalid with a sentence that says what was
// expected and what was found; verify adds the op and its source line.
using TypeRule = std::vector<Type> (*)(const OpContext&);

// Kinds of secrets, as a set.
using SecretKinds = std::uint8_t;
constexpr SecretKinds secret_kind(SecretKind kind) {
  return static_cast<SecretKinds>(1U << static_cast<unsigned>(kind));
}
inline constexpr SecretKinds kNoSecrets = 0;
inline constexpr SecretKinds kBits = secret_kind(SecretKind::kBool);
inline constexpr SecretKinds kInts = secret_kind(SecretKind::kInt);
inline constexpr SecretKinds kFixeds = secret_kind(SecretKind::kFixed);
inline constexpr SecretKinds kAllSecrets = kBits | kInts | kFixeds;

struct OpSpec {
  std::string_view name;
  int min_operands;
  int max_operands;  // -1: any number
  int regions;
  std::vector<std::string_view> required_attrs;
  std::vector<std::string_view> optional_attrs;
  TypeRule rule;
  bool random = false;      // draws randomness: the instance enters its lineage
  bool dp = false;          // its result is differentially private (stability.h says of what)
  bool same_device = true;  // operands must be on op.device (false: moves and control ops)
  // On a secure device: which secrets it takes. Public tensors of the device may stand beside them,
  // from operand `public_from` on they must.
  SecretKinds secrets = kNoSecrets;
  int public_from = -1;
  bool publics = false;         // it takes public values alone too: it only makes or moves elements
  bool condition = false;       // operand 0 is a secret or public bool, apart from the others
  bool int_with_fixed = false;  // secrets of both kinds may meet
  bool not_of_nothing = false;  // on secrets; at a party the result of no elements is defined
  bool function = false;        // of fixed-point secrets with 8 to 24 fraction bits
  bool only_device = false;     // there is no such op at a party
  TypeRule secret_rule = nullptr;  // where the result is another than that of the clear types
};

// The result types of an op, wherever it runs: its row's rule, and on a secure device what becomes
// of secrets (an op on secrets gives secrets; one on public values alone, public ones).
// Errors: as TypeRule, and for what is not offered on secure devices.
std::vector<Type> result_types(const OpSpec& spec, const OpContext& op);

// What can be said of an op from itself alone. Errors: kInvalid for a wrong number of operands or
// regions, and for attributes that are missing, unknown, or of the wrong kind.
void check_form(const OpSpec& spec, const Op& op);

// Every op, sorted by name.
std::span<const OpSpec> op_table();
// nullptr where unknown.
const OpSpec* find_op(std::string_view name);

// How many results an op has, from its name, attributes and regions alone; 1 for an unknown op.
std::int64_t result_count(const Op& op);
// What the regions of a control op are called in JSON and text: {"then", "else"}, {"test", "body"},
// {"body"} of a `for` or call; empty for every other op.
std::span<const std::string_view> region_names(std::string_view op);
// The op may stand only inside the body of a `for`, at any depth.
bool needs_for_body(std::string_view op);

}  // namespace curia
