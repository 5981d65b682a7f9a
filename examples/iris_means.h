// Means over rows that three parties hold: each adds up its own, carol adds the sums.
#pragma once

#include "examples/example.h"

namespace curia {

PreparedPtr iris_means_program();

// The means of the four measures over all rows; the only thing that reaches the driver.
std::vector<double> iris_means(Session& session);

Example iris_means_example();

}  // namespace curia
