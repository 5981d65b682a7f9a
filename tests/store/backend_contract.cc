#include "tests/store/backend_contract.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/errors.h"

namespace curia {
namespace {

double first_of(const Object& object) { return object.value->tensor().as<double>()[0]; }

}  // namespace

ValuePtr contract_value(std::int64_t elements, double first) {
  std::vector<double> numbers(static_cast<std::size_t>(elements), 0.5);
  if (!numbers.empty()) numbers[0] = first;
  return std::make_shared<const Value>(Tensor::of<double>({elements}, numbers));
}

std::shared_ptr<const ObjectMeta> contract_meta(const std::string& principal) {
  auto meta = std::make_shared<ObjectMeta>();
  meta->type = parse_type("f64[?] @alice");
  auto label = std::make_shared<Label>();
  label->sources[{"alice", "x"}].insert(sha256({}));
  meta->label = label;
  meta->lineage = put_lineage("dora", sha256({}));
  meta->principal = principal;
  meta->task = 7;
  meta->output = "y";
  return meta;
}

void check_backend_contract(const MakeBackend& make) {
  const std::unique_ptr<Backend> backend = make();

  SUBCASE("what was put is read back, with all that is known of it") {
    CHECK(backend->put("k", contract_value(3, 42), contract_meta("dora"), 0) == 1);
    const auto object = backend->get("k");
    REQUIRE(object);
    CHECK(first_of(*object) == 42);
    CHECK(object->version == 1);
    CHECK(object->meta->type.str() == "f64[?] @alice");
    CHECK(*object->meta->label == *contract_meta("dora")->label);
    CHECK(object->meta->lineage == put_lineage("dora", sha256({})));
    CHECK(object->meta->principal == "dora");
    CHECK(object->meta->task == 7);
    CHECK(object->meta->output == "y");
    CHECK(backend->exists("k"));
    const auto entry = backend->describe("k");
    REQUIRE(entry);
    CHECK(entry->bytes == 24);
    CHECK(entry->version == 1);
  }

  SUBCASE("what was never put, or was erased, is absent, not an error") {
    CHECK_FALSE(backend->get("k"));
    CHECK_FALSE(backend->exists("k"));
    CHECK_FALSE(backend->describe("k"));
    CHECK_FALSE(backend->erase("k"));
    backend->put("k", contract_value(1, 1), contract_meta("dora"), 0);
    CHECK(backend->erase("k"));
    CHECK_FALSE(backend->exists("k"));
    CHECK(backend->stats().open.bytes == 0);
  }

  SUBCASE("a second put under a key is refused, and the first object stays") {
    backend->put("k", contract_value(1, 1), contract_meta("dora"), 0);
    CHECK(code_of([&] { backend->put("k", contract_value(1, 2), contract_meta("dora"), 0); }) ==
          Code::kImmutable);
    CHECK(first_of(*backend->get("k")) == 1);
    CHECK(backend->stats().objects == 1);
    CHECK(backend->stats().open.bytes == 8);
  }

  SUBCASE("an update names the version it replaces; any other is refused") {
    backend->put("k", contract_value(1, 1), contract_meta("dora"), 0);
    CHECK(backend->put("k", contract_value(2, 2), contract_meta("dora"), 1) == 2);
    CHECK(code_of([&] { backend->put("k", contract_value(1, 3), contract_meta("dora"), 1); }) ==
          Code::kImmutable);
    CHECK(code_of([&] { backend->put("none", contract_value(1, 3), contract_meta("dora"), 5); }) ==
          Code::kImmutable);
    CHECK(first_of(*backend->get("k")) == 2);
    CHECK(backend->get("k")->version == 2);
    CHECK_FALSE(backend->exists("none"));
    CHECK(backend->stats().open.bytes == 16);
  }

  SUBCASE("versions begin again, so a put or erase could meet what another driver saved since") {
    backend->put("k", contract_value(1, 1), contract_meta("mallory"), 0);
    const auto seen = backend->describe("k");
    backend->erase("k");
    backend->put("k", contract_value(1, 2), contract_meta("dora"), 0);
    CHECK(backend->describe("k")->version == seen->version);
    CHECK(code_of([&] {
            backend->put("k", contract_value(1, 3), contract_meta("mallory"),
                         Expected::exactly(seen));
          }) == Code::kImmutable);
    CHECK_FALSE(backend->erase_exactly(*seen));
    CHECK(backend->describe("k")->meta->principal == "dora");
    CHECK(first_of(*backend->get("k")) == 2);
    // Nor what the same driver saved anew.
    const auto mine = backend->describe("k");
    backend->erase("k");
    backend->put("k", contract_value(1, 4), contract_meta("dora"), 0);
    CHECK(code_of([&] {
            backend->put("k", contract_value(1, 5), contract_meta("dora"), Expected::exactly(mine));
          }) == Code::kImmutable);
    CHECK(backend->put("k", contract_value(1, 6), contract_meta("dora"),
                       Expected::exactly(backend->describe("k"))) == 2);
    CHECK(backend->erase_exactly(*backend->describe("k")));
    CHECK_FALSE(backend->exists("k"));
    CHECK(backend->put("k", contract_value(1, 7), contract_meta("dora"),
                       Expected::exactly(std::nullopt)) == 1);
  }

  SUBCASE("a reader keeps what it got while the object is erased or replaced") {
    backend->put("k", contract_value(1, 1), contract_meta("dora"), 0);
    const auto held = backend->get("k");
    backend->put("k", contract_value(1, 2), contract_meta("dora"), 1);
    backend->erase("k");
    CHECK(first_of(*held) == 1);
  }

  SUBCASE("the quota is enforced before anything changes") {
    const std::int64_t fits = (kContractQuota - kObjectOverhead) / 8;
    CHECK(code_of([&] {
            backend->put("k", contract_value(fits + 1, 1), contract_meta("dora"), 0);
          }) == Code::kQuota);
    CHECK_FALSE(backend->exists("k"));
    CHECK(backend->stats().open.bytes == 0);
    backend->put("k", contract_value(fits, 1), contract_meta("dora"), 0);
    CHECK(code_of([&] {
            backend->put("k", contract_value(fits + 1, 2), contract_meta("dora"), 1);
          }) == Code::kQuota);
    CHECK(first_of(*backend->get("k")) == 1);
    CHECK(code_of([&] { backend->reserve(Account::open(), 1); }) == Code::kQuota);
    backend->erase("k");
    CHECK_NOTHROW(backend->reserve(Account::open(), kContractQuota));
    CHECK(code_of([&] { backend->put("k", contract_value(1, 1), contract_meta("dora"), 0); }) ==
          Code::kQuota);
    CHECK(backend->stats().open.reserved_bytes == kContractQuota);
    backend->unreserve(Account::open(), kContractQuota);
    CHECK(backend->stats().open.reserved_bytes == 0);
    CHECK_NOTHROW(backend->put("k", contract_value(1, 1), contract_meta("dora"), 0));
  }

  SUBCASE("objects without bytes, and failures, had no limit") {
    std::int64_t stored = 0;
    const auto fill = [&] {
      for (; stored < 1'000'000; ++stored) {
        ValuePtr value = contract_value(0, 0);
        if (stored % 2 == 0) value = std::make_shared<const Value>(Error(Code::kFailed, "it"));
        auto meta = std::make_shared<ObjectMeta>(*contract_meta("dora"));
        meta->label = std::make_shared<const Label>();
        backend->put(std::to_string(stored), value, meta, 0);
      }
    };
    CHECK(code_of(fill) == Code::kQuota);
    CHECK(stored <= kContractQuota / kObjectOverhead);
    CHECK(backend->stats().objects == stored);
    backend->erase("0");
    CHECK_NOTHROW(backend->put("k", contract_value(0, 0), contract_meta("dora"), 0));
  }

  SUBCASE("memory that is in use counts after its object is gone") {
    const std::int64_t fits = (kContractQuota - kObjectOverhead) / 8;
    backend->put("k", contract_value(fits, 1), contract_meta("dora"), 0);
    auto held = backend->get("k");
    CHECK(backend->erase("k"));
    CHECK(backend->stats().objects == 0);
    CHECK(backend->stats().open.bytes == fits * 8);
    CHECK(code_of([&] { backend->put("k", contract_value(1, 1), contract_meta("dora"), 0); }) ==
          Code::kQuota);
    held.reset();
    CHECK(backend->stats().open.bytes == 0);
    backend->put("k", contract_value(fits, 1), contract_meta("dora"), 0);
    CHECK(backend->put("k", contract_value(fits, 2), contract_meta("dora"), 1) == 2);
    held = backend->get("k");
    CHECK(code_of([&] { backend->put("k", contract_value(fits, 3), contract_meta("dora"), 2); }) ==
          Code::kQuota);
    CHECK(first_of(*backend->get("k")) == 2);
  }

  SUBCASE("a list is in order of keys, in pages, by prefix and owner") {
    for (const char* key : {"b/2", "a/1", "b/1", "b/3", "c"}) {
      backend->put(key, contract_value(1, 1), contract_meta(key[0] == 'b' ? "dora" : "mallory"), 0);
    }
    const auto keys = [](const std::vector<Entry>& entries) {
      std::string text;
      for (const Entry& entry : entries) text += entry.key + " ";
      return text;
    };
    const Owner dora{"dora", {}};
    const Owner mallory{"mallory", {}};
    CHECK(keys(backend->list(dora, "", "", 10)) == "b/1 b/2 b/3 ");
    CHECK(keys(backend->list(mallory, "", "", 10)) == "a/1 c ");
    CHECK(keys(backend->list(mallory, "", "", 1)) == "a/1 ");
    CHECK(keys(backend->list(mallory, "b/", "", 10)) == "");
    CHECK(keys(backend->list(dora, "b/", "", 2)) == "b/1 b/2 ");
    CHECK(keys(backend->list(dora, "b/", "b/2", 2)) == "b/3 ");
    CHECK(keys(backend->list(dora, "b/2", "b/1", 2)) == "b/2 ");
    // Of another session, where objects end with one.
    CHECK(keys(backend->list({"dora", {1}}, "", "", 10)) ==
          (backend->scheme() == "mem" ? "" : "b/1 b/2 b/3 "));
    CHECK(backend->erase_all(dora) == 3);
    CHECK(backend->erase_all(dora) == 0);
    CHECK(keys(backend->list(dora, "", "", 10)) == "");
    CHECK(keys(backend->list(mallory, "", "", 10)) == "a/1 c ");
    backend->put("c", contract_value(1, 1), contract_meta("dora"), 1);
    CHECK(keys(backend->list(mallory, "", "", 10)) == "a/1 ");
    CHECK(keys(backend->list(dora, "", "", 10)) == "c ");
    CHECK(backend->stats().open.bytes == 16);
  }

  SUBCASE("of the keys to erase those of another's objects stay, and absent ones do not matter") {
    for (const char* key : {"a", "b", "c"}) {
      backend->put(key, contract_value(1, 1), contract_meta(key[0] == 'b' ? "mallory" : "dora"), 0);
    }
    const std::vector<std::string_view> keys = {"a", "none", "b", "c", "a"};
    CHECK(backend->erase_own({"dora", {}}, keys) == 2);
    CHECK_FALSE(backend->exists("a"));
    CHECK(backend->exists("b"));
    CHECK_FALSE(backend->exists("c"));
    CHECK(backend->erase_own({"dora", {}}, keys) == 0);
    CHECK(backend->erase_own({"mallory", {}}, keys) == 1);
    CHECK(backend->erase_own({"dora", {}}, {}) == 0);
    CHECK(backend->stats().open.bytes == 0);
  }

  SUBCASE("of many threads that update one version, one wins") {
    backend->put("k", contract_value(1, 0), contract_meta("dora"), 0);
    std::atomic<int> wins{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&backend, &wins, i] {
        for (int version = 1; version <= 50; ++version) {
          try {
            backend->put("k", contract_value(1, i), contract_meta("dora"), version);
            ++wins;
          } catch (const Error&) {
            // Another thread replaced this version, or it is not there yet.
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(backend->get("k")->version == wins + 1);
    CHECK(backend->stats().objects == 1);
    CHECK(backend->stats().open.bytes == 8);
  }

  SUBCASE("threads that put and erase their own keys leave nothing behind") {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&backend, i] {
        for (int round = 0; round < 500; ++round) {
          const std::string key = std::to_string(i) + "/" + std::to_string(round);
          backend->put(key, contract_value(4, i), contract_meta("dora"), 0);
          backend->erase(key);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(backend->stats().objects == 0);
    CHECK(backend->stats().open.bytes == 0);
  }
}

}  // namespace curia
