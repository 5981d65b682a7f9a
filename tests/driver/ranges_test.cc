// Ranges from the owner's declaration to the refusal of a program, in a simulation and in real
// processes.
#include <doctest/doctest.h>

#include "tests/driver/secret_world.h"

using namespace curia;

namespace {

// The four parties, with alice's and bob's x in ranges.
Parties with_ranges(double alice, double bob) {
  Parties parties = four_parties({"carol", "dora"});
  parties["alice"].ranges["x"] = {{"v", {-alice, alice}}};
  parties["bob"].ranges["x"] = {{"v", {-bob, bob}}};
  return parties;
}

Array shared(Session& session, Program& program, const Device& device, const std::string& owner) {
  return program.dataset(session.dataset(owner, "x")).column("v").to(device);
}

}  // namespace

TEST_CASE_TEMPLATE("Ranges: a program learns what owners declare, and is refused by its line", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(with_ranges(1000, 1e5));
  Session session = world->connect("dora");
  CHECK(session.dataset("alice", "x").ranges == Ranges{{"v", {-1000, 1000}}});
  CHECK(session.datasets("bob").at(0).ranges == Ranges{{"v", {-1e5, 1e5}}});
  CHECK(session.dataset("dan", "x").ranges.empty());

  Program program("product");
  const Device abc = program.device("abc", kMembers);
  const Array a = shared(session, program, abc, "alice");
  const Array b = shared(session, program, abc, "bob");
  const int line = __LINE__ + 1;
  program.output("out", a * b);
  const Error error = error_of([&] { session.run(program); });
  CHECK(error.code() == Code::kInvalid);
  CHECK(error.op() == "mul");
  CHECK(error.site().line == line);
  CHECK(error.message().find("products below 2^26") != std::string::npos);

  Program scaled("scaled");
  const Device again = scaled.device("abc", kMembers);
  const Array small = shared(session, scaled, again, "bob") * 0.001;
  scaled.output("out", shared(session, scaled, again, "alice") * small);
  CHECK(prepare(scaled)->verified.range_notes.empty());
  check_near(session.fetch(session.run(scaled)["out"]), {0.003, -0.008, -0.0015, 0.002}, 1100);
}

TEST_CASE_TEMPLATE("Ranges: who accepts an overflow is warned, and it runs", W, OnSimulation,
                   OnProcesses) {
  const auto world = W::make(with_ranges(1000, 1e5));
  Session session = world->connect("dora");
  Program program("product");
  const Device abc = program.device("abc", kMembers);
  const Array a = shared(session, program, abc, "alice");
  const Array b = shared(session, program, abc, "bob");
  program.accept_overflow();
  const Array product = a * b;
  program.accept_overflow(false);
  program.output("out", product);
  const PreparedPtr prepared = prepare(program);
  REQUIRE(prepared->verified.range_notes.size() == 1);
  CHECK(prepared->verified.range_notes[0].op_name == "mul");
  check_near(session.fetch(session.run(prepared)["out"]), {3, -8, -1.5, 2});
}

TEST_CASE_TEMPLATE("Ranges: a program that lies about a range is refused by the owner", W,
                   OnSimulation, OnProcesses) {
  const auto world = W::make(with_ranges(1000, 1e5));
  Session session = world->connect("dora");
  const std::vector<std::pair<std::string, Interval>> lies = {
      {"alice", {-999, 1000}}, {"alice", {-1000, 10}}, {"dan", {-1e6, 1e6}}};
  for (const auto& [owner, range] : lies) {
    Program program("lie");
    const Device abc = program.device("abc", kMembers);
    DatasetInfo info = session.dataset(owner, "x");
    info.ranges = {{"v", range}};
    const int line = __LINE__ + 1;
    program.output("out", program.dataset(info).column("v").to(abc) * 2);
    const Refs refs = session.run(program);
    const Error error = error_of([&] { session.fetch(refs["out"]); });
    CHECK(error.code() == Code::kInvalid);
    CHECK(error.party() == owner);
    CHECK(error.op() == "dataset");
    CHECK(error.site().line == line);
    CHECK(error.message().find("for granted") != std::string::npos);
  }
  // Wider is no lie.
  Program program("modest");
  const Device abc = program.device("abc", kMembers);
  DatasetInfo info = session.dataset("alice", "x");
  info.ranges = {{"v", {-2000, 2000}}};
  program.output("out", program.dataset(info).column("v").to(abc) * 2);
  check_near(session.fetch(session.run(program)["out"]), {3, -4, 6, 0.5});
}

namespace {

// x and x * x of an input, whose cells are said to be in [-1, 2].
PreparedPtr square_of_input(const Type& type) {
  Program program("square");
  const Device abc = program.device("abc", kMembers);
  const Array x = program.input("x", type, {{"", {-1, 2}}});
  program.output("square", x.to(abc) * x.to(abc));
  program.output("plain", x);
  return prepare(program);
}

}  // namespace

TEST_CASE_TEMPLATE("Ranges: what is put has to be in the range of its input", W, OnSimulation,
                   OnProcesses) {
  const auto world = W::make(with_ranges(1000, 1e5));
  Session session = world->connect("dora");
  const PreparedPtr program = square_of_input(parse_type("f64[4] @alice"));
  CHECK(program->verified.range_notes.empty());
  for (const double wrong : {2.5, std::nan(""), 1e300}) {
    const Ref put = session.put("alice", vector_of({-1, 0.5, wrong, 2}));
    const Refs refs = session.run(program, {{"x", put}});
    const Error error = error_of([&] { session.fetch(refs["square"]); });
    CHECK(error.code() == Code::kInvalid);
    CHECK(error.party() == "alice");
    CHECK(error.message().find("\"x\": the tensor holds cells beyond its declared range [-1, 2]") !=
          std::string::npos);
  }
  const Refs refs = session.run(program, {{"x", session.put("alice", vector_of({-1, 0.5, 0, 2}))}});
  check_near(session.fetch(refs["square"]), {1, 0.25, 0, 4});
}

TEST_CASE("Ranges: cells of owners that are beyond the range of an input saturate") {
  const auto world = OnSimulation::make(four_parties({"dora"}));
  Session session = world->connect("dora");
  Program source("source");
  source.output("v", source.dataset(session.dataset("alice", "x")).column("v"));
  const Refs kept = session.run(source);
  const PreparedPtr program = square_of_input(kept["v"].type());
  const Refs refs = session.run(program, {{"x", kept["v"]}});
  check_near(session.fetch(refs["plain"]), {1.5, -1, 2, 0.25});
  check_near(session.fetch(refs["square"]), {2.25, 1, 4, 0.0625});
}

TEST_CASE_TEMPLATE("Ranges: a secret keeps its range from run to run", W, OnSimulation,
                   OnProcesses) {
  const auto world = W::make(with_ranges(1000, 1e5));
  Session session = world->connect("dora");
  Program first("first");
  const Device abc = first.device("abc", kMembers);
  first.output("a", shared(session, first, abc, "alice"));
  first.output("open", shared(session, first, abc, "dan"));
  const Refs refs = session.run(first);
  CHECK(refs["a"].facts().ranges == Ranges{{"", {-1000, 1000}}});
  CHECK(refs["open"].facts().ranges.empty());
  CHECK(Ref::parse(refs["a"].json()).facts().ranges == refs["a"].facts().ranges);
  CHECK(session.describe(refs["a"]).ranges == refs["a"].facts().ranges);

  Program second("second");
  const Array a = second.input(refs["a"]);
  second.output("double", a + a);
  CHECK(prepare(second)->verified.output_range(0) == Ranges{{"", {-2000, 2000}}});
  check_near(session.fetch(session.run(second)["double"]), {3, -4, 6, 0.5});

  for (const char* name : {"a", "open"}) {
    Program lie("lie");
    lie.device("abc", kMembers);
    const Array x = lie.input("x", refs[name].type(), {{"", {-10, 10}}});
    lie.output("out", x * x);
    const Refs refused = session.run(lie, {{"x", refs[name]}});
    const Error error = error_of([&] { session.fetch(refused["out"]); });
    CHECK(error.code() == Code::kInvalid);
    CHECK(error.message().find("for granted") != std::string::npos);
  }
}

namespace {

// alice's column v in a range, as a secret.
struct OneColumn {
  std::unique_ptr<World> world;
  Session session;

  OneColumn(const std::vector<double>& cells, double low, double high)
      : OneColumn(OnSimulation::make(parties(cells, low, high))) {}

  static Parties parties(const std::vector<double>& cells, double low, double high) {
    Parties parties = four_parties({"carol", "dora"});
    parties["alice"].datasets.insert_or_assign("x", column_v(cells));
    parties["alice"].ranges["x"] = {{"v", {low, high}}};
    return parties;
  }

  // The refusal of a program that computes `write` of the secret, checked to be of `op` at a line
  // of this file.
  template <class F>
  std::string refusal(const char* op, F write) {
    const Error error = error_of([&] { run(write); });
    CHECK(error.code() == Code::kInvalid);
    CHECK(error.op() == op);
    CHECK(error.site().file.find("ranges_test.cc") != std::string::npos);
    CHECK(error.message().find("declare a narrower range") != std::string::npos);
    return error.message();
  }
  template <class F>
  Value run(F write) {
    Program program("classic");
    const Device abc = program.device("abc", kMembers);
    program.output("out", write(shared(session, program, abc, "alice")));
    const PreparedPtr prepared = prepare(program);
    CHECK(prepared->verified.range_notes.empty());
    return session.fetch(session.run(prepared)["out"]);
  }

 private:
  explicit OneColumn(std::unique_ptr<World> made)
      : world(std::move(made)), session(world->connect("dora")) {}
};

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK_MESSAGE(text.find(part) != std::string::npos, part);
  return true;
}

}  // namespace

TEST_CASE("Ranges: a variance that may overflow is refused, and right where it may not") {
  // 10^8 rows: nothing of them is needed to know.
  Program program("rows");
  const Device abc = program.device("abc", kMembers);
  const Type type = parse_type("table[100000000]{v:f64} @alice");
  const Array x = program.dataset({"x", type, {{"v", {0, 1000}}}}).column("v").to(abc);
  const int line = __LINE__ + 1;
  program.output("out", variance(x));
  const Error error = error_of([&] { prepare(program); });
  CHECK(error.op() == "variance");
  CHECK(error.site().line == line);
  has(error.message(), "sums of 100000000 squares of distances from the mean below 2^43");

  std::vector<double> cells(5000);
  for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = static_cast<double>(i % 1001);
  double mean = 0, expected = 0;
  for (const double cell : cells) mean += cell / 5000;
  for (const double cell : cells) expected += (cell - mean) * (cell - mean) / 5000;
  OneColumn large(cells, -9000, 9000);
  has(large.refusal("variance", [](const Array& a) { return variance(a); }),
      "expected squares of distances from the mean below 2^26");
  OneColumn safe(cells, 0, 1000);
  check_near(safe.run([](const Array& a) { return variance(a); }), {expected}, 3 + 3 * 500);
}

TEST_CASE("Ranges: a sum of large products that may overflow is refused, and right when scaled") {
  OneColumn one(std::vector<double>(10'000, 99.5), -100, 100);
  has(one.refusal("matmul", [](const Array& a) { return matmul(a, a); }),
      "sums of 10000 products below 2^26 (6.71089e+07) in size");
  const double part = 99.5 / 64;
  const Value found = one.run([](const Array& a) {
    const Array scaled = a * (1.0 / 64);
    return matmul(scaled, scaled);
  });
  check_near(found, {part * part * 10'000}, 10'000 * 2 * 2 * part);
}

TEST_CASE("Ranges: a reciprocal of what may be near zero is refused, and right when kept from it") {
  OneColumn one({0.25, 4, 10, 0.00001}, 0, 10);
  has(one.refusal("reciprocal", [](const Array& a) { return reciprocal(a); }),
      "keep it away from 0, as with maximum(x, 0.001)");
  const Value found = one.run([](const Array& a) { return reciprocal(maximum(a, 0.125)); });
  check_near(found, {4, 0.25, 0.1, 8}, 2 + 8.0 / 16);
}
