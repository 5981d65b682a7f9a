// The cluster of the tests of secure devices: alice, bob, carol and dan.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/driver/session_world.h"

namespace curia {

inline const std::vector<std::string> kMembers = {"alice", "bob", "carol"};

inline Table column_v(const std::vector<double>& values) {
  Table table;
  table.rows = static_cast<std::int64_t>(values.size());
  table.columns = {{"v", Tensor::of<double>({table.rows}, values)}};
  return table;
}

inline Grant to_share(std::string source,
                      std::set<std::string> members = {"alice", "bob", "carol"}) {
  return {.source = std::move(source),
          .to = "",
          .members = std::move(members),
          .protocol = std::string(kReplicated3)};
}

// alice, bob and dan each hold a table "x" with a column v of four numbers, and accept to share it
// among alice, bob and carol. `readers` may see what derives from it.
inline Parties four_parties(const std::vector<std::string>& readers) {
  Parties parties;
  parties["alice"].datasets.emplace("x", column_v({1.5, -2, 3, 0.25}));
  parties["bob"].datasets.emplace("x", column_v({2, 4, -0.5, 8}));
  parties["dan"].datasets.emplace("x", column_v({10, 20, 30.5, 40}));
  parties["carol"] = {};
  for (const char* owner : {"alice", "bob", "dan"}) {
    parties[owner].grants.push_back(to_share("x"));
    for (const std::string& reader : readers) {
      if (reader != owner) parties[owner].grants.push_back({.source = "x", .to = reader});
    }
  }
  return parties;
}

inline Array secret_of(Program& program, const Device& device, const std::string& owner) {
  return program.dataset({"x", parse_type("table[4]{v:f64} @" + owner)}).column("v").to(device);
}

// Within `ulps` units of the last of 18 fraction bits.
inline bool near(double found, double expected, double ulps = 2) {
  return std::abs(found - expected) <= ulps / (1 << 18);
}

inline void check_near(const Value& found, const std::vector<double>& expected, double ulps = 2) {
  const auto values = found.tensor().as<double>();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(i << ": " << values[i] << ", expected " << expected[i]);
    CHECK(near(values[i], expected[i], ulps));
  }
}

}  // namespace curia
