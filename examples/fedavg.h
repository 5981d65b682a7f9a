// Federated averaging of a logistic regression in the clear: three clinics train on their own
// patients, carol averages. The model stays at the parties, held by references between rounds; the
// driver learns the final accuracy on the 113 test patients and nothing else: 0.9912 after ten
// rounds.
#pragma once

#include "examples/example.h"

namespace curia {

inline constexpr int kFedavgRounds = 10;
inline constexpr int kFedavgSteps = 5;      // of gradient descent at each party, a round
inline constexpr double kFedavgRate = 0.5;  // of learning

struct FedavgPrograms {
  PreparedPtr scale;     // means and deviations of the features over all parties
  PreparedPtr round;     // one round: the model in, the averaged model out
  PreparedPtr accuracy;  // of a model on all test patients
};
FedavgPrograms fedavg_programs();

double fedavg(Session& session);

// The patients of one party, for training or testing: every fifth patient is for testing, the
// others are dealt out in turn.
Table fedavg_patients(int party, bool test);
std::vector<std::string> fedavg_features();

Example fedavg_example();

}  // namespace curia
