#include "store/memory_backend.h"

#include <doctest/doctest.h>

#include "store/object_store.h"
#include "store/quota_books.h"
#include "tests/store/backend_contract.h"

using namespace curia;

TEST_CASE("MemoryBackend: keeps the contract of backends") {
  check_backend_contract(
      [] { return std::make_unique<MemoryBackend>(kContractQuota, kContractQuota); });
}

TEST_CASE("MemoryBackend: without a quota anything fits") {
  MemoryBackend backend(0, 0);
  CHECK_NOTHROW(backend.reserve(Account::open(), std::int64_t{1} << 50));
  backend.unreserve(Account::open(), std::int64_t{1} << 50);
}

TEST_CASE("MemoryBackend: a session erases its own objects, not its principal's other ones") {
  MemoryBackend backend(0, 0);
  auto other = std::make_shared<ObjectMeta>(*contract_meta("dora"));
  other->session = {1};
  backend.put("a", contract_value(1, 1), contract_meta("dora"), 0);
  backend.put("b", contract_value(1, 1), other, 0);
  const std::vector<std::string_view> keys = {"a", "b"};
  CHECK(backend.erase_own({"dora", {1}}, keys) == 1);
  CHECK(backend.exists("a"));
  CHECK_FALSE(backend.exists("b"));
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

namespace {

constexpr std::int64_t kHiddenQuota = 1 << 20;

ValuePtr bytes_of(std::int64_t bytes) {
  return std::make_shared<const Value>(Tensor::of<std::uint8_t>(
      {bytes}, std::vector<std::uint8_t>(static_cast<std::size_t>(bytes))));
}

// source "": of an open size.
std::shared_ptr<const ObjectMeta> meta_of(const std::string& source,
                                          const std::string& output = "out") {
  auto known = std::make_shared<ObjectMeta>();
  auto label = std::make_shared<Label>();
  if (!source.empty()) label->sources[{"alice", source}];
  known->label = std::move(label);
  known->hidden = !source.empty();
  known->output = output;
  return known;
}

bool fits(Backend& backend, const std::string& key, std::int64_t bytes,
          const std::shared_ptr<const ObjectMeta>& meta) {
  try {
    backend.put(key, bytes_of(bytes), meta, 0);
    return true;
  } catch (const Error& error) {
    REQUIRE(error.code() == Code::kQuota);
    return false;
  }
}

}  // namespace

TEST_CASE("MemoryBackend: how full the open account is says nothing of sizes that are hidden") {
  MemoryBackend backend(1000 + 3 * kObjectOverhead, kHiddenQuota);
  backend.put("open", bytes_of(900), meta_of(""), 0);
  backend.put("hidden", bytes_of(900), meta_of("x"), 0);
  CHECK_THROWS_WITH_AS(backend.put("more", bytes_of(200), meta_of(""), 0),
                       doctest::Contains("712 bytes wanted"), Error);
  CHECK(backend.put("open", bytes_of(50), meta_of("x"), 1) == 2);  // changes the account
  CHECK(backend.stats().open.bytes == 0);
  CHECK(backend.stats().hidden.bytes == 950);
  backend.erase("hidden");
  CHECK(backend.stats().hidden.bytes == 50);
}

TEST_CASE("MemoryBackend: a hidden account is full at its share, whatever is in the others") {
  for (const std::int64_t others : {100, 100'000}) {
    MemoryBackend backend(0, kHiddenQuota);
    CHECK(fits(backend, "x1", others, meta_of("x")));
    CHECK(fits(backend, "x2", 100, meta_of("x", "another output")));
    CHECK(fits(backend, "y1", 50'000, meta_of("y")));
    CHECK(fits(backend, "x3", 80'000, meta_of("x", "another output")));
    CHECK_FALSE(fits(backend, "y2", 50'000, meta_of("y")));
    CHECK(fits(backend, "x4", 40'000, meta_of("x")) == (others == 100));
    try {
      backend.put("y2", bytes_of(50'000), meta_of("y"), 0);
    } catch (const Error& error) {
      // Not even how many bytes were wanted.
      CHECK(error.message().find_first_of("0123456789") == std::string::npos);
    }
  }
}

TEST_CASE("MemoryBackend: a failure has room in a full account, so that nobody sees it is full") {
  MemoryBackend backend(0, kHiddenQuota);
  CHECK(fits(backend, "rows", kHiddenQuota / QuotaBooks::kFirstShare, meta_of("x")));
  CHECK_FALSE(fits(backend, "more", 1, meta_of("x")));
  const auto failure = std::make_shared<const Value>(Error(Code::kQuota, "no room"));
  for (int i = 0; i < 100; ++i) {
    CHECK_NOTHROW(backend.put("failure" + std::to_string(i), failure, meta_of("x"), 0));
  }
}

TEST_CASE("MemoryBackend: hidden accounts never get more than their quota together") {
  MemoryBackend backend(0, kHiddenQuota);
  std::int64_t given = 0;
  std::vector<std::shared_ptr<const void>> held;
  const auto label = [](int i) { return meta_of("x" + std::to_string(i))->label; };
  Error error(Code::kFailed, "");
  while (error.code() != Code::kQuota) {
    try {
      const Account account{label(static_cast<int>(held.size())), "run"};
      held.push_back(backend.hold(account, 0));
      const std::int64_t left = backend.left(account);
      CHECK(left >= QuotaBooks::kLeastShare);
      given += left;
    } catch (const Error& refused) {
      error = refused;
    }
  }
  CHECK(given <= kHiddenQuota);
  CHECK(held.size() > 30);
  CHECK(error.message().find("too many different labels") != std::string::npos);
  held.clear();
  const Account again{label(0), "run"};
  const auto first = backend.hold(again, 0);
  CHECK(backend.left(again) == kHiddenQuota / QuotaBooks::kFirstShare);
}

TEST_CASE("MemoryBackend: who holds an object may outlive the backend") {
  auto backend = std::make_unique<MemoryBackend>(0, 0);
  backend->put("k", contract_value(3, 42), contract_meta("dora"), 0);
  const auto held = backend->get("k");
  backend.reset();
  CHECK(held->value->tensor().as<double>()[0] == 42);
}
