// How full memory for results of unknown size is hangs on the data. Drivers who keep many of them
// must not learn from what fits beside them how large they are.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "protocol/graph_bytes.h"
#include "tests/driver/session_world.h"
#include "tests/support/temporary_folder.h"

using namespace curia;

namespace {

constexpr std::int64_t kRows = 1000;       // of two columns: 16,000 bytes where all pass
constexpr std::int64_t kHidden = 1 << 19;  // room for 31 of them
constexpr int kKept = 80;

Table table_of(std::int64_t age) {
  std::vector<std::int64_t> keys(kRows), ages(kRows, age);
  for (std::int64_t i = 0; i < kRows; ++i) keys[static_cast<std::size_t>(i)] = i;
  return {{{"key", Tensor::of<std::int64_t>({kRows}, keys)},
           {"age", Tensor::of<std::int64_t>({kRows}, ages)}},
          kRows};
}

DatasetInfo dataset(const std::string& name) {
  return {name, parse_type("table[1000]{key:i64,age:i64} @alice")};
}

Array old_ones(Program& program, const std::string& name) {
  const Array rows = program.dataset(dataset(name));
  return rows.filter(rows.column("age") > 50);
}

// Keeps rows of a program that nobody was granted.
std::vector<Refs> keep_rows(Session& session, const std::string& name, std::string& seen,
                            const std::string& party = "alice") {
  std::vector<Refs> kept;
  for (int i = 0; i < kKept; ++i) {
    Program program("keep");
    const Array rows = old_ones(program, name);
    program.output("rows", party == "alice" ? rows : rows.to(party));
    kept.push_back(session.run(program));
    try {
      session.wait();
      seen += 'k';
    } catch (const Error& error) {
      seen += code_name(error.code());
    }
  }
  return kept;
}

char fetched(Session& session, const Ref& ref) {
  try {
    session.fetch(ref);
    return 'y';
  } catch (const Error& error) {
    return error.code() == Code::kQuota ? 'n' : '?';
  }
}

// A driver's own rows; all pass.
std::string own_rows(Session& session) {
  std::string seen;
  const Ref own = session.put("alice", table_of(99));
  std::vector<Refs> kept;
  for (int i = 0; i < 3; ++i) {
    Program program("own");
    const Array rows = program.input(own);
    program.output("rows", rows.filter(rows.column("age") > 50));
    kept.push_back(session.run(program));
    seen += fetched(session, kept.back()["rows"]);
  }
  return seen;
}

// x: what the driver was not granted.
struct Attack {
  std::string name;
  std::function<std::string(World&)> run;  // all that the driver could see
  std::vector<Grant> grants = {};
};

// What an owner grants who lets one output of one program go.
void write_sum(Program& program) {
  const Array rows = old_ones(program, "x");
  program.output("rows", rows);
  program.output("sum", sum(rows.with_column("two", rows.column("key") * 0).column("two")));
}

Grant for_the_sum(std::set<std::string> releases) {
  Program program("sum");
  write_sum(program);
  return {.source = "x",
          .to = "dora",
          .programs = {program_digest(encode_graph(program.graph()))},
          .releases = std::move(releases)};
}

std::string sums(Session& session) {
  std::string seen;
  for (int i = 0; i < 3; ++i) {
    Program program("sum");
    write_sum(program);
    seen += fetched(session, session.run(program)["sum"]);
  }
  return seen;
}

std::vector<Attack> attacks() {
  return {
      {"own rows fit beside others' kept ones or not",
       [](World& world) {
         std::string seen;
         Session session = world.connect();
         const auto kept = keep_rows(session, "x", seen);
         return seen + own_rows(session);
       }},
      {"another driver's own rows fit or not",
       [](World& world) {
         std::string seen;
         Session session = world.connect();
         const auto kept = keep_rows(session, "x", seen);
         Session other = world.connect("mallory");
         return seen + own_rows(other);
       }},
      {"own rows fit or not while a program computes on others'",
       [](World& world) {
         Session session = world.connect();
         const Ref own = session.put("alice", table_of(99));
         Program program("both");
         const Array rows = program.input(own);
         std::vector<Array> theirs;
         for (int i = 0; i < kKept; ++i) theirs.push_back(old_ones(program, "x"));
         program.output("own", rows.filter(rows.column("age") > 50));
         for (int i = 0; i < kKept; ++i) {
           program.output("rows" + std::to_string(i), theirs[static_cast<std::size_t>(i)]);
         }
         const Refs refs = session.run(program);
         return std::string(1, fetched(session, refs["own"]));
       }},
      {"rows of a source that was granted fit or not",
       [](World& world) {
         std::string seen;
         Session session = world.connect();
         const auto kept = keep_rows(session, "x", seen);
         std::vector<Refs> granted;
         for (int i = 0; i < 2; ++i) {
           Program program("granted");
           program.output("rows", old_ones(program, "y"));
           granted.push_back(session.run(program));
           seen += fetched(session, granted.back()["rows"]);
         }
         return seen;
       },
       {{.source = "y", .to = "dora"}}},
      {"a program that was granted finds room or not",
       [](World& world) {
         std::string seen;
         Session session = world.connect();
         const auto kept = keep_rows(session, "x", seen);
         return seen + sums(session);
       },
       {for_the_sum({})}},
      {"an output that was granted finds room beside one that was not",
       [](World& world) {
         std::string seen;
         Session session = world.connect();
         std::vector<Refs> kept;
         for (int i = 0; i < kKept; ++i) {
           Program program("sum");
           write_sum(program);
           kept.push_back(session.run(program));
         }
         return seen + sums(session);
       },
       {for_the_sum({"sum"})}},
      {"the number of results that can be kept",
       [](World& world) {
         std::string seen;
         Session session = world.connect();
         keep_rows(session, "x", seen);
         return seen;
       }},
      {"the number of results that a party who may see them can keep",
       [](World& world) {
         std::string seen;
         Session session = world.connect();
         keep_rows(session, "x", seen, "bob");
         return seen;
       },
       {{.source = "x", .to = "bob"}}},
      {"own rows can be saved beside others' saved ones or not",
       [](World& world) {
         Session session = world.connect();
         const Ref own = session.put("alice", table_of(99));
         Program theirs("theirs");
         for (int i = 0; i < kKept; ++i) {
           theirs.save(old_ones(theirs, "x"), Uri::parse("fs:///theirs" + std::to_string(i)));
         }
         session.run(theirs);
         Program program("own");
         const Array rows = program.input(own);
         program.save(rows.filter(rows.column("age") > 50), Uri::parse("fs:///own"));
         session.run(program);
         session.wait();
         return std::string(1, fetched(session, session.stored("alice", Uri::parse("fs:///own"))));
       }},
  };
}

std::string seen_with(const Attack& attack, std::int64_t age_in_x) {
  const TemporaryFolder folder;
  Parties parties;
  parties["alice"].datasets.emplace("x", table_of(age_in_x));
  parties["alice"].datasets.emplace("y", table_of(99));
  parties["alice"].grants = attack.grants;
  parties["alice"].fs_root = folder.path();
  parties["alice"].fs_hidden_quota_bytes = kHidden;
  parties["bob"] = {};
  for (auto& [name, party] : parties) party.hidden_quota_bytes = kHidden;
  return attack.run(*simulated_world(std::move(parties)));
}

}  // namespace

TEST_CASE("A driver that filled the hidden memory saw how many rows had passed a filter") {
  for (const Attack& attack : attacks()) {
    CAPTURE(attack.name);
    const std::string all = seen_with(attack, 99);
    CHECK(all == seen_with(attack, 1));
    CHECK(all.find('?') == std::string::npos);
    // It is the others' data that does not count, not that nothing does.
    if (all.find_first_of("yn") != std::string::npos) CHECK(all.find('y') != std::string::npos);
  }
}
