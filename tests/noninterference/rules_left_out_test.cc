// The harness can fail: with the check off, or any one rule left out of the workers, it finds a
// leak.
#include <doctest/doctest.h>

#include <iostream>
#include <utility>

#include "tests/noninterference/judge.h"
#include "tests/protocol/influences.h"

using namespace curia;
using namespace curia::test;

namespace {

constexpr std::int64_t kMostPrograms = 15'000;
// Some leaks take thousands of programs, for which sanitizers have no time.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const auto kRare = doctest::skip(true);
#else
const auto kRare = doctest::skip(false);
#endif

template <class Rules>
void find_leak(Rules rules) {
  const Search found = search([&] { return std::make_unique<Rules>(rules); }, kMostPrograms);
  std::cout << found.tally.programs << " programs until a leak\n";
  REQUIRE(found.leak);
  CHECK_MESSAGE(!found.leak->broken, found.leak->text);
}

// What the real rules find, but for a change.
struct ChangedFlow : WatchedRules {
  Flow flow(const Graph& graph, const Verified& verified, const Digest& program,
            const std::string& driver, const std::vector<LabelPtr>& labels,
            const Digest& run) const override {
    Flow flow = analyze_flow(graph, verified, program, driver, labels, run);
    change(flow, graph, verified, program, labels);
    return flow;
  }
  virtual void change(Flow& flow, const Graph& graph, const Verified& verified,
                      const Digest& program, const std::vector<LabelPtr>& labels) const = 0;
};

// Releases of one kind are not asked for.
struct WithoutReleases : ChangedFlow {
  explicit WithoutReleases(ReleasePoint::Kind of) : kind(of) {}
  WithoutReleases(const WithoutReleases& other) : kind(other.kind) {}
  void change(Flow& flow, const Graph&, const Verified&, const Digest&,
              const std::vector<LabelPtr>&) const override {
    std::erase_if(flow.releases, [&](const ReleasePoint& point) { return point.kind == kind; });
  }
  const ReleasePoint::Kind kind;
};

// What comes into a program in this way loses its label.
struct WithoutLabel : WatchedRules {
  explicit WithoutLabel(External::Kind of) : kind(of) {}
  WithoutLabel(const WithoutLabel& other) : kind(other.kind) {}
  LabelPtr incoming(const External& external, LabelPtr own) const override {
    return external.kind == kind ? std::make_shared<const Label>() : own;
  }
  const External::Kind kind;
};

// Labels as far as a weaker rule R1 would know them.
struct WithoutInfluence : ChangedFlow {
  explicit WithoutInfluence(Influences::Without of) : without(of) {}
  WithoutInfluence(const WithoutInfluence& other) : without(other.without) {}
  void change(Flow& flow, const Graph& graph, const Verified& verified, const Digest& program,
              const std::vector<LabelPtr>& labels) const override {
    const Influences weak(graph, verified, without);
    const auto label_of = [&](const std::set<std::size_t>& sources) {
      auto label = std::make_shared<Label>();
      for (const std::size_t i : sources) label->merge(*labels[i]);
      label->pass(program);
      return LabelPtr(std::move(label));
    };
    for (std::size_t i = 0; i < flow.outputs.size(); ++i) {
      flow.outputs[i] = label_of(weak.of_value(graph.outputs[i].value));
    }
    for (ReleasePoint& point : flow.releases) point.label = label_of(weak.of_release(point.op));
    // All saves of a program have the labels of all.
    std::set<std::size_t> saved;
    for (const auto& [op, name] : known_program(graph).names) {
      if (name == "save") saved.merge(weak.of_save(op));
    }
    for (LabelPtr& label : flow.saves) label = label_of(saved);
  }
  const Influences::Without without;
};

struct WithoutCheck : WatchedRules {
  WithoutCheck() = default;
  WithoutCheck(const WithoutCheck&) {}
  void ask(Parts&, const ReleaseContext&, const std::vector<ReleaseWish>&,
           std::function<void(const std::string&)> done) const override {
    done("");
  }
};

struct WithoutFetches : WatchedRules {
  WithoutFetches() = default;
  WithoutFetches(const WithoutFetches&) {}
  void ask(Parts& parts, const ReleaseContext& context, const std::vector<ReleaseWish>& wishes,
           std::function<void(const std::string&)> done) const override {
    if (wishes[0].op == kNoOp) return done("");
    WatchedRules::ask(parts, context, wishes, std::move(done));
  }
};

struct FailuresEndRuns : WatchedRules {
  FailuresEndRuns() = default;
  FailuresEndRuns(const FailuresEndRuns&) {}
  bool is_value(const Error&) const override { return false; }
};

struct SizesCount : WatchedRules {
  SizesCount() = default;
  SizesCount(const SizesCount&) {}
  void stored(const Value&, ObjectMeta& meta) const override { meta.hidden = false; }
};

struct RowsAreDescribed : WatchedRules {
  RowsAreDescribed() = default;
  RowsAreDescribed(const RowsAreDescribed&) {}
  void stored(const Value& value, ObjectMeta& meta) const override {
    if (value.is_error() || value.is_share()) return;
    meta.type.form = value.type().form;
  }
};

}  // namespace

TEST_CASE("Without the check a leak is found") { find_leak(WithoutCheck()); }

TEST_CASE("Without R0, labels of datasets, a leak is found") {
  find_leak(WithoutLabel(External::Kind::kDataset));
}

TEST_CASE("Without labels of saved objects a leak is found") {
  find_leak(WithoutLabel(External::Kind::kLoad));
}

TEST_CASE("Without labels of results of earlier runs a leak is found") {
  find_leak(WithoutLabel(External::Kind::kInput));
}

TEST_CASE("Without R1, the union of operands, a leak is found") {
  find_leak(WithoutInfluence({.other_operands = true}));
}

TEST_CASE("Without R1, predicates that govern, a leak is found" * kRare) {
  find_leak(WithoutInfluence({.predicates = true}));
}

TEST_CASE("Without R2 for transfers a leak is found") {
  find_leak(WithoutReleases(ReleasePoint::Kind::kTransfer));
}

TEST_CASE("Without R2 for predicates that are told a leak is found") {
  find_leak(WithoutReleases(ReleasePoint::Kind::kPredicate));
}

TEST_CASE("Without R2 for fetches a leak is found") { find_leak(WithoutFetches()); }

TEST_CASE("Without R3, members that the owner accepts, a leak is found" * kRare) {
  find_leak(WithoutReleases(ReleasePoint::Kind::kShare));
}

TEST_CASE("Without R5, owners of what is revealed, a leak is found" * kRare) {
  find_leak(WithoutReleases(ReleasePoint::Kind::kReveal));
}

TEST_CASE("With failures that end runs instead of being values a leak is found") {
  find_leak(FailuresEndRuns());
}

TEST_CASE("With sizes that depend on data in open accounts a leak is found") {
  find_leak(SizesCount());
}

TEST_CASE("With rows of results in their descriptions a leak is found") {
  find_leak(RowsAreDescribed());
}
