// Releases with differential privacy, from a program to what the driver fetches.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "tests/driver/session_world.h"

using namespace curia;

namespace {

constexpr std::int64_t kRows = 3000;

// alice's table of ages 0..99, 30 of each, with as much hidden memory as given.
std::unique_ptr<World> ages(std::int64_t hidden_bytes) {
  std::vector<std::int64_t> age;
  for (std::int64_t i = 0; i < kRows; ++i) age.push_back(i % 100);
  Parties parties;
  parties["alice"].datasets.emplace(
      "people", Table{{{"age", Tensor::of<std::int64_t>({kRows}, age)}}, kRows});
  parties["alice"].grants = {{.source = "people", .to = "dora"}};
  parties["alice"].hidden_quota_bytes = hidden_bytes;
  return simulated_world(std::move(parties));
}

Array table_of(Program& program) {
  return program.dataset({"people", parse_type("table[3000]{age:i64} @alice")});
}

double value(Session& session, const Ref& ref) {
  return session.fetch(ref).tensor().as<double>()[0];
}

}  // namespace

TEST_CASE("Releases: what is fetched is near the truth, and not the same twice") {
  const auto world = ages(1 << 20);
  Session session = world->connect();
  std::set<double> seen;
  for (const double delta : {0.0, 1e-6}) {
    Program program("release");
    const Array table = table_of(program);
    const Array old = table.filter(table.column("age") >= 60);
    const Privacy privacy{8, delta};
    program.output("sum", dp_sum(old.column("age"), 0, 100, privacy));
    program.output("mean", dp_mean(table.column("age"), 0, 100, privacy));
    program.output("count", dp_count(old, privacy));
    program.output("bins", dp_histogram(table.column("age"), {0, 50, 99}, privacy));
    for (int i = 0; i < 2; ++i) {
      const Refs refs = session.run(program);
      const double sum = value(session, refs["sum"]);
      CHECK(sum == doctest::Approx(1200 * 79.5).epsilon(0.01));
      seen.insert(sum);
      CHECK(value(session, refs["mean"]) == doctest::Approx(49.5).epsilon(0.01));
      const Value count = session.fetch(refs["count"]);
      CHECK(std::abs(count.tensor().as<std::int64_t>()[0] - 1200) < 40);
      const Value bins = session.fetch(refs["bins"]);
      for (const std::int64_t bin : bins.tensor().as<std::int64_t>())
        CHECK(std::abs(bin - 1500) < 40);
    }
  }
  CHECK(seen.size() == 4);
}

// The failure would have been an answer without noise: how many rows passed, to the byte.
TEST_CASE("Releases: no filter before one fails for want of memory that nobody may know") {
  constexpr std::int64_t kHidden = 4096;  // of 24,000 bytes of rows
  const auto world = ages(kHidden);
  Session session = world->connect();
  Program plain("plain"), release("release");
  for (Program* program : {&plain, &release}) {
    const Array table = table_of(*program);
    const Array all = table.filter(table.column("age") >= 0);
    const Array count = program == &plain ? sum(all.column("age")) : dp_count(all, {8, 0});
    program->output("out", count);
  }
  const Refs failed = session.run(plain);
  CHECK(error_of([&] { session.fetch(failed["out"]); }).code() == Code::kQuota);
  const Refs refs = session.run(release);
  const Value count = session.fetch(refs["out"]);
  CHECK(std::abs(count.tensor().as<std::int64_t>()[0] - kRows) < 40);
}

TEST_CASE("Releases: a program that mixes rows is refused with the line of the release") {
  const auto world = ages(1 << 20);
  Session session = world->connect();
  Program program("mixes");
  const Array age = table_of(program).column("age");
  const Array both = concat({age, age}, 0);
  const int line = __LINE__ - 1;
  program.output("out", dp_sum(both, 0, 100, {1, 0}));
  const Error error = error_of([&] {
    session.run(program);
    session.wait();
  });
  CHECK(error.code() == Code::kInvalid);
  CHECK(error.op() == "dp_sum");
  CHECK(error.site().str() == "private_test.cc:" + std::to_string(line + 2));
  CHECK(error.message().find("but concat (private_test.cc:" + std::to_string(line) + ")") !=
        std::string::npos);
}
