// Sessions that ask at the same moment for what only some of them may have.
#pragma once

#include <cstdint>
#include <functional>

#include "tests/hostile/attempt.h"

namespace curia {

// Four sessions have `build` make one result each, and all fetch theirs at once. Returns how many
// were given it when those are more than `allowed`. Errors: one of the refusals otherwise; kFailed
// when fewer than `allowed` were given it.
Learnt race(Trial& trial, std::int64_t allowed, const std::function<Ref(Session&)>& build);

}  // namespace curia
