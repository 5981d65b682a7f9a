// What an attempt failed with, for tests.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <string>

#include "protocol/error.h"

namespace curia {

// The error that an attempt ends with, if any.
inline std::optional<Error> error_if_any(const std::function<void()>& attempt) {
  try {
    attempt();
  } catch (const Error& error) {
    return error;
  }
  return {};
}

// The error that an attempt ends with. Fails the test when there is none.
inline Error error_of(const std::function<void()>& attempt) {
  if (const auto error = error_if_any(attempt)) return *error;
  FAIL("expected an error");
  return {Code::kFailed, "none"};
}

inline Code code_of(const std::function<void()>& attempt) { return error_of(attempt).code(); }

inline bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

inline bool says(const Error& error, const std::string& part) {
  return contains(error.what(), part);
}

}  // namespace curia
