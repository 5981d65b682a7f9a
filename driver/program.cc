#include "driver/program.h"

#include <algorithm>
#include <utility>

#include "driver/builder.h"
#include "protocol/op_table.h"
#include "protocol/range.h"

namespace curia {
namespace {

bool takes_attr(const OpSpec& spec, std::string_view key) {
  return std::ranges::find(spec.optional_attrs, key) != spec.optional_attrs.end();
}

std::map<std::string, Attr> with_ranges(std::map<std::string, Attr> attrs, Ranges ranges) {
  if (!ranges.empty()) attrs["range"] = std::move(ranges);
  return attrs;
}

}  // namespace

Program::Program(std::string name) : builder_(std::make_unique<Builder>()) {
  check_name(name, "program");
  builder_->name = std::move(name);
}

Program::~Program() = default;

Arrays Program::op(std::string_view name, std::string_view device, const Arrays& operands,
                   std::map<std::string, Attr> attrs, Here here) {
  OpRecord record;
  record.op = {.name = std::string(name), .device = std::string(device), .attrs = std::move(attrs)};
  record.op.site = builder_->site_number(here);
  const Site site = builder_->sites[record.op.site - 1];
  try {
    check_name(device, "party");
    const OpSpec* spec = find_op(name);
    if (spec == nullptr) {
      throw Error(Code::kInvalid, "there is no op \"" + std::string(name) + "\"");
    }
    if (builder_->accepts_overflow && find_device(builder_->devices, device) != nullptr &&
        takes_attr(*spec, "overflow")) {
      record.op.attrs.emplace("overflow", std::string("warn"));
    }
    std::vector<Type> types;
    for (const Array& operand : operands) {
      expect(&operand.program() == this, "an operand belongs to another program");
      if (spec->same_device && operand.device() != device) {
        throw Error(Code::kInvalid, "an operand is at " + operand.device() + ", the op at " +
                                        std::string(device) + "; move it first with " +
                                        (operand.type().is_secret() ? ".reveal(\"" : ".to(\"") +
                                        std::string(device) + "\")");
      }
      record.operands.push_back(builder_->current->resolve(operand.node()));
      builder_->check_is_there(record.operands.back());
      types.push_back(operand.type());
    }
    Arrays results;
    for (Type& type : result_types(*spec, {record.op, types, {}, builder_->devices})) {
      auto node =
          std::make_shared<ValueNode>(ValueNode{builder_->current->mark(), std::move(type)});
      record.results.push_back(node);
      results.emplace_back(this, std::move(node));
    }
    record.saves = name == "save";
    builder_->current->record(std::move(record));
    return results;
  } catch (const Error& error) {
    throw error.at_op(name, site);
  }
}

Array Program::dataset(const DatasetInfo& info, Here here) {
  return op("dataset", info.type.device, {},
            with_ranges({{"name", info.name}, {"type", info.type}}, info.ranges), here)[0];
}

Device Program::device(std::string_view name, std::vector<std::string> members,
                       std::string_view protocol) {
  SecureDevice device{std::string(name), std::string(protocol), std::move(members)};
  builder_->add_device(device);
  return Device(std::move(device));
}

Array Program::input(const Ref& ref, Here here) {
  if (ref.type().is_secret()) builder_->add_device(ref.facts().device);
  const std::string name = "ref" + std::to_string(builder_->bound.size());
  builder_->bound.emplace(name, ref);
  return input(name, ref.type(), ref.facts().ranges, here);
}

Array Program::input(std::string_view name, const Type& type, Here here) {
  return input(name, type, Ranges{}, here);
}

Array Program::input(std::string_view name, const Type& type, Ranges ranges, Here here) {
  check_name(name, "input");
  check_name(type.device, "party");
  expect(builder_->current == &builder_->root,
         "an input is declared outside of loops and branches");
  (void)here;
  for (const GraphInput& known : builder_->inputs) {
    if (known.name == name) {
      throw Error(Code::kInvalid, "there are two inputs \"" + std::string(name) + "\"");
    }
  }
  check_taken_ranges(ranges, type);
  builder_->inputs.push_back({std::string(name), type, std::move(ranges)});
  return Array(this, builder_->root.add_param(type));
}

Array Program::constant(std::string_view party, const Tensor& value, Here here) {
  return op("constant", party, {}, {{"value", value}}, here)[0];
}
Array Program::iota(std::string_view party, std::int64_t count, Here here) {
  return op("iota", party, {}, {{"count", count}}, here)[0];
}
Array Program::random(std::string_view party, Shape shape, std::int64_t seed,
                      std::string_view distribution, Here here) {
  return op("random", party, {},
            {{"shape", std::move(shape)},
             {"seed", seed},
             {"distribution", std::string(distribution)},
             {"dtype", std::string("f64")}},
            here)[0];
}
Array Program::load(const Uri& uri, const Type& type, Here here) {
  return load(uri, type, Ranges{}, here);
}
Array Program::load(const Uri& uri, const Type& type, Ranges ranges, Here here) {
  return op("load", type.device, {},
            with_ranges({{"uri", uri.str()}, {"type", type}}, std::move(ranges)), here)[0];
}
void Program::save(const Array& value, const Uri& uri, Here here) {
  op("save", value.device(), {value}, {{"uri", uri.str()}}, here);
}

void Program::accept_overflow(bool accept) { builder_->accepts_overflow = accept; }

void Program::output(std::string_view name, const Array& value) {
  check_name(name, "output");
  expect(&value.program() == this,
         "output \"" + std::string(name) + "\" belongs to another program");
  expect(builder_->current == &builder_->root,
         "an output is named outside of loops and branches; return the value from the body");
  for (const auto& [known, node] : builder_->outputs) {
    if (known == name) {
      throw Error(Code::kInvalid, "there are two outputs \"" + std::string(name) + "\"");
    }
  }
  builder_->outputs.emplace_back(name, builder_->root.resolve(value.node()));
}

Graph Program::graph() const {
  Graph graph;
  graph.name = builder_->name;
  graph.inputs = builder_->inputs;
  graph.sites = builder_->sites;
  graph.devices = builder_->devices;
  std::vector<NodePtr> results;
  for (const auto& [name, node] : builder_->outputs) results.push_back(node);
  Region region = builder_->root.close(results);
  graph.ops = std::move(region.ops);
  for (std::size_t i = 0; i < results.size(); ++i) {
    graph.outputs.push_back({builder_->outputs[i].first, region.results[i]});
  }
  return graph;
}

const std::map<std::string, Ref>& Program::bound() const { return builder_->bound; }

}  // namespace curia
