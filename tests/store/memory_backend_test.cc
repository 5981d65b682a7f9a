#include "store/memory_backend.h"

#include <doctest/doctest.h>

#include "store/object_store.h"
#include "tests/store/backend_contract.h"

using namespace curia;

TEST_CASE("MemoryBackend: keeps the contract of backends") {
  check_backend_contract(
      [] { return std::make_unique<MemoryBackend>(kContractQuota, kContractQuota); });
}

TEST_CASE("MemoryBackend: without a quota anything fits") {
  MemoryBackend backend(0, 0);
  CHECK_NOTHROW(backend.reserve(Account::kOpen, std::int64_t{1} << 50));
  backend.unreserve(Account::kOpen, std::int64_t{1} << 50);
}

TEST_CASE("ObjectStore: a URI goes to the backend of its scheme") {
  ObjectStore store;
  store.add(std::make_unique<MemoryBackend>(0, 0));
  const Uri uri = Uri::fresh();
  store.put(uri, contract_value(1, 5), contract_meta("dora"));
  CHECK(store.get(uri)->value->tensor().as<double>()[0] == 5);
  CHECK(store.backend("mem").exists(std::string(uri.rest())));
  CHECK(store.erase(uri));
  CHECK_FALSE(store.exists(uri));
}

TEST_CASE("ObjectStore: a scheme without a backend is refused, naming those there are") {
  ObjectStore store;
  store.add(std::make_unique<MemoryBackend>(0, 0));
  CHECK_THROWS_WITH_AS(store.get(Uri::parse("fs:///a/b")), doctest::Contains("there is mem://"),
                       Error);
  CHECK_THROWS_AS(store.add(std::make_unique<MemoryBackend>(0, 0)), Error);
}

TEST_CASE("Reservation: gives back what it took, also when something fails") {
  MemoryBackend backend(100, 100);
  {
    const Reservation held(backend, 60);
    CHECK_THROWS_AS(Reservation(backend, 60), Error);
    CHECK(backend.stats().open.reserved_bytes == 60);
  }
  CHECK(backend.stats().open.reserved_bytes == 0);
}

TEST_CASE("MemoryBackend: how full one account is says nothing about the other") {
  MemoryBackend backend(1000 + 2 * kObjectOverhead, 1000 + 2 * kObjectOverhead);
  const auto value = [](std::int64_t bytes) {
    return std::make_shared<const Value>(Tensor::of<std::uint8_t>(
        {bytes}, std::vector<std::uint8_t>(static_cast<std::size_t>(bytes))));
  };
  const auto meta = [](bool hidden) {
    auto known = std::make_shared<ObjectMeta>();
    known->label = std::make_shared<const Label>();
    known->hidden = hidden;
    return known;
  };
  backend.put("open", value(900), meta(false), 0);
  backend.put("hidden", value(900), meta(true), 0);
  CHECK_THROWS_WITH_AS(backend.put("more", value(200), meta(false), 0),
                       doctest::Contains("712 bytes wanted"), Error);
  // Not even how many bytes were wanted.
  CHECK_THROWS_WITH_AS(backend.reserve(Account::kHidden, 700),
                       doctest::Contains("whose size depends on the data"), Error);
  try {
    backend.reserve(Account::kHidden, 700);
  } catch (const Error& error) {
    CHECK(error.message().find_first_of("0123456789") == std::string::npos);
  }
  CHECK(backend.put("open", value(50), meta(true), 1) == 2);  // changes the account
  CHECK(backend.stats().open.bytes == 0);
  CHECK(backend.stats().hidden.bytes == 950);
  backend.erase("hidden");
  CHECK(backend.stats().hidden.bytes == 50);
}

TEST_CASE("MemoryBackend: who holds an object may outlive the backend") {
  auto backend = std::make_unique<MemoryBackend>(0, 0);
  backend->put("k", contract_value(3, 42), contract_meta("dora"), 0);
  const auto held = backend->get("k");
  backend.reset();
  CHECK(held->value->tensor().as<double>()[0] == 42);
}
