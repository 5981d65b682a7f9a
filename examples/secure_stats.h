// Mean and variance of the irises of three owners: the rows meet on a secure device only, the
// driver learns four means and four variances.
#pragma once

#include "examples/example.h"

namespace curia {

PreparedPtr secure_stats_program();

struct SecureStats {
  std::vector<double> means;      // 5.8433 3.0573 3.7580 1.1993
  std::vector<double> variances;  // 0.6811 0.1887 3.0955 0.5771
};
SecureStats secure_stats(Session& session);

Example secure_stats_example();

}  // namespace curia
