// Control ops. Before these rules run, verify has checked that the parameters of every region have
// the types of the operands that feed it.
#include "protocol/ops.h"

namespace curia::ops {
namespace {

void want_predicate(const OpContext& op, const Type& type, const std::string& what) {
  if (type.is_secret()) {
    refuse("expected " + what + " to be plain, found " + brief(type) +
           ": everybody would see which way it goes; use select, or reveal it to a party first");
  }
  if (find_device(op.devices, op.op.device) != nullptr) {
    refuse("expected a party to hold " + what + " found secure device " + op.op.device);
  }
  const bool good = type.is_tensor() && type.tensor() == TensorType{DType::kBool, {}};
  if (!good || type.device != op.op.device) {
    refuse("expected " + what + " to be bool[] @" + op.op.device + ", found " + brief(type));
  }
}

// Operands before the invariants.
std::size_t carried_operands(const OpContext& op) {
  return static_cast<std::size_t>(
      int_attr_between(op, "carried", 0, static_cast<std::int64_t>(op.operands.size())));
}

// A body gives the next values of what is carried, of the same types.
std::vector<Type> carry(const OpContext& op, const std::vector<Type>& body) {
  const auto carried = op.operands.first(carried_operands(op));
  if (body.size() != carried.size()) {
    refuse("expected the body to give the " + std::to_string(carried.size()) +
           " carried values, found " + std::to_string(body.size()));
  }
  for (std::size_t i = 0; i < carried.size(); ++i) {
    if (body[i] != carried[i]) {
      refuse("expected result " + std::to_string(i) + " of the body to be " + brief(carried[i]) +
             " as the value carried in, found " + brief(body[i]));
    }
  }
  return {carried.begin(), carried.end()};
}

std::vector<Type> cond(const OpContext& op) {
  want_predicate(op, op.operands[0], "operand 0, the predicate,");
  const auto& then = op.region_results[0];
  const auto& otherwise = op.region_results[1];
  if (then.size() != otherwise.size()) {
    refuse("expected both branches to give the same number of values, found " +
           std::to_string(then.size()) + " and " + std::to_string(otherwise.size()));
  }
  for (std::size_t i = 0; i < then.size(); ++i) {
    if (then[i] != otherwise[i]) {
      refuse("expected result " + std::to_string(i) + " of both branches to have one type, found " +
             brief(then[i]) + " and " + brief(otherwise[i]));
    }
  }
  return then;
}

std::vector<Type> call(const OpContext& op) {
  if (find_device(op.devices, op.op.device) != nullptr) {
    refuse("expected a party to call, found secure device " + op.op.device);
  }
  return op.region_results[0];
}

std::vector<Type> while_loop(const OpContext& op) {
  int_attr_between(op, "limit", 1, INT64_MAX);
  const auto& test = op.region_results[0];
  if (test.size() != 1) {
    refuse("expected the test to give one value, found " + std::to_string(test.size()));
  }
  want_predicate(op, test[0], "the result of the test");
  return carry(op, op.region_results[1]);
}

std::vector<Type> for_loop(const OpContext& op) {
  int_attr_between(op, "count", 0, INT64_MAX);
  return carry(op, op.region_results[0]);
}

}  // namespace

std::vector<OpSpec> control_ops() {
  return {
      {.name = "call",
       .min_operands = 0,
       .max_operands = -1,
       .regions = 1,
       .required_attrs = {},
       .optional_attrs = {},
       .rule = call,
       .same_device = false},
      {.name = "cond",
       .min_operands = 1,
       .max_operands = -1,
       .regions = 2,
       .required_attrs = {},
       .optional_attrs = {},
       .rule = cond,
       .same_device = false},
      {.name = "for",
       .min_operands = 0,
       .max_operands = -1,
       .regions = 1,
       .required_attrs = {"carried", "count"},
       .optional_attrs = {},
       .rule = for_loop,
       .same_device = false},
      {.name = "while",
       .min_operands = 0,
       .max_operands = -1,
       .regions = 2,
       .required_attrs = {"carried", "limit"},
       .optional_attrs = {},
       .rule = while_loop,
       .same_device = false},
  };
}

}  // namespace curia::ops
