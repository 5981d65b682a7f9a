// What the examples on a secure device share.
#pragma once

#include "examples/example.h"

namespace curia {

inline const std::vector<std::string> kSecureParties = {"alice", "bob", "carol"};

// The three members without data.
std::map<std::string, SimulatedParty> secure_parties();

// The owner lets `program` share the dataset among the members.
void accept_device(SimulatedParty& owner, const std::string& dataset, const Digest& program);

// The columns of a plaintext matrix with mean 0 and variance 1 over the rows of `by`.
Array standardised(const Array& x, const Array& by);

}  // namespace curia
