// What may run twice. A run that only computes may; one that has effects may where its driver
// allows it; one that draws randomness never may, since it would make another value.
//
// The workers ask their owners for consent whatever the driver thinks of it.
// Thread: of the reconstruct() that owns it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "driver/session.h"

namespace curia {

struct Recipe;

class RunAgain {
 public:
  // `options` outlives this.
  RunAgain(const ReconstructOptions& options, std::string driver)
      : options_(options), driver_(std::move(driver)) {}

  // Errors: kFailed, naming program, op and line, where what made this output must not run again,
  // or cannot.
  void check(const Recipe& recipe, std::uint32_t output);

 private:
  const ReconstructOptions& options_;
  const std::string driver_;
  std::set<const Prepared*> allowed_;  // programs whose effects are
};

}  // namespace curia
