// What system tests share: waiting for something to become true, and looking at a worker.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <string>

#include "driver/connection.h"
#include "driver/session.h"
#include "tests/support/errors.h"
#include "tests/support/eventually.h"

namespace curia {

using Seconds = std::chrono::seconds;

// One number of a worker's statistics; -1 where it has none of that name.
inline std::int64_t stat(Session& session, const std::string& party, const std::string& name) {
  for (const StatsEntry& entry : session.stats(party)) {
    if (entry.name == name) return entry.value;
  }
  return -1;
}

// Values of i64 at a party that no owner has to agree to.
inline Array numbers(Program& program, const std::string& party,
                     const std::vector<std::int64_t>& values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return program.constant(party, Tensor::of<std::int64_t>({size}, values));
}

// Adds up at `to` what `from` sends: 6. Shows that both work and that they reach each other.
inline void check_works(Session& session, const std::string& from, const std::string& to) {
  Program program("works");
  program.output("total", sum(numbers(program, from, {1, 2, 3}).to(to)));
  const Refs refs = session.run(program);
  CHECK(session.fetch(refs["total"], Seconds(20)).tensor().as<std::int64_t>()[0] == 6);
}

}  // namespace curia
