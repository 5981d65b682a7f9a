// Labels of what was released with differential privacy: through which releases alone a value
// depends on a source, and what brings the rows back in.
#include <doctest/doctest.h>

#include "graphs.h"
#include "protocol/codec.h"
#include "protocol/flow.h"

using namespace curia;
using namespace curia::test;

namespace {

const Digest kProgram = sha256({});
const Digest kRun = charge_id({}, {}, 99);
const Source kX{"alice", "x"};
const Source kY{"alice", "y"};

LabelPtr label_of(const Source& source) {
  auto label = std::make_shared<Label>();
  label->sources[source];
  return label;
}

struct Maker {
  Ops ops;
  ValueId dataset(const char* name, const char* party = "alice") {
    return ops.add("dataset", party, {}, {{"name", std::string(name)}, {"type", type("f64[4]")}});
  }
  ValueId sum(ValueId rows, double epsilon, double delta = 0) {
    std::map<std::string, Attr> attrs = {{"low", 0.0}, {"high", 1.0}, {"epsilon", epsilon}};
    if (delta != 0) attrs["delta"] = delta;
    return ops.add("dp_sum", "alice", {rows}, attrs);
  }
  ValueId add(const char* name, std::vector<ValueId> operands) {
    return ops.add(name, "alice", std::move(operands));
  }
  Label label(ValueId value, const Digest& run = kRun) const {
    const Graph graph = graph_of({}, ops.list, {{"out", value}});
    const Verified verified = verify(graph);
    std::vector<LabelPtr> labels;
    for (const External& external : externals(graph, verified)) {
      labels.push_back(label_of({external.place, external.name}));
    }
    return *analyze_flow(graph, verified, kProgram, "dora", labels, run).outputs[0];
  }
};

// Of op `op` of that program.
Charges charge(std::uint32_t op, double epsilon, double delta = 0) {
  return {{charge_id(kProgram, kRun, op), {epsilon, delta}}};
}

std::string bytes_of(const Label& label) {
  std::string bytes;
  WireWriter writer(bytes);
  writer(label);
  return bytes;
}
Label label_of_bytes(const std::string& bytes) {
  WireReader reader(bytes);
  Label label;
  reader(label);
  reader.finish();
  return label;
}

}  // namespace

TEST_CASE("Private labels: a release is private at its cost, and so is what is made of it") {
  Maker maker;
  const ValueId x = maker.dataset("x");
  const ValueId sum = maker.sum(x, 0.5);
  const ValueId more = maker.sum(x, 0.25, 1e-6);
  const ValueId both = maker.add("exp", {maker.add("mul", {sum, more})});
  const ValueId moved = maker.ops.add("transfer", "bob", {both});
  CHECK(maker.label(x).cost(kX).empty());
  CHECK(maker.label(sum).cost(kX) == charge(1, 0.5));
  CHECK(maker.label(maker.add("add", {sum, sum})).cost(kX) == charge(1, 0.5));
  Charges two = charge(1, 0.5);
  two.merge(charge(2, 0.25, 1e-6));
  CHECK(maker.label(both).cost(kX) == two);
  CHECK(maker.label(moved).cost(kX) == two);
  CHECK(maker.label(moved).sources.contains(kX));  // a release removes no source
}

TEST_CASE("Private labels: rows that come back in make it what it was") {
  Maker maker;
  const ValueId x = maker.dataset("x");
  const ValueId y = maker.dataset("y");
  const ValueId sum = maker.sum(x, 0.5);
  CHECK(maker.label(maker.add("mul", {x, sum})).cost(kX).empty());
  const Label with_y = maker.label(maker.add("mul", {y, sum}));
  CHECK(with_y.cost(kX) == charge(2, 0.5));
  CHECK(with_y.cost(kY).empty());
}

TEST_CASE("Private labels: a release that depends on an earlier one costs both") {
  Maker maker;
  const ValueId x = maker.dataset("x");
  const ValueId mean = maker.sum(x, 0.5);
  const ValueId again = maker.sum(maker.add("sub", {x, mean}), 0.25);
  Charges two = charge(1, 0.5);
  two.merge(charge(3, 0.25));
  CHECK(maker.label(again).cost(kX) == two);
  // Of another source, too.
  const ValueId y = maker.dataset("y");
  const ValueId other = maker.sum(maker.add("sub", {y, mean}), 1);
  CHECK(maker.label(other).cost(kX) == charge(1, 0.5));
  CHECK(maker.label(other).cost(kY) == charge(6, 1));
}

TEST_CASE("Private labels: two runs are two releases, and two ops are") {
  Maker maker;
  const ValueId x = maker.dataset("x");
  const ValueId sum = maker.sum(x, 0.5);
  const ValueId twin = maker.sum(x, 0.5);
  const Digest other_run = charge_id({}, {}, 98);
  CHECK(maker.label(sum).cost(kX) != maker.label(sum, other_run).cost(kX));
  CHECK(maker.label(sum).cost(kX) != maker.label(twin).cost(kX));
  CHECK(maker.label(sum).cost(kX) == maker.label(sum).cost(kX));
}

TEST_CASE("Private labels: what governs a value counts, and loops come to an end") {
  Maker maker;
  const ValueId x = maker.dataset("x");
  const ValueId sum = maker.sum(x, 0.5);
  const ValueId raw = maker.add("sum", {x});
  const Type number = type("f64[] @alice");
  const Region keep{{number, number}, {}, {0, 1}};
  const Region swap{{number, number}, {}, {1, 0}};
  const std::map<std::string, Attr> rounds = {{"count", std::int64_t{3}},
                                              {"carried", std::int64_t{2}}};
  const ValueId kept = maker.ops.add("for", "alice", {sum, raw}, rounds, {keep});
  const ValueId swapped = maker.ops.add("for", "alice", {sum, raw}, rounds, {swap});
  CHECK(maker.label(kept).cost(kX) == charge(1, 0.5));
  CHECK(maker.label(kept + 1).cost(kX).empty());
  CHECK(maker.label(swapped).cost(kX).empty());
  const ValueId high = maker.add("gt", {raw, sum});
  const ValueId chosen = maker.ops.add("cond", "alice", {high, sum, sum}, {}, {keep, swap});
  CHECK(maker.label(chosen).cost(kX).empty());
  const ValueId noisy = maker.add("gt", {sum, sum});
  const ValueId fine = maker.ops.add("cond", "alice", {noisy, sum, sum}, {}, {keep, swap});
  CHECK(maker.label(fine).cost(kX) == charge(1, 0.5));
}

TEST_CASE("Private labels: merging gives the least label that covers both") {
  const auto released = [](const Digest& id, const Charge& cost) {
    Label label;
    label.sources[kX].insert(kProgram);
    label.release(kX, id, cost);
    return label;
  };
  const Digest one = charge_id({}, {}, 1), two = charge_id({}, {}, 2);
  const Label first = released(one, {0.5, 0}), second = released(two, {1, 1e-6});
  const Label rows = *label_of(kX);
  const Label none;
  for (const Label* a : {&first, &second, &rows, &none}) {
    for (const Label* b : {&first, &second, &rows, &none}) {
      Label merged = *a;
      merged.merge(*b);
      CHECK(merged.covers(*a));
      CHECK(merged.covers(*b));
      Label other = *b;
      other.merge(*a);
      CHECK(merged == other);
      const bool raw = a == &rows || b == &rows || (a == &none && b == &none);
      CHECK(merged.cost(kX).empty() == raw);
    }
  }
  CHECK_FALSE(first.covers(rows));
  CHECK_FALSE(first.covers(second));
  CHECK_FALSE(rows.covers(first));  // it says less of what a later release depends on
  // One release has one cost. Who says otherwise gets no credit for it.
  Label odd = first;
  odd.merge(released(one, {0.25, 0}));
  CHECK(odd.cost(kX).empty());
  CHECK(odd.covers(first));
  CHECK(odd.covers(released(one, {0.25, 0})));
}

TEST_CASE("Private labels: come back from their bytes, and malformed ones do not") {
  Label label = *label_of(kY);
  label.sources[kX].insert(kProgram);
  label.release(kX, charge_id({}, {}, 1), {0.5, 1e-6});
  label.release(kX, charge_id({}, {}, 2), {64, 0});
  CHECK(label_of_bytes(bytes_of(label)) == label);
  label.released.clear();
  CHECK(label_of_bytes(bytes_of(label)) == label);
  Label bare = *label_of(kX);
  bare.released.insert(kX);
  CHECK_THROWS_WITH_AS(label_of_bytes(bytes_of(bare)),
                       "INVALID: malformed message: a private value has no charge", Error);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Charge& bad : {Charge{0, 0}, Charge{-1, 0}, Charge{nan, 0}, Charge{1, -1e-9},
                            Charge{1, 1}, Charge{1, nan}, Charge{1e9, 0}}) {
    Label wrong = *label_of(kX);
    wrong.release(kX, kProgram, bad);
    CHECK_THROWS_WITH_AS(label_of_bytes(bytes_of(wrong)),
                         "INVALID: malformed message: a charge is out of its limits", Error);
  }
  Label many = *label_of(kX);
  for (std::uint32_t i = 0; i < kMaxLabelCharges; ++i) {
    many.release(kX, charge_id({}, {}, i), {1, 0});
  }
  CHECK(label_of_bytes(bytes_of(many)) == many);
  CHECK_THROWS_AS(many.release(kX, charge_id({}, {}, 9999), {1, 0}), Error);
}
