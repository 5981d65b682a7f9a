// The op table and the kernels are written apart; here they meet.
#include <doctest/doctest.h>

#include <set>

#include "protocol/verify.h"
#include "tests/protocol/graphs.h"
#include "worker/kernels/kernel.h"

using namespace curia;
using namespace curia::test;

namespace {

// Ops that the runtime performs, so that they have no kernel.
// The last seven are ops of secure devices only.
const std::set<std::string_view> kRuntime = {
    "call",  "cond", "dataset", "for",        "load",  "loop_index", "save", "transfer",
    "while", "relu", "reveal",  "reciprocal", "share", "shuffle",    "sort", "variance"};

Tensor tensor_of(Random& random, DType dtype, const Shape& shape) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(byte_count(TensorType{dtype, shape})));
  for (auto& byte : bytes) {
    byte = static_cast<std::uint8_t>(dtype == DType::kBool ? random() % 2 : random());
  }
  return {dtype, shape, Slice::copy_of(std::span<const std::uint8_t>(bytes))};
}

Value value_of(Random& random, const Type& type) {
  if (type.is_tensor()) return tensor_of(random, type.tensor().dtype, type.tensor().shape);
  Table table;
  table.rows = type.table().rows;
  for (const ColumnType& column : type.table().columns) {
    if (column.dtype != DType::kString) {
      table.columns.push_back({column.name, tensor_of(random, column.dtype, {table.rows})});
      continue;
    }
    std::vector<std::string> rows;
    while (std::ssize(rows) < table.rows) rows.push_back(std::string(random() % 2, 'a'));
    table.columns.push_back({column.name, StringColumn::of(rows)});
  }
  return table;
}

// One that may be declared for a value of the type: some extents become `?`.
bool forget_extents(Random& random, Type& type) {
  bool forgot = false;
  const auto forget = [&](std::int64_t& extent) {
    if (random() % 4 != 0) return;
    extent = kUnknown;
    forgot = true;
  };
  if (auto* table = std::get_if<TableType>(&type.form)) {
    forget(table->rows);
  } else {
    for (std::int64_t& extent : std::get<TensorType>(type.form).shape) forget(extent);
  }
  return forgot;
}

Type random_type(Random& random) {
  static const std::vector<const char*> texts = {"f64[]",
                                                 "f64[3]",
                                                 "f64[4,3]",
                                                 "f64[0,3]",
                                                 "f32[3,1]",
                                                 "f32[2,3,2]",
                                                 "i64[3]",
                                                 "i64[5]",
                                                 "i64[0]",
                                                 "i8[4,3]",
                                                 "i8[3]",
                                                 "u8[3]",
                                                 "u64[4,1]",
                                                 "bool[]",
                                                 "bool[5]",
                                                 "bool[3]",
                                                 "bool[4,3]",
                                                 "i32[5]",
                                                 "f64[3,4]",
                                                 "f64[5]",
                                                 "f32[5]",
                                                 "table[5]{id:string,age:i64,pay:f64}",
                                                 "table[5]{id:string,total:bool}",
                                                 "table[0]{id:string,age:i64}",
                                                 "table[3]{age:i64,total:u8,pay:f32}",
                                                 "table[1]{id:string,age:i64,total:f64}"};
  Type type = parse_type(texts[random() % texts.size()]);
  type.device = "alice";
  return type;
}

}  // namespace

TEST_CASE("Every op has a kernel or belongs to the runtime, and no kernel is without an op") {
  for (const OpSpec& spec : op_table()) {
    CAPTURE(spec.name);
    CHECK((find_kernel(spec.name) == nullptr) == kRuntime.contains(spec.name));
  }
  for (const KernelEntry& entry : kernel_table()) {
    CAPTURE(entry.name);
    CHECK(find_op(entry.name) != nullptr);
  }
}

TEST_CASE("Kernels give what the type rules say, for every op that verify() accepts") {
  Random random(31);
  for (const OpSpec& spec : op_table()) {
    if (kRuntime.contains(spec.name)) continue;
    int accepted = 0;
    for (int tries = 0; tries < 200'000 && accepted < 60; ++tries) {
      Graph graph;
      std::vector<Type> actual;
      std::vector<Type> declared;
      bool forgot = false;
      for (int i = 0; i < 3; ++i) {
        actual.push_back(random_type(random));
        declared.push_back(actual.back());
        forgot = forget_extents(random, declared.back()) || forgot;
        // Of datasets, which is what releases take.
        graph.ops.push_back({"dataset",
                             "alice",
                             {},
                             {{"name", "x" + std::to_string(i)}, {"type", declared.back()}},
                             {},
                             0});
      }
      graph.ops.push_back(random_op(random, spec, declared));
      const Op& op = graph.ops.back();
      graph.ops.back().device = "alice";
      Verified verified;
      try {
        verified = verify(graph);
      } catch (const Error&) {
        continue;
      }
      ++accepted;
      std::vector<ValuePtr> operands;
      for (const ValueId id : op.operands) {
        operands.push_back(std::make_shared<const Value>(value_of(random, actual[id])));
      }
      std::vector<ValuePtr> results;
      CAPTURE(spec.name);
      try {
        results = (*find_kernel(spec.name))({.op = op, .operands = operands});
      } catch (const Error& error) {
        // Only extents that were not known before may turn out not to fit.
        const std::string said = error.what();
        CAPTURE(said);
        CHECK(forgot);
        CHECK(error.code() == Code::kInvalid);
        continue;
      }
      REQUIRE(results.size() + 3 == verified.body.types.size());
      for (std::size_t i = 0; i < results.size(); ++i) {
        Type found = results[i]->type();
        found.device = "alice";
        const std::string said = verified.body.types[3 + i].str() + " and " + found.str();
        CAPTURE(said);
        CHECK(accepts(verified.body.types[3 + i], found));
      }
    }
    CAPTURE(spec.name);
    CHECK(accepted >= 20);
  }
}
