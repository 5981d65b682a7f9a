// Ops that bring values into a graph and out of it, and the move between parties.
#include "protocol/ops.h"
#include "protocol/range.h"
#include "protocol/uri.h"

namespace curia::ops {
namespace {

// The type a source declares, on the op's device.
std::vector<Type> declared(const OpContext& op) {
  Type type = op.type_attr("type");
  check_type(type);
  if (type.is_secret()) {
    refuse("expected a tensor or a table, found " + brief(type) +
           "; a secret enters a program as an input");
  }
  if (!type.device.empty() && type.device != op.op.device) {
    refuse("expected the type of a source without a device or on " + op.op.device + ", found " +
           brief(type));
  }
  type.device = op.op.device;
  if (const auto range = op.op.attrs.find("range"); range != op.op.attrs.end()) {
    const auto& ranges = std::get<Ranges>(range->second);
    op.op.name == "load" ? check_taken_ranges(ranges, type) : check_ranges(ranges, type);
  }
  return {std::move(type)};
}

std::vector<Type> dataset(const OpContext& op) {
  check_name(op.string_attr("name"), "dataset");
  return declared(op);
}

std::vector<Type> load(const OpContext& op) {
  Uri::parse(op.string_attr("uri"));
  return declared(op);
}

std::vector<Type> save(const OpContext& op) {
  Uri::parse(op.string_attr("uri"));
  return {};
}

std::vector<Type> constant(const OpContext& op) {
  const Tensor& value = op.tensor_attr("value");
  Type type = placed(op, value.type());
  check_type(type);
  const std::int64_t bytes = byte_count(value.type());
  if (bytes == kUnknown) refuse("a constant cannot have an unknown extent: " + brief(type));
  if (bytes > kMaxConstantBytes) {
    refuse("expected a constant of at most " + std::to_string(kMaxConstantBytes) +
           " bytes, found " + brief(type) + " of " + std::to_string(bytes) +
           "; put larger values and name them as inputs");
  }
  if (value.data.size != bytes) {
    refuse("expected " + std::to_string(bytes) + " bytes of data for a constant " + brief(type) +
           ", found " + std::to_string(value.data.size));
  }
  if (value.dtype == DType::kBool) {
    for (std::int64_t i = 0; i < bytes; ++i) {
      if (value.data.data[i] > 1) refuse("expected bytes of 0 and 1 in a constant of bool");
    }
  }
  return {std::move(type)};
}

std::vector<Type> iota(const OpContext& op) {
  const std::int64_t count = int_attr_between(op, "count", 0, kMaxElements);
  return {placed(op, TensorType{DType::kI64, {count}})};
}

std::vector<Type> random(const OpContext& op) {
  op.int_attr("seed");
  const std::string& distribution = op.string_attr("distribution");
  if (distribution != "uniform" && distribution != "normal") {
    refuse("expected distribution \"uniform\" or \"normal\", found " + in_quotes(distribution));
  }
  const DType dtype = dtype_attr(op);
  if (!is_float(dtype)) {
    refuse("expected dtype \"f32\" or \"f64\", found " + in_quotes(op.string_attr("dtype")));
  }
  return {placed(op, TensorType{dtype, shape_attr(op)})};
}

std::vector<Type> loop_index(const OpContext& op) {
  return {placed(op, TensorType{DType::kI64, {}})};
}

std::vector<Type> transfer(const OpContext& op) {
  if (op.op.attrs.contains("label")) check_name(op.string_attr("label"), "transfer label");
  Type type = op.operands[0];
  if (type.is_secret() || find_device(op.devices, type.device) != nullptr) {
    refuse("the operand is on secure device " + type.device +
           "; a secret leaves its device by reveal only");
  }
  if (find_device(op.devices, op.op.device) != nullptr) {
    refuse("expected a party, found secure device " + op.op.device +
           "; a value goes there by share, or as a constant if it is public");
  }
  if (type.device == op.op.device) {
    refuse("the operand is at " + type.device + " already; leave the transfer out");
  }
  type.device = op.op.device;
  return {std::move(type)};
}

}  // namespace

std::vector<OpSpec> source_ops() {
  return {
      makes_public({"constant", 0, 0, 0, {"value"}, {}, constant}),
      {"dataset", 0, 0, 0, {"name", "type"}, {"range"}, dataset},
      makes_public({"iota", 0, 0, 0, {"count"}, {}, iota}),
      {"load", 0, 0, 0, {"type", "uri"}, {"range"}, load},
      makes_public({"loop_index", 0, 0, 0, {}, {}, loop_index}),
      // Not `random` in the sense of OpSpec: the seed is part of the graph, so it runs again alike.
      {"random", 0, 0, 0, {"distribution", "dtype", "seed", "shape"}, {}, random},
      {"save", 1, 1, 0, {"uri"}, {}, save},
      {.name = "transfer",
       .min_operands = 1,
       .max_operands = 1,
       .regions = 0,
       .required_attrs = {},
       .optional_attrs = {"label"},
       .rule = transfer,
       .same_device = false},
  };
}

}  // namespace curia::ops
