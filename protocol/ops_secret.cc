// Secure devices: the moves onto them and off them, the ops that only they have, and what becomes
// of the other ops' types there.
#include <algorithm>

#include "protocol/ops.h"

namespace curia {
namespace ops {
namespace {

std::string place_text(const OpContext& op) {
  const SecureDevice* device = find_device(op.devices, op.op.device);
  return device == nullptr ? "party " + op.op.device : "secure device " + op.op.device;
}

void check_label(const OpContext& op) {
  if (op.op.attrs.contains("label")) check_name(op.string_attr("label"), op.op.name + " label");
}

SecretKind kind_to_share(const OpContext& op, DType dtype) {
  if (!op.op.attrs.contains("kind")) {
    if (dtype == DType::kBool) return SecretKind::kBool;
    return is_float(dtype) ? SecretKind::kFixed : SecretKind::kInt;
  }
  const std::string& kind = op.string_attr("kind");
  if (kind == "bool") return SecretKind::kBool;
  if (kind == "int") return SecretKind::kInt;
  if (kind == "fixed") return SecretKind::kFixed;
  refuse("expected kind \"bool\", \"int\" or \"fixed\", found " + in_quotes(kind));
}

// 0 for kinds that have none.
int fraction_bits_attr(const OpContext& op, SecretKind kind) {
  if (!op.op.attrs.contains("fraction_bits")) {
    return kind == SecretKind::kFixed ? kDefaultFractionBits : 0;
  }
  if (kind != SecretKind::kFixed) {
    refuse("only fixed-point secrets have fraction_bits; leave it out");
  }
  return static_cast<int>(int_attr_between(op, "fraction_bits", 1, kMaxFractionBits));
}

std::vector<Type> share(const OpContext& op) {
  check_label(op);
  const Type& type = op.operands[0];
  if (find_device(op.devices, op.op.device) == nullptr) {
    refuse("expected a secure device of this program, found party " + op.op.device +
           "; transfer moves plain values to a party");
  }
  if (type.is_secret() || find_device(op.devices, type.device) != nullptr) {
    refuse("the operand is on secure device " + type.device + " already, found " + brief(type));
  }
  const TensorType& x = tensor_operand(op, 0);
  if (element_count(x.shape) == kUnknown) {
    refuse("expected an operand of known shape, found " + brief(type) +
           "; bound the rows with to_tensor's pad_to");
  }
  const SecretKind kind = kind_to_share(op, x.dtype);
  if (kind == SecretKind::kBool && x.dtype != DType::kBool) {
    refuse("expected bool to share as bool, found " + brief(type) + "; compare it with 0 first");
  }
  if (kind == SecretKind::kInt && is_float(x.dtype)) {
    refuse("expected integers to share as int, found " + brief(type) + "; cast it first");
  }
  return {Type{SecretType{kind, fraction_bits_attr(op, kind), x.shape}, op.op.device}};
}

std::vector<Type> reveal(const OpContext& op) {
  check_label(op);
  const Type& type = op.operands[0];
  if (!type.is_secret()) {
    refuse("expected a secret on a secure device, found " + brief(type) +
           (find_device(op.devices, type.device) != nullptr ? "; it is public among the members"
                                                            : "; it is plain already"));
  }
  if (find_device(op.devices, op.op.device) != nullptr) {
    refuse("expected a party to learn it, found secure device " + op.op.device);
  }
  return {placed(op, clear_type(type.secret()))};
}

// For the rules below, operands are what result_types() makes of secrets: their clear types.
std::vector<Type> same(const OpContext& op) { return {placed(op, tensor_operand(op, 0))}; }

void want_some(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  if (element_count(x.shape) == 0) refuse("the " + op.op.name + " of nothing is not defined");
}

std::vector<Type> variance(const OpContext& op) { return find_op("mean")->rule(op); }

std::vector<Type> sort(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  if (x.shape.empty() || rank(x) > 2) {
    refuse("expected [n] or [n, columns] to sort by rows, found " + brief(x) +
           "; reshape it first");
  }
  const std::int64_t columns = rank(x) == 1 ? 1 : x.shape[1];
  if (op.op.attrs.contains("key")) {
    int_attr_between(op, "key", 0, std::max<std::int64_t>(columns - 1, 0));
  }
  op.bool_attr_or("descending", false);
  return {placed(op, x)};
}

std::vector<Type> shuffle(const OpContext& op) {
  const TensorType& x = tensor_operand(op, 0);
  if (x.shape.empty()) refuse("expected rows to shuffle, found " + brief(x));
  return {placed(op, x)};
}

const char* kind_word(SecretKind kind) {
  switch (kind) {
    case SecretKind::kBool:
      return "bool";
    case SecretKind::kInt:
      return "int";
    case SecretKind::kFixed:
      break;
  }
  return "fixed";
}

std::string kinds_text(SecretKinds kinds) {
  std::string text;
  for (const SecretKind kind : {SecretKind::kBool, SecretKind::kInt, SecretKind::kFixed}) {
    if ((kinds & secret_kind(kind)) == 0) continue;
    text += (text.empty() ? "secret<" : " or secret<") + std::string(kind_word(kind)) + ">";
  }
  return text;
}

// The kind that the secrets of an op have in common, and their fraction bits.
struct Common {
  SecretKind kind = SecretKind::kBool;
  int fraction_bits = 0;
  const Type* first = nullptr;
};

bool stands_apart(const OpSpec& spec, std::size_t i) {
  return (spec.condition && i == 0) ||
         (spec.public_from >= 0 && static_cast<int>(i) >= spec.public_from);
}

void join_kind(const OpSpec& spec, const Type& type, Common& common) {
  const SecretType& secret = type.secret();
  if (secret.kind == SecretKind::kFixed) {
    if (common.fraction_bits != 0 && common.fraction_bits != secret.fraction_bits) {
      refuse("expected secrets of equal fraction bits, found " +
             std::to_string(common.fraction_bits) + " and " + std::to_string(secret.fraction_bits) +
             "; share both with the same fraction_bits, or cast one");
    }
    common.fraction_bits = secret.fraction_bits;
  }
  if (common.first != nullptr && common.kind != secret.kind) {
    const bool numbers = common.kind != SecretKind::kBool && secret.kind != SecretKind::kBool;
    if (!spec.int_with_fixed || !numbers) {
      refuse("expected secrets of one kind, found " + brief(*common.first) + " and " + brief(type) +
             "; cast one of them");
    }
    common.kind = SecretKind::kFixed;
  } else {
    common.kind = secret.kind;
  }
  if (common.first == nullptr) common.first = &type;
}

Common common_kind(const OpSpec& spec, const OpContext& op) {
  Common common;
  for (std::size_t i = 0; i < op.operands.size(); ++i) {
    const Type& type = op.operands[i];
    if (!type.is_secret()) continue;
    const SecretKind kind = type.secret().kind;
    const std::string what = "expected operand " + std::to_string(i) + " to be ";
    if (spec.condition && i == 0) {
      if (kind != SecretKind::kBool) refuse(what + "secret<bool>, found " + brief(type));
      continue;
    }
    if (stands_apart(spec, i)) refuse(what + "public, found " + brief(type));
    if ((spec.secrets & secret_kind(kind)) == 0) {
      refuse(what + kinds_text(spec.secrets) + ", found " + brief(type));
    }
    join_kind(spec, type, common);
  }
  return common;
}

// What stands for the operand in the rule of the clear op: numbers beside fixed-point secrets as
// f64, integers beside ints as i64.
Type clear_operand(const OpSpec& spec, const OpContext& op, std::size_t i, const Common& common) {
  const Type& type = op.operands[i];
  TensorType clear = type.is_secret() ? clear_type(type.secret()) : tensor_operand(op, i);
  if (stands_apart(spec, i) || common.first == nullptr) return {std::move(clear), type.device};
  const DType dtype = clear.dtype;
  bool fits = false;
  switch (common.kind) {
    case SecretKind::kBool:
      fits = dtype == DType::kBool;
      break;
    case SecretKind::kInt:
      fits = is_int(dtype);
      clear.dtype = DType::kI64;
      break;
    case SecretKind::kFixed:
      fits = is_number(dtype);
      clear.dtype = DType::kF64;
      break;
  }
  if (!fits) {
    refuse("expected operand " + std::to_string(i) + " to fit beside " + brief(*common.first) +
           ", found " + brief(type));
  }
  return {std::move(clear), type.device};
}

Type secret_of(const Type& clear, int fraction_bits) {
  const TensorType& tensor = clear.tensor();
  SecretType secret{SecretKind::kInt, 0, tensor.shape};
  if (tensor.dtype == DType::kBool) secret.kind = SecretKind::kBool;
  if (is_float(tensor.dtype)) {
    secret.kind = SecretKind::kFixed;
    secret.fraction_bits = fraction_bits == 0 ? kDefaultFractionBits : fraction_bits;
  }
  return {std::move(secret), clear.device};
}

std::vector<Type> on_device(const OpSpec& spec, const OpContext& op) {
  const bool secret = std::ranges::any_of(op.operands, &Type::is_secret);
  if (spec.secrets == kNoSecrets && !spec.publics) {
    refuse("is not offered on " + place_text(op) +
           "; do it at a party before share, or after reveal");
  }
  if (!secret) {
    if (!spec.publics) {
      refuse("expected a secret among the operands on " + place_text(op) +
             "; compute public values at a party, or give them as constants");
    }
    return spec.rule(op);
  }
  const Common common = common_kind(spec, op);
  if (spec.function && (common.fraction_bits < 8 || common.fraction_bits > 24)) {
    refuse("expected a secret of 8 to 24 fraction bits, found " + brief(*common.first) +
           "; cast it to f64 with other fraction_bits first");
  }
  if (spec.secret_rule != nullptr) return spec.secret_rule(op);
  std::vector<Type> clear;
  for (std::size_t i = 0; i < op.operands.size(); ++i) {
    clear.push_back(clear_operand(spec, op, i, common));
  }
  const OpContext stand_in{op.op, clear, op.region_results, op.devices};
  if (spec.not_of_nothing) want_some(stand_in);
  std::vector<Type> results = spec.rule(stand_in);
  for (Type& result : results) result = secret_of(result, common.fraction_bits);
  return results;
}

}  // namespace

std::vector<OpSpec> secret_ops() {
  std::vector<OpSpec> table;
  const auto move = [&table](const char* name, std::vector<std::string_view> attrs, TypeRule rule) {
    OpSpec spec{name, 1, 1, 0, {}, std::move(attrs), rule};
    spec.same_device = false;
    table.push_back(std::move(spec));
  };
  move("share", {"fraction_bits", "kind", "label"}, share);
  move("reveal", {"label"}, reveal);
  const auto only_here = [&table](OpSpec spec, SecretKinds kinds, bool random = false) {
    spec.only_device = true;
    spec.random = random;
    table.push_back(on_secrets(std::move(spec), kinds));
  };
  only_here({"reciprocal", 1, 1, 0, {}, {}, same}, kFixeds);
  table.back().function = true;
  only_here({"relu", 1, 1, 0, {}, {}, same}, kInts | kFixeds);
  only_here({"variance", 1, 1, 0, {}, {"axes", "keep_dims"}, variance}, kFixeds);
  table.back().not_of_nothing = true;
  only_here({"sort", 1, 1, 0, {}, {"descending", "key"}, sort}, kInts | kFixeds);
  only_here({"shuffle", 1, 1, 0, {}, {}, shuffle}, kInts | kFixeds, true);
  return table;
}

OpSpec on_secrets(OpSpec row, SecretKinds kinds) {
  row.secrets = kinds;
  return row;
}

OpSpec moves_elements(OpSpec row) {
  row.secrets = kAllSecrets;
  row.publics = true;
  return row;
}

OpSpec makes_public(OpSpec row) {
  row.publics = true;
  return row;
}

std::vector<Type> cast_secret(const OpContext& op) {
  const DType dtype = dtype_attr(op);
  SecretType secret = op.operands[0].secret();
  if (dtype == DType::kBool) {
    secret.kind = SecretKind::kBool;
  } else if (dtype == DType::kI64) {
    secret.kind = SecretKind::kInt;
  } else if (dtype == DType::kF64) {
    secret.kind = SecretKind::kFixed;
  } else {
    refuse("expected dtype \"bool\", \"i64\" or \"f64\" for a secret, found " +
           in_quotes(op.string_attr("dtype")));
  }
  secret.fraction_bits = fraction_bits_attr(op, secret.kind);
  return {Type{std::move(secret), op.op.device}};
}

}  // namespace ops

std::vector<Type> result_types(const OpSpec& spec, const OpContext& op) {
  const bool on_device = find_device(op.devices, op.op.device) != nullptr;
  if (op.op.attrs.contains("overflow")) {
    if (!on_device) ops::refuse("only secrets overflow; leave the attribute overflow out");
    if (op.string_attr("overflow") != "warn") {
      ops::refuse("expected overflow \"warn\", or none, found " +
                  ops::in_quotes(op.string_attr("overflow")));
    }
  }
  if (spec.same_device && on_device) return ops::on_device(spec, op);
  if (spec.only_device) {
    ops::refuse("is offered on secure devices only, found " + ops::place_text(op));
  }
  return spec.rule(op);
}

}  // namespace curia
