// What a driver program would release, as a session says that only plans. Thread: any.
#pragma once

#include "driver/connection.h"
#include "driver/session.h"
#include "protocol/fields.h"
#include "protocol/link/wiring.h"
#include "protocol/release_plan.h"
#include "tests/support/temporary_folder.h"

namespace curia {

template <class Script>
ReleasePlan planned(Wiring wiring, const Script& script) {
  const TemporaryFolder folder;
  const std::string path = folder / "plan.json";
  ConnectionOptions options;
  options.plan_file = path;
  {
    Session session(std::move(wiring), options);
    script(session);
    session.close();
  }
  return plan_from_json(read_file(path), path);
}

}  // namespace curia
