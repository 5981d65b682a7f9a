// What a driver may try with the rows that an example's owners did not release.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "driver/session.h"

namespace curia {

inline void check_denied(const std::function<void()>& attempt, const std::string& reason) {
  try {
    attempt();
    FAIL("the rows got out");
  } catch (const Error& error) {
    CHECK(error.code() == Code::kDenied);
    INFO(error.message());
    CHECK(error.message().find(reason) != std::string::npos);
  }
}

// Asserts that the driver gets the rows of `info` neither by a fetch, of all or of a slice, under
// the name of an output that was granted to it or another one, nor by sending them to `other`.
inline void check_rows_stay(Session& session, const DatasetInfo& info, const std::string& granted,
                            const std::string& other) {
  INFO(info.type.device << "/" << info.name);
  std::string column;
  for (const ColumnType& known : info.type.table().columns) {
    if (known.dtype != DType::kString) column = known.name;
  }
  for (const bool all : {true, false}) {
    for (const std::string& name : {granted, std::string("rows")}) {
      Program steal("steal");
      const Array rows = steal.dataset(info);
      steal.output(name, all ? rows : rows.column(column).slice({0}, {1}));
      const Refs refs = session.run(steal);
      const std::string reason = name == granted ? "not through program" : "but not as \"rows\"";
      check_denied([&] { session.fetch(refs[name]); }, reason);
    }
  }
  session.wait();
  Program move("move");
  move.output("moved", move.dataset(info).to(other));
  const Refs moved = session.run(move);
  check_denied([&] { session.fetch(moved["moved"]); }, info.type.device);
  check_denied([&] { session.wait(); }, info.type.device);
}

}  // namespace curia
