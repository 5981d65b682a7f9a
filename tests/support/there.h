// What a test looks for and has to find.
#pragma once

#include <optional>
#include <utility>

#include "protocol/error.h"

namespace curia {

// What was found. Errors: kNotFound, which ends a test, when nothing was.
template <class T>
T there(std::optional<T> found) {
  if (!found) throw Error(Code::kNotFound, "expected something here, found nothing");
  return *std::move(found);
}

}  // namespace curia
