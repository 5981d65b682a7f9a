// What the dp_ ops take: attributes, and rows that each come from one row of a dataset.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "graphs.h"
#include "protocol/stability.h"
#include "protocol/verify.h"

using namespace curia;
using namespace curia::test;

namespace {

using Attrs = std::map<std::string, Attr>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

const Attrs kBounds = {{"low", 0.0}, {"high", 8.0}, {"epsilon", 1.0}};

Attrs with(Attrs attrs, const std::string& key, Attr value) {
  attrs.insert_or_assign(key, std::move(value));
  return attrs;
}

Attr doubles(std::vector<double> numbers) {
  return Tensor::of(Shape{std::ssize(numbers)}, numbers);
}

// The result's type, or what is refused.
std::string verified(const Graph& graph) {
  try {
    const Verified found = verify(graph);
    CHECK(found.random);
    return found.body.types.back().str();
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalid);
    CHECK(error.op().starts_with("dp_"));
    CHECK(error.site().file == "src/plan.cc");
    return error.message();
  }
}

// Of one op on a dataset of this type.
std::string release(const char* name, const char* operand, Attrs attrs) {
  Ops ops;
  const ValueId rows =
      ops.add("dataset", "alice", {}, {{"name", std::string("x")}, {"type", type(operand)}});
  ops.add(name, "alice", {rows}, std::move(attrs));
  return verified(graph_of({}, ops.list));
}

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

// What becomes of a dp_sum of what `make` makes of people, a table at alice.
struct Chain {
  Ops ops{1};  // input 0: f64[5] @alice
  ValueId people;

  explicit Chain(const char* declared) {
    people = add("dataset", {}, {{"name", std::string("people")}, {"type", type(declared)}});
  }
  ValueId add(const char* name, std::vector<ValueId> operands, Attrs attrs = {}) {
    return ops.add(name, "alice", std::move(operands), std::move(attrs));
  }
  ValueId column(ValueId table, const char* name) {
    return add("column", {table}, {{"name", std::string(name)}});
  }
  ValueId number(double x) { return add("constant", {}, {{"value", Tensor::scalar(x)}}); }
  ValueId over(ValueId x, double bound) { return add("gt", {x, number(bound)}); }
};

std::string sum_of(const std::function<ValueId(Chain&)>& make,
                   const char* declared = "table[5]{age:f64,pay:f64,sick:bool}") {
  Chain chain(declared);
  chain.add("dp_sum", {make(chain)}, kBounds);
  return verified(graph_of({{"x", type("f64[5] @alice")}}, chain.ops.list));
}

}  // namespace

TEST_CASE("Private ops: one number for each row, and what they give") {
  for (const char* rows : {"f64[5]", "f32[?]", "i64[0]", "u8[7]"}) {
    CHECK(release("dp_sum", rows, kBounds) == "f64[] @alice");
    CHECK(release("dp_mean", rows, with(kBounds, "delta", 1e-6)) == "f64[] @alice");
    CHECK(release("dp_histogram", rows, {{"edges", doubles({0, 1, 2})}, {"epsilon", 0.5}}) ==
          "i64[2] @alice");
  }
  CHECK(release("dp_count", "table[?]{id:string}", {{"epsilon", 64.0}}) == "i64[] @alice");
  CHECK(release("dp_count", "bool[?,3]", {{"epsilon", 0x1p-16}}) == "i64[] @alice");
  has(release("dp_count", "table[9]{a:f64}", {{"epsilon", 1.0}}), "everybody knows how many rows");
  has(release("dp_count", "bool[9]", {{"epsilon", 1.0}}), "everybody knows how many rows");
  has(release("dp_sum", "f64[5,2]", kBounds), "one number for each row, found f64[5,2]");
  has(release("dp_sum", "bool[5]", kBounds), "cast bool");
  has(release("dp_mean", "f64[]", kBounds), "one number for each row");
  has(release("dp_sum", "table[5]{a:f64}", kBounds), "to be a tensor");
  has(release("dp_count", "f64[]", {{"epsilon", 1.0}}), "expected rows");
}

TEST_CASE("Private ops: attributes that promise nothing are refused") {
  for (const double epsilon : {0.0, -1.0, kNan, kInf, 65.0, 1e-9}) {
    for (const char* op : {"dp_sum", "dp_mean"}) {
      has(release(op, "f64[5]", with(kBounds, "epsilon", epsilon)), "expected epsilon from");
    }
    has(release("dp_count", "f64[?]", {{"epsilon", epsilon}}), "expected epsilon from");
    has(release("dp_histogram", "f64[5]", {{"edges", doubles({0, 1})}, {"epsilon", epsilon}}),
        "expected epsilon from");
  }
  for (const double delta : {0.0, 1.0, -1e-9, 2.0, kNan, kInf}) {
    has(release("dp_sum", "f64[5]", with(kBounds, "delta", delta)), "expected delta above 0");
    has(release("dp_count", "f64[?]", {{"epsilon", 1.0}, {"delta", delta}}),
        "expected delta above 0");
  }
  const std::vector<std::pair<double, double>> bounds = {
      {8, 0}, {3, 3}, {kNan, 1}, {0, kNan}, {-kInf, 0}, {0, kInf}, {0, 1e101}, {0, 1e-101}};
  for (const auto& [low, high] : bounds) {
    has(release("dp_sum", "f64[5]", with(with(kBounds, "low", low), "high", high)),
        "expected bounds low < high");
  }
  const auto edges = [](Attr list) {
    return release("dp_histogram", "f64[5]", {{"edges", std::move(list)}, {"epsilon", 1.0}});
  };
  has(edges(doubles({0})), "the edges of 1 to 4096 bins");
  has(edges(doubles({})), "the edges of 1 to 4096 bins");
  has(edges(doubles(std::vector<double>(4098, 1))), "the edges of 1 to 4096 bins");
  has(edges(Tensor::scalar(1.0)), "the edges of 1 to 4096 bins");
  has(edges(Tensor::of(Shape{2}, std::vector<float>{0, 1})), "the edges of 1 to 4096 bins");
  has(edges(Tensor{DType::kF64, {3}, {}}), "the edges of 1 to 4096 bins");
  has(edges(doubles({0, 2, 2})), "ascend, found 2 as number 2");
  has(edges(doubles({0, kNan})), "ascend");
  has(edges(doubles({0, kInf})), "finite");
  has(release("dp_sum", "f64[5]", {{"epsilon", 1.0}, {"low", 0.0}}), "expected an attribute high");
  has(release("dp_count", "f64[?]", with(kBounds, "epsilon", 1.0)), "there is no attribute");
}

TEST_CASE("Stability: what is made row by row may be released") {
  const auto good = [](const std::function<ValueId(Chain&)>& make,
                       const char* declared = "table[5]{age:f64,pay:f64,sick:bool}") {
    CHECK(sum_of(make, declared) == "f64[] @alice");
  };
  for (const char* rows :
       {"table[5]{age:f64,pay:f64,sick:bool}", "table[?]{age:f64,pay:f64,sick:bool}"}) {
    good([](Chain& c) { return c.column(c.people, "age"); }, rows);
    good(
        [](Chain& c) {  // products, comparisons, casts and choices of columns of the same rows
          const ValueId age = c.column(c.people, "age");
          const ValueId product = c.add("mul", {age, c.column(c.people, "pay")});
          const ValueId old = c.add("cast", {c.over(age, 60)}, {{"dtype", std::string("f64")}});
          return c.add("select", {c.column(c.people, "sick"), product, c.add("exp", {old})});
        },
        rows);
    good(
        [](Chain& c) {  // filters, one upon another
          const ValueId old = c.add("filter", {c.people, c.over(c.column(c.people, "age"), 60)});
          const ValueId sick = c.add("filter", {old, c.column(old, "sick")});
          return c.add("add", {c.column(sick, "age"), c.column(sick, "pay")});
        },
        rows);
    good(
        [](Chain& c) {  // a new column, and others left out
          const ValueId more =
              c.add("with_column", {c.people, c.add("neg", {c.column(c.people, "pay")})},
                    {{"name", std::string("debt")}});
          const ValueId some =
              c.add("table_select", {more}, {{"columns", strings({"debt", "sick"})}});
          return c.column(c.add("filter", {some, c.column(some, "sick")}), "debt");
        },
        rows);
    good(
        [](Chain& c) {
          const ValueId made =
              c.add("make_table", {c.column(c.people, "age"), c.column(c.people, "sick")},
                    {{"names", strings({"a", "s"})}});
          return c.column(made, "a");
        },
        rows);
    good(
        [](Chain& c) {  // what was released is as good as a constant
          const ValueId age = c.column(c.people, "age");
          const ValueId mean = c.add("dp_mean", {age}, kBounds);
          const ValueId off = c.add("sub", {age, mean});
          return c.add("mul", {off, off});
        },
        rows);
  }
  good([](Chain& c) {  // rows of several columns, and columns of them
    const ValueId all =
        c.add("to_tensor", {c.people},
              {{"columns", strings({"age", "pay"})}, {"dtype", std::string("f64")}});
    const ValueId scaled = c.add(
        "mul",
        {all, c.add("constant", {}, {{"value", Tensor::of(Shape{2}, std::vector<double>{1, 2})}})});
    const ValueId pay =
        c.add("slice", {scaled}, {{"starts", ints({0, 1})}, {"ends", ints({INT64_MAX, 2})}});
    return c.add("reshape", {pay}, {{"shape", ints({5})}});
  });
  good(
      [](Chain& c) {  // texts may stand beside what is released
        return c.column(c.people, "age");
      },
      "table[?]{age:f64,name:string}");
  good([](Chain& c) { return c.people; }, "f64[?]");
}

TEST_CASE("Stability: what mixes rows, or counts one twice, is refused by name and line") {
  const auto bad = [](const std::string& why, const std::function<ValueId(Chain&)>& make,
                      const char* declared = "table[5]{age:f64,pay:f64,sick:bool}") {
    const std::string text = sum_of(make, declared);
    has(text, "expected rows that each come from one row of a dataset at alice");
    has(text, why);
  };
  const auto age = [](Chain& c) { return c.column(c.people, "age"); };
  const auto row = [](std::int64_t extent) {
    return Attr(Tensor::of(Shape{extent}, std::vector<double>(static_cast<std::size_t>(extent))));
  };
  bad("but concat (plan.cc:3) puts rows together", [&](Chain& c) {
    const ValueId x = age(c);
    return c.add("concat", {x, x}, {{"axis", std::int64_t{0}}});
  });
  bad("but join (plan.cc:3) makes a row of every pair", [&](Chain& c) {
    const ValueId key = c.add("table_select", {c.people}, {{"columns", strings({"sick"})}});
    const ValueId pairs = c.add("join", {key, c.people}, {{"on", strings({"sick"})}});
    return c.column(pairs, "age");
  });
  bad("but group_by (plan.cc:2) makes one row of many", [&](Chain& c) {
    const ValueId groups =
        c.add("group_by", {c.people},
              {{"keys", strings({"sick"})}, {"aggs", strings({"sum:pay:total"})}});
    return c.column(groups, "total");
  });
  bad("but gather (plan.cc:4) takes rows by number", [&](Chain& c) {
    const ValueId x = age(c);
    return c.add("gather", {x, c.add("iota", {}, {{"count", std::int64_t{3}}})},
                 {{"axis", std::int64_t{0}}});
  });
  bad("but mean (plan.cc:3) does not keep rows apart", [&](Chain& c) {
    const ValueId x = age(c);
    return c.add("sub", {x, c.add("mean", {x})});
  });
  bad("but argsort", [&](Chain& c) {
    return c.add("argsort", {age(c)}, {{"axis", std::int64_t{0}}});
  });
  bad("but slice", [&](Chain& c) {
    return c.add("slice", {age(c)}, {{"starts", ints({1})}, {"ends", ints({INT64_MAX})}});
  });
  bad("but slice", [&](Chain& c) {
    return c.add("slice", {age(c)}, {{"starts", ints({0})}, {"ends", ints({4})}});
  });
  bad("but slice", [&](Chain& c) {
    return c.add("slice", {age(c)},
                 {{"starts", ints({0})}, {"ends", ints({5})}, {"steps", ints({2})}});
  });
  bad("but matmul", [&](Chain& c) {
    const ValueId all =
        c.add("to_tensor", {c.people},
              {{"columns", strings({"age", "pay"})}, {"dtype", std::string("f64")}});
    return c.add("matmul", {all, c.add("constant", {}, {{"value", row(2)}})});
  });
  bad("but transpose", [&](Chain& c) {
    const ValueId all = c.add("to_tensor", {c.people},
                              {{"columns", strings({"age"})}, {"dtype", std::string("f64")}});
    return c.add("reshape", {c.add("transpose", {all})}, {{"shape", ints({5})}});
  });
  bad("but reshape", [&](Chain& c) {
    const ValueId all =
        c.add("to_tensor", {c.people},
              {{"columns", strings({"age", "pay"})}, {"dtype", std::string("f64")}});
    return c.add("reshape", {all}, {{"shape", ints({10})}});
  });
  bad("but to_tensor", [&](Chain& c) {
    const ValueId all = c.add("to_tensor", {c.people},
                              {{"columns", strings({"age"})},
                               {"dtype", std::string("f64")},
                               {"pad_to", std::int64_t{9}}});
    return c.add("reshape", {all}, {{"shape", ints({9})}});
  });
  bad(
      "but broadcast",
      [&](Chain& c) {
        return c.add("broadcast", {c.people}, {{"shape", ints({4})}});
      },
      "f64[1]");
  bad(
      "brings an element of its own",
      [&](Chain& c) {
        return c.add("add", {c.people, c.add("constant", {}, {{"value", row(4)}})});
      },
      "f64[1]");
  bad("brings an element of its own", [&](Chain& c) {
    return c.add("mul", {age(c), c.add("constant", {}, {{"value", row(5)}})});
  });
  bad("brings an element of its own", [&](Chain& c) {
    const ValueId even =
        c.add("constant", {}, {{"value", Tensor{DType::kBool, {5}, Slice::copy_of("\1\1\1\1\1")}}});
    return c.column(c.add("filter", {c.people, even}), "age");
  });
  bad("but sub (plan.cc:8) takes rows of two datasets or of two filters", [&](Chain& c) {
    const ValueId some = c.add("filter", {c.people, c.column(c.people, "sick")});
    const ValueId same = c.add("filter", {c.people, c.column(c.people, "sick")});
    return c.add("sub", {c.column(some, "age"), c.column(same, "age")});
  });
  bad("takes rows of two datasets", [&](Chain& c) {
    const ValueId again = c.add(
        "dataset", {}, {{"name", std::string("people")}, {"type", type("table[5]{age:f64}")}});
    return c.add("sub", {age(c), c.column(again, "age")});
  });
  bad("takes rows of two datasets", [&](Chain& c) {
    const ValueId other =
        c.add("dataset", {}, {{"name", std::string("marks")}, {"type", type("bool[5]")}});
    return c.column(c.add("filter", {c.people, other}), "age");
  });
  bad(
      "meets rows with columns",
      [&](Chain& c) {
        const ValueId all =
            c.add("to_tensor", {c.people},
                  {{"columns", strings({"a", "b"})}, {"dtype", std::string("f64")}});
        const ValueId both = c.add("mul", {all, c.column(c.people, "a")});
        return c.add("reshape", {both}, {{"shape", ints({4})}});
      },
      "table[2]{a:f64,b:f64}");
  bad(
      "would copy texts",
      [&](Chain& c) {
        return c.column(c.add("filter", {c.people, c.over(age(c), 3)}), "age");
      },
      "table[5]{age:f64,name:string}");
  bad("an input of the program may be anything", [](Chain&) { return ValueId{0}; });
  bad("an input of the program may be anything", [&](Chain& c) {
    return c.add("add", {age(c), ValueId{0}});
  });
  bad("but load (plan.cc:2) brings an object", [](Chain& c) {
    return c.add("load", {}, {{"uri", std::string("fs:///x")}, {"type", type("f64[5]")}});
  });
  bad("comes from no dataset", [&](Chain& c) {
    return c.add("constant", {}, {{"value", row(5)}});
  });
  has(release("dp_count", "f64[?,?]", {{"epsilon", 1.0}}), "does not say how many columns");
}

TEST_CASE(
    "Stability: values of branches, loops and other parties are not released, nor released "
    "inside") {
  const auto region_of = [](std::vector<Type> params, Ops ops, std::vector<ValueId> results) {
    return Region{std::move(params), std::move(ops.list), std::move(results)};
  };
  const Type rows = type("f64[5] @alice");
  const auto source = [&](Ops& ops) {
    return ops.add("dataset", "alice", {}, {{"name", std::string("x")}, {"type", type("f64[5]")}});
  };
  Ops loop;
  const ValueId x = source(loop);
  loop.add("for", "alice", {x}, {{"count", std::int64_t{2}}, {"carried", std::int64_t{1}}},
           {region_of({rows}, Ops(1), {0})});
  loop.add("dp_sum", "alice", {1}, kBounds);
  has(verified(graph_of({}, loop.list)), "but for (plan.cc:2) gives what a loop made");

  Ops cond;
  source(cond);
  const ValueId yes = cond.add("constant", "alice", {}, {{"value", Tensor::scalar(true)}});
  cond.add("cond", "alice", {yes, 0}, {},
           {region_of({rows}, Ops(1), {0}), region_of({rows}, Ops(1), {0})});
  cond.add("dp_sum", "alice", {2}, kBounds);
  has(verified(graph_of({}, cond.list)), "but cond (plan.cc:3) gives what hangs on");

  Ops inner(1), inside;
  inner.add("dp_sum", "alice", {0}, kBounds);
  source(inside);
  inside.add("for", "alice", {0}, {{"count", std::int64_t{2}}, {"carried", std::int64_t{1}}},
             {region_of({rows}, inner, {0})});
  has(verified(graph_of({}, inside.list)), "expected outside of branches, ");

  Ops moved;
  source(moved);
  moved.add("transfer", "bob", {0});
  moved.add("dp_sum", "bob", {1}, kBounds);
  has(verified(graph_of({}, moved.list)), "a dataset at bob, but transfer (plan.cc:2)");
}

TEST_CASE(
    "Stability: the ops between a dataset and its release are known, and only in such graphs") {
  Chain chain("table[?]{age:f64,sick:bool}");
  const ValueId some = chain.add("filter", {chain.people, chain.column(chain.people, "sick")});
  chain.add("sum", {chain.column(some, "age")});
  const GraphInput input{"x", type("f64[5] @alice")};
  CHECK(verify(graph_of({input}, chain.ops.list)).row_wise.empty());
  chain.add("dp_count", {some}, {{"epsilon", 1.0}});
  const std::map<std::uint32_t, std::uint32_t> wanted = {{1, 0}, {2, 0}, {3, 0}, {5, 0}};
  CHECK(verify(graph_of({input}, chain.ops.list)).row_wise == wanted);
}
