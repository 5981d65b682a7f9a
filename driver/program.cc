#include "driver/program.h"

#include <cmath>
#include <utility>

#include "driver/builder.h"
#include "protocol/op_table.h"

namespace curia {
namespace {

template <class T>
Tensor rounded(double number) {
  if (static_cast<double>(static_cast<T>(number)) != number) {
    throw Error(Code::kInvalid, "the number does not fit " +
                                    std::string(dtype_name(dtype_of<T>())) +
                                    " exactly; cast the array first");
  }
  return Tensor::scalar(static_cast<T>(number));
}

Tensor number_of(DType dtype, double number) {
  const bool whole = std::nearbyint(number) == number && std::fabs(number) < 9.2e18;
  if (!is_float(dtype) && !whole) {
    throw Error(Code::kInvalid, "a number with a fraction beside an array of " +
                                    std::string(dtype_name(dtype)) + "; cast the array first");
  }
  if (is_unsigned_int(dtype) && number < 0) {
    throw Error(Code::kInvalid, "a negative number beside an array of " +
                                    std::string(dtype_name(dtype)) + "; cast the array first");
  }
  switch (dtype) {
    case DType::kBool:
      expect(number == 0 || number == 1, "a number other than 0 and 1 beside an array of bool");
      return Tensor::scalar(number != 0);
    case DType::kI8:
      return rounded<std::int8_t>(number);
    case DType::kI16:
      return rounded<std::int16_t>(number);
    case DType::kI32:
      return rounded<std::int32_t>(number);
    case DType::kI64:
      return rounded<std::int64_t>(number);
    case DType::kU8:
      return rounded<std::uint8_t>(number);
    case DType::kU16:
      return rounded<std::uint16_t>(number);
    case DType::kU32:
      return rounded<std::uint32_t>(number);
    case DType::kU64:
      return rounded<std::uint64_t>(number);
    case DType::kF32:
      return Tensor::scalar(static_cast<float>(number));
    case DType::kF64:
      return Tensor::scalar(number);
    case DType::kString:
      break;
  }
  throw Error(Code::kInvalid, "arithmetic on strings");
}

Array one(std::string_view op, const Array& a, std::map<std::string, Attr> attrs,
          const Here& here) {
  return a.program().op(op, a.device(), {a}, std::move(attrs), here)[0];
}

Array two(std::string_view op, const Array& a, const Array& b, const Here& here) {
  return a.program().op(op, a.device(), {a, b}, {}, here)[0];
}

Array as_array(const Array& beside, double number, const Here& here) {
  return beside.program().constant(beside.device(), number_of(beside.type().tensor().dtype, number),
                                   here);
}

Array as_array(const Array& beside, const Operand& operand) {
  return operand.array.node() != nullptr ? operand.array
                                         : as_array(beside, operand.number, operand.here);
}

Array reduce(std::string_view op, const Array& a, Axes axes, bool keep_dims, const Here& here) {
  std::map<std::string, Attr> attrs;
  if (!axes.empty()) attrs["axes"] = std::move(axes);
  if (keep_dims) attrs["keep_dims"] = true;
  return one(op, a, std::move(attrs), here);
}

}  // namespace

const Type& Array::type() const {
  expect(node_ != nullptr, "this Array is empty: it came from no program");
  return node_->type;
}

Program& Array::program() const {
  expect(program_ != nullptr, "this Array is empty: it came from no program");
  return *program_;
}

Array Array::to(std::string_view party, std::string_view label, Here here) const {
  if (party == device()) return *this;
  std::map<std::string, Attr> attrs;
  if (!label.empty()) attrs["label"] = std::string(label);
  return program().op("transfer", party, {*this}, std::move(attrs), here)[0];
}

Array Array::cast(DType dtype, Here here) const {
  return one("cast", *this, {{"dtype", std::string(dtype_name(dtype))}}, here);
}
Array Array::reshape(Shape shape, Here here) const {
  return one("reshape", *this, {{"shape", std::move(shape)}}, here);
}
Array Array::broadcast(Shape shape, Here here) const {
  return one("broadcast", *this, {{"shape", std::move(shape)}}, here);
}
Array Array::transpose(std::vector<std::int64_t> perm, Here here) const {
  std::map<std::string, Attr> attrs;
  if (!perm.empty()) attrs["perm"] = std::move(perm);
  return one("transpose", *this, std::move(attrs), here);
}
Array Array::slice(std::vector<std::int64_t> starts, std::vector<std::int64_t> ends,
                   Here here) const {
  const Shape& shape = type().tensor().shape;
  for (std::size_t i = 0; i < ends.size() && i < shape.size(); ++i) {
    if (ends[i] == -1) ends[i] = shape[i];
  }
  return one("slice", *this, {{"starts", std::move(starts)}, {"ends", std::move(ends)}}, here);
}
Array Array::column(std::string_view name, Here here) const {
  return one("column", *this, {{"name", std::string(name)}}, here);
}
Array Array::select(std::vector<std::string> columns, Here here) const {
  return one("table_select", *this, {{"columns", std::move(columns)}}, here);
}
Array Array::filter(const Array& mask, Here here) const { return two("filter", *this, mask, here); }
Array Array::with_column(std::string_view name, const Array& values, Here here) const {
  return program().op("with_column", device(), {*this, values}, {{"name", std::string(name)}},
                      here)[0];
}
Array Array::tensor(std::vector<std::string> columns, DType dtype, Here here) const {
  return one("to_tensor", *this,
             {{"columns", std::move(columns)}, {"dtype", std::string(dtype_name(dtype))}}, here);
}

Array binary(std::string_view op, const Array& a, const Operand& b) {
  return two(op, a, as_array(a, b), b.here);
}
Array binary(std::string_view op, const Number& a, const Array& b) {
  return two(op, as_array(b, a.number, a.here), b, a.here);
}
Array operator-(const Array& a) { return one("neg", a, {}, Here::current()); }
Array operator!(const Array& a) { return one("not", a, {}, Here::current()); }
Array minimum(const Array& a, const Operand& b) { return binary("minimum", a, b); }
Array maximum(const Array& a, const Operand& b) { return binary("maximum", a, b); }
Array pow(const Array& a, const Operand& b) { return binary("pow", a, b); }
Array abs(const Array& a, Here here) { return one("abs", a, {}, here); }
Array exp(const Array& a, Here here) { return one("exp", a, {}, here); }
Array log(const Array& a, Here here) { return one("log", a, {}, here); }
Array sqrt(const Array& a, Here here) { return one("sqrt", a, {}, here); }
Array sigmoid(const Array& a, Here here) { return one("sigmoid", a, {}, here); }
Array tanh(const Array& a, Here here) { return one("tanh", a, {}, here); }
Array floor(const Array& a, Here here) { return one("floor", a, {}, here); }

Array select(const Array& condition, const Array& yes, const Operand& no) {
  return yes.program().op("select", yes.device(), {condition, yes, as_array(yes, no)}, {},
                          no.here)[0];
}
Array matmul(const Array& a, const Array& b, Here here) { return two("matmul", a, b, here); }
Array concat(const std::vector<Array>& parts, std::int64_t axis, Here here) {
  expect(!parts.empty(), "concat of nothing");
  return parts[0].program().op("concat", parts[0].device(), parts, {{"axis", axis}}, here)[0];
}
Array gather(const Array& a, const Array& indices, std::int64_t axis, Here here) {
  return a.program().op("gather", a.device(), {a, indices}, {{"axis", axis}}, here)[0];
}

Array sum(const Array& a, Axes axes, bool keep_dims, Here here) {
  return reduce("sum", a, std::move(axes), keep_dims, here);
}
Array mean(const Array& a, Axes axes, bool keep_dims, Here here) {
  return reduce("mean", a, std::move(axes), keep_dims, here);
}
Array min(const Array& a, Axes axes, bool keep_dims, Here here) {
  return reduce("min", a, std::move(axes), keep_dims, here);
}
Array max(const Array& a, Axes axes, bool keep_dims, Here here) {
  return reduce("max", a, std::move(axes), keep_dims, here);
}
Array argmax(const Array& a, std::int64_t axis, Here here) {
  return one("argmax", a, {{"axis", axis}}, here);
}
Array argmin(const Array& a, std::int64_t axis, Here here) {
  return one("argmin", a, {{"axis", axis}}, here);
}
Array argsort(const Array& a, std::int64_t axis, bool descending, Here here) {
  std::map<std::string, Attr> attrs{{"axis", axis}};
  if (descending) attrs["descending"] = true;
  return one("argsort", a, std::move(attrs), here);
}

Array join(const Array& left, const Array& right, std::vector<std::string> on, Here here) {
  return left.program().op("join", left.device(), {left, right}, {{"on", std::move(on)}}, here)[0];
}
Array group_by(const Array& table, std::vector<std::string> keys,
               std::vector<std::string> aggregates, Here here) {
  return one("group_by", table, {{"keys", std::move(keys)}, {"aggs", std::move(aggregates)}}, here);
}

Arrays cond(const Array& predicate, const std::function<Arrays()>& then,
            const std::function<Arrays()>& otherwise, Here here) {
  Program::Builder& builder = *predicate.program().builder_;
  Captures captures;
  std::vector<std::unique_ptr<Scope>> scopes;
  std::vector<Arrays> results;
  for (const auto* branch : {&then, &otherwise}) {
    scopes.push_back(std::make_unique<Scope>(builder.current, &captures));
    results.push_back(builder.record_region(*scopes.back(), *branch));
  }
  expect(results[0].size() == results[1].size(), "both branches of a cond return equally many");
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    if (results[0][i].type() != results[1][i].type()) {
      throw Error(Code::kInvalid, "result " + std::to_string(i) + " of a cond is " +
                                      results[0][i].type().str() + " in one branch and " +
                                      results[1][i].type().str() + " in the other");
    }
  }
  Op op{.name = "cond", .device = predicate.device()};
  return builder.control(predicate.program(), std::move(op), {predicate}, captures, scopes, results,
                         results[0].size(), here);
}

Arrays for_loop(std::int64_t count, const Arrays& state,
                const std::function<Arrays(const Arrays&, const Index&)>& body, Here here) {
  expect(!state.empty(), "a for loop carries at least one value");
  Program& program = state[0].program();
  Program::Builder& builder = *program.builder_;
  Captures captures;
  std::vector<std::unique_ptr<Scope>> scopes;
  scopes.push_back(std::make_unique<Scope>(builder.current, &captures));
  Arrays inner;
  for (const Array& value : state) {
    inner.emplace_back(&program, scopes[0]->add_param(value.type()));
  }
  const Index index = [&program, here](std::string_view party) {
    return program.op("loop_index", party, {}, {}, here)[0];
  };
  const std::vector<Arrays> results = {
      builder.record_region(*scopes[0], [&] { return body(inner, index); })};
  expect(results[0].size() == state.size(), "a for body returns as many values as it carries");
  Op op{.name = "for", .device = state[0].device()};
  op.attrs = {{"carried", static_cast<std::int64_t>(state.size())}, {"count", count}};
  return builder.control(program, std::move(op), state, captures, scopes, results, state.size(),
                         here);
}

Arrays while_loop(std::int64_t limit, const Arrays& state,
                  const std::function<Array(const Arrays&)>& condition,
                  const std::function<Arrays(const Arrays&)>& body, Here here) {
  expect(!state.empty(), "a while loop carries at least one value");
  Program& program = state[0].program();
  Program::Builder& builder = *program.builder_;
  Captures captures;
  std::vector<std::unique_ptr<Scope>> scopes;
  std::vector<Arrays> results;
  for (int part = 0; part < 2; ++part) {
    scopes.push_back(std::make_unique<Scope>(builder.current, &captures));
    Arrays inner;
    for (const Array& value : state) {
      inner.emplace_back(&program, scopes.back()->add_param(value.type()));
    }
    results.push_back(builder.record_region(*scopes.back(), [&]() -> Arrays {
      return part == 0 ? Arrays{condition(inner)} : body(inner);
    }));
  }
  expect(results[1].size() == state.size(), "a while body returns as many values as it carries");
  Op op{.name = "while", .device = results[0][0].device()};
  op.attrs = {{"carried", static_cast<std::int64_t>(state.size())}, {"limit", limit}};
  return builder.control(program, std::move(op), state, captures, scopes, results, state.size(),
                         here);
}

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
    std::vector<Type> types;
    for (const Array& operand : operands) {
      expect(&operand.program() == this, "an operand belongs to another program");
      if (spec->same_device && operand.device() != device) {
        throw Error(Code::kInvalid, "an operand is at " + operand.device() + ", the op at " +
                                        std::string(device) + "; move it first with .to(\"" +
                                        std::string(device) + "\")");
      }
      record.operands.push_back(builder_->current->resolve(operand.node()));
      types.push_back(operand.type());
    }
    Arrays results;
    for (Type& type : spec->rule({record.op, types, {}})) {
      auto node = std::make_shared<Node>(Node{builder_->current, std::move(type), 0});
      record.results.push_back(node);
      results.emplace_back(this, std::move(node));
    }
    builder_->current->record(std::move(record));
    return results;
  } catch (const Error& error) {
    throw error.at_op(name, site);
  }
}

Array Program::dataset(const DatasetInfo& info, Here here) {
  return op("dataset", info.type.device, {}, {{"name", info.name}, {"type", info.type}}, here)[0];
}

Array Program::input(const Ref& ref, Here here) {
  const std::string name = "ref" + std::to_string(builder_->bound.size());
  builder_->bound.emplace(name, ref);
  return input(name, ref.type(), here);
}

Array Program::input(std::string_view name, const Type& type, Here here) {
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
  builder_->inputs.push_back({std::string(name), type});
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
  return op("load", type.device, {}, {{"uri", uri.str()}, {"type", type}}, here)[0];
}
void Program::save(const Array& value, const Uri& uri, Here here) {
  op("save", value.device(), {value}, {{"uri", uri.str()}}, here);
}

void Program::output(std::string_view name, const Array& value) {
  check_name(name, "output");
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
  std::vector<NodePtr> results;
  for (const auto& [name, node] : builder_->outputs) results.push_back(node);
  Region region = builder_->root.close(results, true);
  graph.ops = std::move(region.ops);
  for (std::size_t i = 0; i < results.size(); ++i) {
    graph.outputs.push_back({builder_->outputs[i].first, region.results[i]});
  }
  return graph;
}

const std::map<std::string, Ref>& Program::bound() const { return builder_->bound; }

}  // namespace curia
