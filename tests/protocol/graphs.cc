#include "graphs.h"

#include <limits>

#include "protocol/verify.h"

namespace curia::test {
namespace {

std::int64_t pick(Random& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1));
}

template <class T>
const T& pick(Random& random, const std::vector<T>& list) {
  return list[random() % list.size()];
}

const std::vector<std::string> kParties = {"alice", "bob", "carol"};
const SecureDevice kDevice = {"abc", "replicated3", {"alice", "bob", "carol"}};
const std::vector<std::string> kColumns = {"id", "age", "pay", "total"};

Tensor random_tensor(Random& random) {
  const auto dtype = static_cast<DType>(pick(random, 0, kDTypes - 2));
  Tensor tensor{dtype, {}, {}};
  for (std::int64_t rank = pick(random, 0, 2); rank > 0; --rank) {
    tensor.shape.push_back(pick(random, 0, 3));
  }
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(byte_count(tensor.type())));
  for (auto& byte : bytes) {
    byte = static_cast<std::uint8_t>(dtype == DType::kBool ? random() % 2 : random());
  }
  if (bytes.size() >= 8 && random() % 4 == 0) {  // NaNs and infinities
    for (auto& byte : bytes) byte = random() % 2 == 0 ? 0xff : 0x7f;
    if (dtype == DType::kBool) bytes.assign(bytes.size(), 1);
  }
  tensor.data = Slice::copy_of(std::span<const std::uint8_t>(bytes));
  return tensor;
}

// A value that fits the key in some op or other.
Attr random_attr(Random& random, std::string_view key) {
  static const std::vector<std::string> dtypes = {"bool", "i32", "i64", "u8", "f32", "f64"};
  if (key == "dtype") return pick(random, dtypes);
  if (key == "distribution") return std::string(random() % 2 == 0 ? "uniform" : "normal");
  if (key == "uri") return std::string("fs:///a/b") + std::to_string(random() % 9);
  if (key == "name" || key == "label") return pick(random, kColumns);
  if (key == "columns" || key == "names" || key == "on" || key == "keys") {
    std::vector<std::string> list{pick(random, kColumns)};
    if (random() % 2 == 0) list.push_back(pick(random, kColumns));
    return list;
  }
  if (key == "overflow") return std::string("warn");
  if (key == "range") return Ranges{{"", {-1.5, 40}}};
  if (key == "kind") return std::string(random() % 2 == 0 ? "int" : "fixed");
  if (key == "aggs") return strings({"mean:age:avg", "count:id:n"});
  if (key == "value") return random_tensor(random);
  if (key == "type") {
    return type(random() % 2 == 0 ? "table[5]{id:string,age:i64,pay:f64}" : "f64[4,3]");
  }
  if (key == "carried") return pick(random, 0, 2);
  if (key == "epsilon") return 0.5;
  if (key == "delta") return 1e-6;
  if (key == "low") return -1.5;
  if (key == "high") return 40.0;
  if (key == "edges") return Tensor::of(Shape{4}, std::vector<double>{-2, 0, 0.5, 9});
  if (key == "seed") return static_cast<std::int64_t>(random());
  switch (attr_kind(key).value()) {
    case AttrKind::kBool:
      return random() % 2 == 0;
    case AttrKind::kInts: {
      std::vector<std::int64_t> list;
      for (std::int64_t n = pick(random, 0, 2); n > 0; --n) list.push_back(pick(random, 0, 4));
      return list;
    }
    default:
      return pick(random, 0, 5);
  }
}

// A release, with the dataset that it is one of.
void grow_release(Random& random, const OpSpec& spec, std::vector<Op>& ops,
                  std::vector<Type>& values) {
  Op op = random_op(random, spec, {});
  const auto rows = static_cast<ValueId>(values.size());
  const Type type = {TensorType{DType::kF64, {spec.name == "dp_count" ? kUnknown : 5}}, op.device};
  Graph trial;
  trial.ops = {
      {"dataset", op.device, {}, {{"name", pick(random, kColumns)}, {"type", type}}, {}, 0}, op};
  trial.ops[1].operands = {0};
  for (const Type& result : verify(trial).body.types) values.push_back(result);
  trial.ops[1].operands = {rows};
  ops.insert(ops.end(), trial.ops.begin(), trial.ops.end());
}

// In a graph of its own, with every value so far as an input. Adds the types of its results.
bool accepted(const Op& op, std::vector<Type>& values) {
  Graph trial;
  for (std::size_t i = 0; i < values.size(); ++i) {
    trial.inputs.push_back({"x" + std::to_string(i), values[i]});
  }
  trial.ops.push_back(op);
  trial.devices = {kDevice};
  try {
    values = verify(trial).body.types;
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Adds ops until `count` of them are accepted or enough were refused. `values` are the types so
// far.
void grow(Random& random, std::vector<Op>& ops, std::vector<Type>& values, std::int64_t count,
          int depth) {
  static const std::vector<OpSpec> table(op_table().begin(), op_table().end());
  for (std::int64_t tries = 0; tries < 40 * count && std::ssize(ops) < count; ++tries) {
    const OpSpec& spec = pick(random, table);
    if (spec.regions > 0 && depth >= 2) continue;
    if (spec.name == "call") continue;  // they come last
    if (spec.dp) {
      if (depth == 0) grow_release(random, spec, ops, values);
      continue;
    }
    Op op = random_op(random, spec, values);
    std::vector<Type> fed;
    for (const ValueId id : op.operands) fed.push_back(values[id]);
    if (op.name == "cond" && !fed.empty()) fed.erase(fed.begin());
    for (int r = 0; r < spec.regions; ++r) {
      Region region;
      region.params = fed;
      std::vector<Type> inner = fed;
      grow(random, region.ops, inner, pick(random, 0, 3), depth + 1);
      const auto carried = op.attrs.find("carried");
      const std::int64_t results =
          carried == op.attrs.end() ? 1 : std::get<std::int64_t>(carried->second);
      for (ValueId i = 0; i < results; ++i) region.results.push_back(i);
      if (op.name == "while" && r == 0 && !inner.empty()) {
        region.results = {static_cast<ValueId>(random() % inner.size())};
      }
      op.regions.push_back(std::move(region));
    }
    if (op.name == "loop_index" && depth == 0) continue;
    if (op.name == "loop_index") {
      values.push_back({TensorType{DType::kI64, {}}, op.device});
    } else if (!accepted(op, values)) {
      continue;
    }
    ops.push_back(std::move(op));
  }
}

void grow_calls(Random& random, std::vector<Op>& ops, std::vector<Type>& values) {
  for (std::int64_t n = pick(random, 0, 2); n > 0; --n) {
    Op op{"call", random() % 2 == 0 ? "alice" : "bob", {}, {}, {Region{}}, 0};
    Region& body = op.regions[0];
    for (std::int64_t k = pick(random, 1, 4); k > 0; --k) {
      op.operands.push_back(static_cast<ValueId>(random() % values.size()));
      body.params.push_back(values[op.operands.back()]);
    }
    std::vector<Type> inner = body.params;
    grow(random, body.ops, inner, pick(random, 0, 4), 1);
    for (std::int64_t k = pick(random, 0, 3); k > 0; --k) {
      body.results.push_back(static_cast<ValueId>(random() % inner.size()));
    }
    if (!accepted(op, values)) continue;
    ops.push_back(std::move(op));
  }
}

std::string wild_text(Random& random) {
  std::string text;
  for (std::int64_t n = pick(random, 0, 5); n > 0; --n) text += static_cast<char>(random());
  return text;
}

Type wild_type(Random& random) {
  static const std::vector<std::string> texts = {"table[?]{a:string,b c:u8}", "i8[?,3]",
                                                 "secret<bool>[7]", "secret<fixed,30>[2,0]"};
  Type type = parse_type(pick(random, texts));
  type.device = wild_text(random);
  return type;
}

Attr wild_attr(Random& random) {
  switch (random() % 9) {
    case 0:
      return random() % 2 == 0;
    case 1:
      return static_cast<std::int64_t>(random());
    case 2:
      return random() % 2 == 0 ? -0.0 : std::numeric_limits<double>::signaling_NaN();
    case 3:
      return wild_text(random);
    case 4:
      return ints({static_cast<std::int64_t>(random()), -1, INT64_MIN, INT64_MAX});
    case 5:
      return strings({wild_text(random), "", wild_text(random)});
    case 6:
      return random_tensor(random);
    case 7:
      return Ranges{{wild_text(random), {-0.0, 1e300}}, {"", {3, -7}}};
    default:
      return wild_type(random);
  }
}

std::vector<ValueId> wild_ids(Random& random) {
  std::vector<ValueId> ids;
  for (std::int64_t n = pick(random, 0, 3); n > 0; --n)
    ids.push_back(static_cast<ValueId>(random()));
  return ids;
}

std::vector<Op> wild_ops(Random& random, int depth) {
  std::vector<Op> ops;
  for (std::int64_t n = pick(random, 0, 3); n > 0; --n) {
    Op op{wild_text(random), wild_text(random), wild_ids(random), {}, {}, 0};
    for (std::int64_t k = pick(random, 0, 3); k > 0; --k) {
      op.attrs.insert_or_assign(wild_text(random), wild_attr(random));
    }
    for (std::int64_t k = depth < 4 ? pick(random, 0, 2) : 0; k > 0; --k) {
      op.regions.push_back({{wild_type(random)}, wild_ops(random, depth + 1), wild_ids(random)});
    }
    ops.push_back(std::move(op));
  }
  return ops;
}

}  // namespace

Op random_op(Random& random, const OpSpec& spec, const std::vector<Type>& values) {
  Op op;
  op.name = spec.name;
  op.device = pick(random, kParties);
  const std::int64_t most = spec.max_operands < 0 ? 3 : spec.max_operands;
  for (std::int64_t n = pick(random, spec.min_operands, most); n > 0 && !values.empty(); --n) {
    op.operands.push_back(static_cast<ValueId>(random() % values.size()));
    if (spec.same_device) op.device = values[op.operands[0]].device;
  }
  if (op.name == "share") op.device = kDevice.name;
  for (const std::string_view key : spec.required_attrs) {
    op.attrs.emplace(key, random_attr(random, key));
  }
  for (const std::string_view key : spec.optional_attrs) {
    // What ops of a random graph do to each other's ranges would mostly be refused.
    if (key == "overflow") {
      if (op.device == kDevice.name) op.attrs.emplace(key, random_attr(random, key));
      continue;
    }
    if (random() % 2 == 0) op.attrs.emplace(key, random_attr(random, key));
  }
  return op;
}

Graph random_graph(Random& random) {
  std::vector<GraphInput> inputs = {{"x", type("f64[4,3] @alice")},
                                    {"t", type("table[5]{id:string,age:i64,pay:f64} @alice")},
                                    {"p", type("bool[] @bob")},
                                    {"y", type("f64[3] @bob")},
                                    {"m", type("bool[5] @alice")},
                                    {"u", type("table[3]{id:string,zip:i64} @alice")},
                                    {"s", type("secret<fixed,18>[4,3] @abc")},
                                    {"b", type("secret<bool>[3] @abc")}};
  std::vector<Type> values;
  for (const GraphInput& input : inputs) values.push_back(input.type);
  std::vector<Op> ops;
  grow(random, ops, values, pick(random, 1, 20), 0);
  grow_calls(random, ops, values);
  std::vector<GraphOutput> outputs;
  for (std::int64_t n = pick(random, 0, 3); n > 0; --n) {
    outputs.push_back({"out" + std::to_string(n), static_cast<ValueId>(random() % values.size())});
  }
  Graph graph = graph_of(std::move(inputs), std::move(ops), std::move(outputs));
  graph.devices = {kDevice};
  return graph;
}

Graph wild_graph(Random& random) {
  Graph graph;
  graph.name = wild_text(random);
  for (std::int64_t n = pick(random, 0, 2); n > 0; --n) {
    graph.inputs.push_back({wild_text(random), wild_type(random), {}});
    if (random() % 3 == 0) graph.inputs.back().ranges = {{wild_text(random), {-0.5, 7}}};
  }
  graph.ops = wild_ops(random, 0);
  for (std::int64_t n = pick(random, 0, 2); n > 0; --n) {
    graph.outputs.push_back({wild_text(random), static_cast<ValueId>(random())});
  }
  for (std::int64_t n = pick(random, 0, 2); n > 0; --n) {
    SecureDevice& device = graph.devices.emplace_back();
    device.name = wild_text(random);
    device.protocol = wild_text(random);
    for (std::int64_t m = pick(random, 0, 4); m > 0; --m) {
      device.members.push_back(wild_text(random));
    }
  }
  return graph;
}

}  // namespace curia::test
