#include "store/file_backend.h"

#include <doctest/doctest.h>

#include "tests/store/backend_contract.h"
#include "tests/store/file_world.h"

using namespace curia;

TEST_CASE("FileBackend: keeps the contract of backends") {
  FileWorld world;
  world.options.open_quota = world.options.hidden_quota = kContractQuota;
  check_backend_contract([&] { return std::make_unique<FileBackend>(world.options); });
}
