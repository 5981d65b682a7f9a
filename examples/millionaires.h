// The millionaires' problem: who of two is richer, and nothing else. Alice's and bob's fortunes go
// onto a secure device of alice, bob and carol, and only the answers come back.
#pragma once

#include "examples/example.h"

namespace curia {

// `pairs`: rows of the datasets "fortunes" (column "coins", i64) at alice and bob.
PreparedPtr millionaires_program(std::int64_t pairs);

// For each row, whether alice has less than bob.
std::vector<bool> millionaires(Session& session, std::int64_t pairs);

// alice's and bob's fortunes in coins, below 2^62 in size.
std::map<std::string, SimulatedParty> millionaires_parties(const std::vector<std::int64_t>& alice,
                                                           const std::vector<std::int64_t>& bob,
                                                           const std::string& driver);

Example millionaires_example();

}  // namespace curia
