// A session's share of the memory.
#include <doctest/doctest.h>

#include <atomic>
#include <random>
#include <thread>

#include "store/mapping.h"
#include "store/memory_backend.h"
#include "tests/store/backend_contract.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

using namespace curia;

namespace {

constexpr std::int64_t kElements = 8 << 10;
constexpr std::int64_t kBytes = kElements * 8;
constexpr std::int64_t kWhole = kBytes + kObjectOverhead;  // what an object counts
constexpr std::int64_t kShare = 2 * kWhole + 20 * kObjectOverhead;
constexpr std::int64_t kQuota = 8 * kWhole;

const Owner kFirst{"dora", {1}};
const Owner kSecond{"dora", {2}};

std::shared_ptr<const ObjectMeta> meta_of(const Owner& owner, bool hidden = false) {
  auto meta = std::make_shared<ObjectMeta>(*contract_meta(owner.principal));
  meta->session = owner.session;
  meta->hidden = hidden;
  return meta;
}

Entry known(const Backend& backend, const std::string& key) {
  const auto found = backend.describe(key);
  if (!found) throw Error(Code::kNotFound, "the test's object " + key);
  return *found;
}

double first_of(const Backend& backend, const std::string& key) {
  const auto object = backend.get(key);
  if (!object) throw Error(Code::kNotFound, "the test's object " + key);
  return object->value->tensor().as<double>()[0];
}

void put(Backend& backend, const Owner& owner, const std::string& key, double first,
         std::int64_t elements = kElements) {
  backend.put(key, contract_value(elements, first), meta_of(owner), 0);
}

struct Shared {
  const TemporaryFolder folder;
  MemoryBackend backend{kQuota, 0, std::make_unique<Spill>(folder / "spill", 0), kShare};
};

}  // namespace

TEST_CASE("MemoryBackend: a session that has its share is told so, and others do not notice") {
  MemoryBackend backend(kQuota, 0, nullptr, kShare);
  put(backend, kFirst, "a", 1);
  put(backend, kFirst, "b", 2);
  const Error full = error_of([&] { put(backend, kFirst, "c", 3); });
  CHECK(full.code() == Code::kQuota);
  CHECK(contains(full.message(), std::to_string(kWhole) + " bytes wanted, less left of the " +
                                     std::to_string(kShare) + " that are one session's share"));
  CHECK(contains(full.message(), "raise session_quota_mib"));
  CHECK_FALSE(backend.exists("c"));
  CHECK(first_of(backend, "a") == 1);
  CHECK(first_of(backend, "b") == 2);
  CHECK(backend.stats().open.bytes == 2 * kBytes);
  put(backend, kSecond, "c", 4);
  put(backend, kSecond, "d", 5);
  backend.erase("a");
  CHECK_NOTHROW(put(backend, kFirst, "e", 6));
  // What is replaced makes room for what comes.
  CHECK(backend.put("e", contract_value(kElements, 7), meta_of(kFirst), 1) == 2);
  // Of another session's object it does not.
  CHECK(code_of([&] { backend.put("c", contract_value(kElements, 8), meta_of(kFirst), 1); }) ==
        Code::kQuota);
  CHECK(first_of(backend, "c") == 4);
}

TEST_CASE(
    "MemoryBackend: what is set aside, aliases, failures and hidden results are in the share") {
  MemoryBackend backend(kQuota, 0, nullptr, kShare);
  const Account account = Account::open_of(kFirst);
  CHECK(backend.left(account) == kShare);
  CHECK(backend.left(Account::open()) == kQuota);
  {
    const Reservation run(backend, kShare - 100, kFirst);
    CHECK(backend.left(account) == 100);
    CHECK(error_of([&] { Reservation(backend, 101, kFirst); }).code() == Code::kQuota);
    CHECK_NOTHROW(Reservation(backend, kShare, kSecond));
    CHECK_NOTHROW(Reservation(backend, kQuota - kShare));
    CHECK(code_of([&] { backend.hold(account, 101); }) == Code::kQuota);
  }
  const auto held = backend.hold(account, 50);
  CHECK(backend.left(account) == kShare - 50);
  backend.put("hidden", contract_value(1000, 1), meta_of(kFirst, true), 0);
  CHECK(backend.left(account) == kShare - 50 - kObjectOverhead);
  put(backend, kFirst, "a", 1, 10);
  backend.alias("b", kFirst, known(backend, "a"));
  CHECK(backend.left(account) == kShare - 50 - 3 * kObjectOverhead - 80);
  auto used = backend.get("a");
  CHECK(backend.erase_all(kFirst) == 3);
  CHECK(backend.left(account) == kShare - 50 - kObjectOverhead - 80);
  used.reset();
  CHECK(backend.left(account) == kShare - 50);
}

TEST_CASE("MemoryBackend: the objects of a session whose share is full spill, and no others do") {
  Shared world;
  MemoryBackend& backend = world.backend;
  put(backend, kSecond, "x", 100);  // used before all the others
  for (int i = 0; i < 10; ++i) put(backend, kFirst, "a" + std::to_string(i), i);
  CHECK(backend.stats().spilled_objects == 8);
  CHECK(backend.at_hand("x"));
  CHECK(backend.left(Account::open_of(kFirst)) == kShare - 2 * kBytes - 10 * kObjectOverhead);
  for (int i = 0; i < 10; ++i) CHECK(first_of(backend, "a" + std::to_string(i)) == i);
  CHECK(backend.at_hand("x"));
  // Read from the disk, since its share has no room for it.
  CHECK_FALSE(backend.at_hand("a0"));
  CHECK(is_mapped(*backend.get("a0")->value));
  backend.erase("a9");
  CHECK(first_of(backend, "a0") == 0);
  CHECK(backend.at_hand("a0"));
  {
    const Reservation run(backend, kShare - 11 * kObjectOverhead, kFirst);
    CHECK_FALSE(backend.at_hand("a0"));
    CHECK(backend.at_hand("x"));
  }
  CHECK(backend.erase_all(kFirst) == 9);
  CHECK(first_of(backend, "x") == 100);
  CHECK(backend.left(Account::open_of(kFirst)) == kShare);
}

TEST_CASE(
    "MemoryBackend: where a share cannot have it, or all is in use, nothing goes to the disk") {
  Shared world;
  MemoryBackend& backend = world.backend;
  put(backend, kSecond, "x", 100);
  put(backend, kFirst, "a", 1);
  put(backend, kFirst, "b", 2);
  CHECK(code_of([&] { put(backend, kFirst, "large", 3, 4 * kElements); }) == Code::kQuota);
  CHECK(backend.stats().spilled_objects == 0);
  const auto first = backend.get("a");
  const auto second = backend.get("b");
  const Error full = error_of([&] { put(backend, kFirst, "c", 3); });
  CHECK(full.code() == Code::kQuota);
  CHECK(contains(full.message(), "one session's share"));
  CHECK(contains(full.message(), "no object could be spilled: all of them are in use"));
  CHECK(backend.stats().spilled_objects == 0);
  CHECK(backend.at_hand("x"));
}

TEST_CASE("MemoryBackend: sessions within their shares fill the memory together, as without") {
  Shared world;
  MemoryBackend& backend = world.backend;
  for (std::uint8_t session = 1; session <= 6; ++session) {
    const Owner owner{"dora", {session}};
    for (int i = 0; i < 2; ++i) {
      put(backend, owner, std::to_string(session) + "/" + std::to_string(i), session + i);
    }
  }
  CHECK_FALSE(backend.at_hand("1/0"));  // the oldest of all
  CHECK(backend.at_hand("6/1"));
  for (std::uint8_t session = 1; session <= 6; ++session) {
    for (int i = 0; i < 2; ++i) {
      CHECK(first_of(backend, std::to_string(session) + "/" + std::to_string(i)) == session + i);
    }
  }
}

TEST_CASE("MemoryBackend: threads of several sessions, and no share counts what is gone") {
  Shared world;
  MemoryBackend& backend = world.backend;
  constexpr int steps = 400;
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (std::uint8_t session = 1; session <= 4; ++session) {
    threads.emplace_back([&, session] {
      const Owner owner{"dora", {session}};
      std::mt19937 random(session);
      for (int step = 0; step < steps; ++step) {
        const std::string key = std::to_string(session) + "/" + std::to_string(random() % 6);
        try {
          switch (random() % 4) {
            case 0:
              backend.erase(key);
              break;
            case 1:
              backend.put(key, contract_value(kElements, session), meta_of(owner),
                          Expected::exactly(backend.describe(key)));
              break;
            case 2: {
              const Reservation run(backend, kWhole, owner);
              break;
            }
            default:
              if (backend.exists(key) && first_of(backend, key) != session) ++wrong;
          }
        } catch (const Error& error) {
          if (error.code() != Code::kQuota) ++wrong;
        }
      }
    });
  }
  threads.clear();
  CHECK(wrong == 0);
  for (std::uint8_t session = 1; session <= 4; ++session) {
    const Owner owner{"dora", {session}};
    backend.erase_all(owner);
    CHECK(backend.left(Account::open_of(owner)) == kShare);
  }
  CHECK(backend.stats().open.bytes == 0);
  CHECK(backend.stats().open.overhead_bytes == 0);
  CHECK(backend.stats().spilled_objects == 0);
}
