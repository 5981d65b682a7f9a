// The cluster that the tests of Session run on, simulated or as processes.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/errors.h"
#include "tests/support/worlds.h"

namespace curia {

struct OnSimulation {
  static std::unique_ptr<World> make(Parties parties) {
    return simulated_world(std::move(parties));
  }
};
struct OnProcesses {
  static std::unique_ptr<World> make(Parties parties) { return process_world(std::move(parties)); }
};

// alice holds the table "people"; the driver and bob may see all that derives from it. Her number
// "secret" nobody else may see.
inline Parties alice_and_bob() {
  Parties parties;
  Table people;
  people.rows = 4;
  people.columns = {
      {"id", StringColumn::of({"ann", "ben", "cleo", "dan"})},
      {"age", Tensor::of<std::int64_t>({4}, std::vector<std::int64_t>{31, 25, 47, 52})},
      {"pay", Tensor::of<double>({4}, std::vector<double>{1.5, 2.5, 3.5, 4.25})}};
  parties["alice"].datasets.emplace("people", people);
  parties["alice"].datasets.emplace(
      "secret", Table{{{"number", Tensor::of<double>({1}, std::vector<double>{0.5})}}, 1});
  parties["alice"].grants = {{.source = "people", .to = "dora"}, {.source = "people", .to = "bob"}};
  parties["bob"] = {};
  return parties;
}

inline DatasetInfo people() {
  return {"people", parse_type("table[4]{id:string,age:i64,pay:f64} @alice")};
}

inline Tensor vector_of(const std::vector<double>& values) {
  return Tensor::of<double>({static_cast<std::int64_t>(values.size())}, values);
}

inline std::int64_t stat(Session& session, const std::string& party, const std::string& name) {
  for (const StatsEntry& entry : session.stats(party)) {
    if (entry.name == name) return entry.value;
  }
  FAIL("no such number: " << name);
  return 0;
}

// Asks until it is so; the deadline only guards against hanging.
inline bool comes_true(const std::function<bool()>& is_so) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// Fails when it runs: which way it goes must not be seen by the driver. Returns the line.
inline int write_failing(Program& program) {
  const Array secret =
      sum(program.dataset({"secret", parse_type("table[1]{number:f64} @alice")}).column("number"));
  const Array pay = program.dataset(people()).column("pay");
  const auto same = [&] { return Arrays{pay}; };
  program.output("out", cond(secret > 0, same, same)[0]);
  return __LINE__ - 1;
}

}  // namespace curia

TYPE_TO_STRING(curia::OnSimulation);
TYPE_TO_STRING(curia::OnProcesses);
