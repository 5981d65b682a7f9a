// Least squares on the diabetes data: alice and bob hold five features each of the same patients,
// carol the progression of the disease. The normal equations are built and solved on a secure
// device; the driver learns how good the fit is, 0.5177, and nothing else.
#pragma once

#include "examples/example.h"

namespace curia {

PreparedPtr least_squares_program();

// The coefficient of determination, R2, over all 442 patients.
double least_squares(Session& session);

Example least_squares_example();

}  // namespace curia
