#include "protocol/link/data_link.h"

#include <doctest/doctest.h>

#include "tests/link/data_world.h"

namespace curia::test {

TEST_CASE("DataLink: it keeps the contract of Link") {
  link_contract([] { return std::make_unique<DataWorld>(); });
}

}  // namespace curia::test
