// What depends on the data besides values: the number of rows after a filter or join, whether an op
// on them fails, and the memory they take. Two clusters whose owner has other data under the same
// metadata must look alike to a driver without a grant.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "tests/driver/session_world.h"

using namespace curia;

namespace {

constexpr std::int64_t kRows = 400;
constexpr std::int64_t kMiB = 1 << 20;

// `same`: all rows have one key and pass every filter; else keys differ and none passes.
Parties parties_of(bool same, bool bob_may_see) {
  std::vector<std::int64_t> keys, ages;
  for (std::int64_t i = 0; i < kRows; ++i) {
    keys.push_back(same ? 7 : i);
    ages.push_back(same ? 99 : 1 + i % 3);
  }
  Parties parties;
  parties["alice"].datasets.emplace("people",
                                    Table{{{"key", Tensor::of<std::int64_t>({kRows}, keys)},
                                           {"age", Tensor::of<std::int64_t>({kRows}, ages)}},
                                          kRows});
  if (bob_may_see) parties["alice"].grants = {{.source = "people", .to = "bob"}};
  for (const char* party : {"alice", "bob"}) {
    parties[party].memory_quota_bytes = kMiB;
    parties[party].hidden_quota_bytes = kMiB;
  }
  return parties;
}

std::unique_ptr<World> world_of(bool same, bool bob_may_see) {
  return simulated_world(parties_of(same, bob_may_see));
}

Array people_of(Program& program) {
  return program.dataset({"people", parse_type("table[400]{key:i64,age:i64} @alice")});
}

Array old_ones(Program& program) {
  const Array rows = people_of(program);
  return rows.filter(rows.column("age") > 50);
}

using Write = std::function<void(Program&)>;

std::vector<std::pair<std::string, Write>> programs() {
  return {
      {"rows", [](Program& p) { p.output("out", old_ones(p)); }},
      {"save",
       [](Program& p) {
         p.save(old_ones(p), Uri::parse("mem://00000000000000000000000000000001"));
         p.output("out", sum(old_ones(p).column("age")));
       }},
      {"load what was saved",
       [](Program& p) {
         p.output("out", p.load(Uri::parse("mem://00000000000000000000000000000001"),
                                parse_type("table[?]{key:i64,age:i64} @alice")));
       }},
      {"an extent that fits for some data only",
       [](Program& p) {
         const Tensor zeros = Tensor::of<std::int64_t>({kRows}, std::vector<std::int64_t>(kRows));
         p.output("out", old_ones(p).column("age") + p.constant("alice", zeros));
       }},
      {"what depends on that",
       [](Program& p) {
         const Tensor zeros = Tensor::of<std::int64_t>({kRows}, std::vector<std::int64_t>(kRows));
         const Array sums = old_ones(p).column("age") + p.constant("alice", zeros);
         p.save(sums, Uri::parse("mem://00000000000000000000000000000002"));
         p.output("out", for_loop(2, {sum(sums)}, [](const Arrays& s, const Index&) {
                    return Arrays{s[0] + 1};
                  })[0]);
       }},
      {"more rows than there is memory for",
       [](Program& p) {
         p.output("out", join(people_of(p), people_of(p).select({"key"}), {"key"}));
       }},
      {"a release",
       [](Program& p) {
         p.output("out", dp_count(old_ones(p), {1, 0}));
         p.output("sum", dp_sum(old_ones(p).column("age"), 0, 9, {1, 1e-6}));
       }},
      {"rows that go to bob",
       [](Program& p) { p.output("out", sum(old_ones(p).to("bob").column("age"))); }},
      {"a failure that goes to bob",
       [](Program& p) {
         const Tensor zeros = Tensor::of<std::int64_t>({kRows}, std::vector<std::int64_t>(kRows));
         p.output("out", (old_ones(p).column("age") + p.constant("alice", zeros)).to("bob") * 2);
       }},
  };
}

// Names that are drawn at random differ from run to run, and so do lineages of datasets: a word of
// 16 to 64 hexadecimal digits is shown as #.
std::string without_names(const std::string& text) {
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789abcdef", at), text.size());
    const std::size_t digits = end - at;
    if (digits >= 16 && digits <= 64) {
      shown += '#';
    } else {
      shown += text.substr(at, digits);
    }
    if (end < text.size()) shown += text[end];
    at = end + 1;
  }
  return shown;
}

// Everything that a driver can find out, as text.
std::vector<std::string> view(World& world) {
  std::vector<std::string> seen;
  const auto note = [&](const std::string& what, const std::string& text) {
    seen.push_back(what + ": " + without_names(text));
  };
  Session session = world.connect();
  std::vector<Refs> kept;
  for (const auto& [name, write] : programs()) {
    Program program("view");
    write(program);
    const Refs refs = session.run(program);
    const std::string end = [&] {
      try {
        session.wait();
        return std::string("done");
      } catch (const Error& error) {
        return std::string(error.what());
      }
    }();
    note(name, end);
    for (const auto& [output, ref] : refs) {
      const DescribeReply told = session.describe(ref);
      note(name + ", describe", told.type.str() + " " + told.label + " " + told.state + " " +
                                    std::to_string(told.bytes) + " " +
                                    (told.error ? told.error->message : std::string()));
      note(name + ", fetch", error_of([&, &r = ref] { session.fetch(r); }).what());
    }
    kept.push_back(refs);
    if (end != "done") continue;  // how far bob came before alice refused depends on the moment
    for (const char* party : {"alice", "bob"}) {
      for (const StatsEntry& entry : session.stats(party)) {
        if (entry.name.starts_with("audit_")) continue;  // depends on when notes are written
        note(name + ", stats", party + entry.name + " " + std::to_string(entry.value));
      }
    }
  }
  for (const char* party : {"alice", "bob"}) {
    std::vector<std::string> types;  // in the order of random names
    for (const ListEntry& entry : session.list(party)) types.push_back(entry.type.str());
    std::sort(types.begin(), types.end());
    for (const std::string& type : types) note("list", type);
  }
  // The driver's own memory: does as much fit as before?
  const Ref own = session.put(
      "alice", Tensor::of<std::uint8_t>({kMiB - 4096}, std::vector<std::uint8_t>(kMiB - 4096)));
  note("put", [&] {
    try {
      session.wait();
      return std::string("done");
    } catch (const Error& error) {
      return std::string(error.what());
    }
  }());
  return seen;
}

}  // namespace

TEST_CASE("A driver without a grant sees no difference between data of the same metadata") {
  for (const bool bob_may_see : {false, true}) {
    CAPTURE(bob_may_see);
    const auto many = view(*world_of(true, bob_may_see));
    const auto none = view(*world_of(false, bob_may_see));
    REQUIRE(many.size() == none.size());
    for (std::size_t i = 0; i < many.size(); ++i) CHECK(many[i] == none[i]);
  }
}

TEST_CASE("A driver who was granted a failed result learns what went wrong, and where") {
  Parties parties = alice_and_bob();
  const auto world = simulated_world(std::move(parties));
  Session session = world->connect();
  Program program("mismatch");
  const Array table = program.dataset(people());
  const Array some = table.filter(table.column("age") > 30).column("pay");
  const Array two = table.filter(table.column("age") > 40).column("pay");
  const Array both = some + two;
  const int line = __LINE__ - 1;
  program.output("there", sum(both).to("bob"));
  program.output("out", both);
  const Refs refs = session.run(program);
  session.wait();
  for (const char* output : {"out", "there"}) {
    const Error error = error_of([&] { session.fetch(refs[output]); });
    CHECK(error.code() == Code::kInvalid);
    CHECK(error.party() == "alice");
    CHECK(error.op() == "add");
    CHECK(error.site().str() == "unknown_rows_test.cc:" + std::to_string(line));
    CHECK(session.describe(refs[output]).state == "ready");
  }
}

// It did: the run failed where the value was shared, which a grant to share does not cover.
TEST_CASE("A failure that is shared does not tell the driver how many rows passed a filter") {
  for (const std::int64_t least : {26, 60}) {
    CAPTURE(least);
    Parties parties = alice_and_bob();
    parties["alice"].grants = {{.source = "people",
                                .to = "",
                                .members = {"alice", "bob", "carol"},
                                .protocol = std::string(kReplicated3)}};
    parties["carol"] = {};
    const auto world = simulated_world(std::move(parties));
    Session session = world->connect();
    Program program("shared");
    const Device abc = program.device("abc", {"alice", "bob", "carol"});
    const Array table = program.dataset(people());
    const Array some = table.filter(table.column("age") > least).column("pay");
    const Array three = program.constant("alice", vector_of({0, 0, 0}));
    program.output("out", sum(some + three).to(abc));
    const Refs refs = session.run(program);
    session.wait();  // three rows pass, or none
    CHECK(session.describe(refs["out"]).state == "ready");
    CHECK(error_of([&] { session.fetch(refs["out"]); }).code() == Code::kDenied);
  }
}

TEST_CASE("A failure of the driver's own data ends the run that should share it") {
  Parties parties = alice_and_bob();
  parties["carol"] = {};
  const auto world = simulated_world(std::move(parties));
  Session session = world->connect();
  const Ref own = session.put("alice", Table{{{"v", vector_of({1, 2})}}, 2});
  Program program("shared");
  const Device abc = program.device("abc", {"alice", "bob", "carol"});
  const Array table = program.input(own);
  const Array some = table.filter(table.column("v") > 0.5).column("v");
  const Array three = program.constant("alice", vector_of({0, 0, 0}));
  program.output("out", sum(some + three).to(abc));
  session.run(program);
  CHECK(error_of([&] { session.wait(); }).message() ==
        "the value that was to be shared could not be computed");
}

TEST_CASE("Unknown rows: a run told whether rows had room at the party that they were moved to") {
  for (const bool same : {false, true}) {
    Parties parties = parties_of(same, true);
    parties["bob"].hidden_quota_bytes = 32 << 10;  // of which one label has an eighth
    const auto world = simulated_world(std::move(parties));
    Session session = world->connect();
    Program program("move");
    const Array moved = old_ones(program).to("bob");
    program.output("rows", moved);
    program.output("sum", sum(moved.column("age")));
    const Refs refs = session.run(program);
    CHECK_NOTHROW(session.wait());
    for (const auto& [name, ref] : refs) {
      CHECK(session.describe(ref).state == "ready");
      CHECK(error_of([&] { session.fetch(ref); }).code() == Code::kDenied);
    }
    CHECK(stat(session, "bob", "failed_runs") == 0);
  }
}

TEST_CASE("Steered programs: the counters told another driver how often a loop went round") {
  const auto counted = [](std::int64_t turns) {
    Parties parties;
    parties["alice"].datasets.emplace(
        "turns", Table{{{"n", Tensor::of<std::int64_t>({1}, std::vector{turns})}}, 1});
    parties["alice"].grants = {{.source = "turns", .to = "dora"}, {.source = "turns", .to = "bob"}};
    parties["bob"] = {};
    const auto world = simulated_world(std::move(parties));
    Session dora = world->connect();
    Program program("turns");
    const Array first =
        sum(program.dataset({"turns", parse_type("table[1]{n:i64} @alice")}).column("n"));
    const Array one = program.constant("alice", Tensor::scalar<std::int64_t>(1));
    const Array none = program.constant("bob", Tensor::scalar<std::int64_t>(0));
    program.output("out", while_loop(
                              9, {first, none}, [](const Arrays& s) { return s[0] > 0; },
                              [&](const Arrays& s) {
                                return Arrays{s[0] - 1, s[1] + one.to("bob")};
                              })[1]);
    const Refs refs = dora.run(program);
    CHECK(dora.fetch(refs["out"]).tensor().as<std::int64_t>()[0] == turns);
    Session mallory = world->connect("mallory");
    return stat(mallory, "alice", "data_bytes_to/bob");
  };
  CHECK(counted(2) == counted(7));
}
