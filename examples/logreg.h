// Vertical logistic regression on breast cancer: alice and bob each hold 15 of the 30 features of
// the same patients, bob the diagnoses too. The model is trained on a secure device of alice, bob
// and carol and never opened; bob sees the scores of the 114 test patients, the driver two figures.
//
// Full-batch gradient descent, 100 steps, the sigmoid replaced by clip(z + 0.5, 0, 1).
#pragma once

#include "examples/example.h"

namespace curia {

inline constexpr int kLogregSteps = 100;
inline constexpr double kLogregRate = 0.1;

PreparedPtr logreg_program();

struct LogregResult {
  double accuracy = 0;
  double auc = 0;
};
LogregResult logreg(Session& session);

// alice's or bob's columns of the patients for training or testing.
Table logreg_patients(const std::string& party, bool test);

Example logreg_example();

}  // namespace curia
