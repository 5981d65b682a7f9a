#include "store/memory_backend.h"

#include <doctest/doctest.h>

#include "store/object_store.h"
#include "tests/store/backend_contract.h"

using namespace curia;

TEST_CASE("MemoryBackend: keeps the contract of backends") {
  check_backend_contract([] { return std::make_unique<MemoryBackend>(kContractQuota); });
}

TEST_CASE("MemoryBackend: without a quota anything fits") {
  MemoryBackend backend(0);
  CHECK_NOTHROW(backend.reserve(std::int64_t{1} << 50));
  backend.unreserve(std::int64_t{1} << 50);
}

TEST_CASE("ObjectStore: a URI goes to the backend of its scheme") {
  ObjectStore store;
  store.add(std::make_unique<MemoryBackend>(0));
  const Uri uri = Uri::fresh();
  store.put(uri, contract_value(1, 5), contract_meta("dora"));
  CHECK(store.get(uri)->value->tensor().as<double>()[0] == 5);
  CHECK(store.backend("mem").exists(std::string(uri.rest())));
  CHECK(store.erase(uri));
  CHECK_FALSE(store.exists(uri));
}

TEST_CASE("ObjectStore: a scheme without a backend is refused, naming those there are") {
  ObjectStore store;
  store.add(std::make_unique<MemoryBackend>(0));
  CHECK_THROWS_WITH_AS(store.get(Uri::parse("fs:///a/b")), doctest::Contains("there is mem://"),
                       Error);
  CHECK_THROWS_AS(store.add(std::make_unique<MemoryBackend>(0)), Error);
}

TEST_CASE("Reservation: gives back what it took, also when something fails") {
  MemoryBackend backend(100);
  {
    const Reservation held(backend, 60);
    CHECK_THROWS_AS(Reservation(backend, 60), Error);
    CHECK(backend.stats().reserved_bytes == 60);
  }
  CHECK(backend.stats().reserved_bytes == 0);
}
