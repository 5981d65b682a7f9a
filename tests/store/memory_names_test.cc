// Objects in memory with several names.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "store/file_backend.h"
#include "store/mapping.h"
#include "store/memory_backend.h"
#include "store/object_store.h"
#include "tests/store/backend_contract.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

using namespace curia;

namespace {

const Owner kDora{"dora", {}};

std::string name(std::int64_t i) { return "n" + std::to_string(i); }

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

void put(Backend& backend, const std::string& key, double first, std::int64_t elements = 10) {
  backend.put(key, contract_value(elements, first), contract_meta("dora"), 0);
}

void alias(Backend& backend, const std::string& key, const std::string& of) {
  backend.alias(key, kDora, known(backend, of));
}

std::string keys_of(const Backend& backend) {
  std::string text;
  for (const Entry& entry : backend.list(kDora, "", "", 1000)) text += entry.key + " ";
  return text;
}

}  // namespace

TEST_CASE("MemoryBackend: an alias is a second name of one object, which lives until the last") {
  for (const bool first_goes_first : {true, false}) {
    MemoryBackend backend(0, 0);
    put(backend, "a", 7);
    alias(backend, "b", "a");
    CHECK(backend.get("a")->value == backend.get("b")->value);
    CHECK(backend.get("b")->meta == backend.get("a")->meta);
    CHECK(backend.get("b")->number == backend.describe("b")->number);
    CHECK(backend.describe("a")->number != backend.describe("b")->number);
    CHECK(backend.describe("b")->version == 1);
    CHECK(backend.describe("b")->bytes == 80);
    CHECK(backend.describe("b")->key == "b");
    CHECK(backend.at_hand("b"));
    CHECK(keys_of(backend) == "a b ");
    CHECK(backend.stats().objects == 2);
    CHECK(backend.stats().open.bytes == 80);
    CHECK(backend.stats().open.overhead_bytes == 2 * kObjectOverhead);
    CHECK(backend.erase(first_goes_first ? "a" : "b"));
    const std::string left = first_goes_first ? "b" : "a";
    CHECK(first_of(backend, left) == 7);
    CHECK(keys_of(backend) == left + " ");
    CHECK(backend.stats().objects == 1);
    CHECK(backend.stats().open.bytes == 80);
    CHECK(backend.stats().open.overhead_bytes == kObjectOverhead);
    CHECK(backend.erase(left));
    CHECK_FALSE(backend.erase(left));
    CHECK(backend.stats().objects == 0);
    CHECK(backend.stats().open.bytes == 0);
    CHECK(backend.stats().open.overhead_bytes == 0);
  }
}

TEST_CASE("MemoryBackend: chains and trees of aliases are names of one object, however long") {
  MemoryBackend backend(0, 0);
  put(backend, name(0), 7);
  constexpr std::int64_t most = 1000;
  for (std::int64_t i = 1; i < most; ++i) alias(backend, name(i), name(i % 3 == 0 ? i / 2 : i - 1));
  CHECK(backend.stats().open.bytes == 80);
  CHECK(backend.stats().open.overhead_bytes == most * kObjectOverhead);
  std::vector<std::int64_t> order(most);
  for (std::int64_t i = 0; i < most; ++i) order[static_cast<std::size_t>(i)] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  for (const std::int64_t i : order) {
    CHECK(first_of(backend, name(i)) == 7);
    CHECK(backend.erase_exactly(known(backend, name(i))));
  }
  CHECK(backend.stats().objects == 0);
  CHECK(backend.stats().open.bytes == 0);
  CHECK(backend.stats().open.overhead_bytes == 0);
}

TEST_CASE("MemoryBackend: a put over one name is a new object, and the others keep theirs") {
  MemoryBackend backend(0, 0);
  put(backend, "a", 1);
  alias(backend, "b", "a");
  alias(backend, "c", "b");
  const auto before = backend.describe("b");
  CHECK(backend.put("b", contract_value(3, 2), contract_meta("dora"), Expected::exactly(before)) ==
        2);
  CHECK(first_of(backend, "a") == 1);
  CHECK(first_of(backend, "b") == 2);
  CHECK(first_of(backend, "c") == 1);
  CHECK_FALSE(backend.erase_exactly(*before));
  CHECK(backend.stats().open.bytes == 80 + 24);
  CHECK(backend.stats().open.overhead_bytes == 3 * kObjectOverhead);
  CHECK(backend.put("a", contract_value(3, 3), contract_meta("dora"), 1) == 2);
  CHECK(backend.put("c", contract_value(3, 4), contract_meta("mallory"), 1) == 2);
  CHECK(backend.stats().open.bytes == 3 * 24);
  CHECK(keys_of(backend) == "a b ");
  CHECK(backend.erase_all(kDora) == 2);
  CHECK(backend.erase_all({"mallory", {}}) == 1);
  CHECK(backend.stats().open.overhead_bytes == 0);
}

TEST_CASE("MemoryBackend: the last name of a large object is replaced by one as large") {
  constexpr std::int64_t elements = 1000;
  MemoryBackend backend(elements * 8 + 3 * kObjectOverhead, 0);
  put(backend, "a", 1, elements);
  alias(backend, "b", "a");
  CHECK(code_of([&] { backend.put("b", contract_value(elements, 2), contract_meta("dora"), 1); }) ==
        Code::kQuota);
  CHECK(first_of(backend, "b") == 1);
  backend.erase("a");
  CHECK(backend.put("b", contract_value(elements, 2), contract_meta("dora"), 1) == 2);
  CHECK(first_of(backend, "b") == 2);
}

TEST_CASE("MemoryBackend: who uses an object keeps it, by whatever name, and it counts so long") {
  MemoryBackend backend(0, 0);
  put(backend, "a", 7);
  alias(backend, "b", "a");
  auto used = backend.get("b");
  CHECK(backend.erase_all(kDora) == 2);
  CHECK(used->value->tensor().as<double>()[0] == 7);
  CHECK(backend.stats().open.bytes == 80);
  used.reset();
  CHECK(backend.stats().open.bytes == 0);
}

TEST_CASE("MemoryBackend: an alias is refused with the reason, and nothing changes") {
  MemoryBackend backend(2 * kObjectOverhead + 80, 0);
  put(backend, "a", 7);
  const Entry first = known(backend, "a");
  const auto refused = [&](const std::string& key, const Owner& owner, const Entry& object) {
    return error_of([&] { backend.alias(key, owner, object); });
  };
  CHECK(refused("a", kDora, first).code() == Code::kImmutable);
  CHECK(refused("b", {"mallory", {}}, first).code() == Code::kInvalid);
  CHECK(refused("b", {"dora", {1}}, first).code() == Code::kInvalid);
  Entry elsewhere = first;
  elsewhere.key = "z";
  CHECK(refused("b", kDora, elsewhere).code() == Code::kNotFound);
  backend.alias("b", kDora, first);
  CHECK(refused("b", kDora, first).code() == Code::kImmutable);
  const Error full = refused("c", kDora, first);
  CHECK(full.code() == Code::kQuota);
  CHECK(contains(full.message(), "raise memory_quota_mib"));
  CHECK(keys_of(backend) == "a b ");
  // Replaced, gone, and gone but for another name.
  const Entry second = known(backend, "b");
  backend.put("a", contract_value(0, 0), contract_meta("dora"), 1);
  backend.erase("b");
  CHECK(refused("c", kDora, first).code() == Code::kNotFound);
  const Error gone = refused("c", kDora, second);
  CHECK(gone.code() == Code::kNotFound);
  CHECK(contains(gone.message(), "not there any more"));
  CHECK(keys_of(backend) == "a ");
  CHECK(backend.stats().open.overhead_bytes == kObjectOverhead);
}

TEST_CASE("ObjectStore: an alias is in the store of its object, and only mem:// has any") {
  const TemporaryFolder folder;
  ObjectStore store;
  store.add(std::make_unique<MemoryBackend>(0, 0));
  store.add(std::make_unique<FileBackend>(
      FileStoreOptions{.root = folder / "objects", .state = folder.path()}));
  const Uri object = Uri::fresh();
  const Uri second = Uri::fresh();
  store.put(object, contract_value(1, 5), contract_meta("dora"));
  store.alias(second, kDora, object, known(store.backend("mem"), std::string(object.rest())));
  CHECK(store.get(second)->value->tensor().as<double>()[0] == 5);
  const Uri file = Uri::parse("fs:///a");
  store.put(file, contract_value(1, 5), contract_meta("dora"));
  const Error two =
      error_of([&] { store.alias(Uri::fresh(), kDora, file, known(store.backend("fs"), "a")); });
  CHECK(two.code() == Code::kInvalid);
  CHECK(contains(two.message(), "a name in mem:// cannot be an alias of an object in fs://"));
  const Error none = error_of(
      [&] { store.alias(Uri::parse("fs:///b"), kDora, file, known(store.backend("fs"), "a")); });
  CHECK(none.code() == Code::kUnimplemented);
  CHECK(contains(none.message(), "an object in fs:// has one name"));
  CHECK_FALSE(store.exists(Uri::parse("fs:///b")));
}

namespace {

constexpr std::int64_t kElements = 8 << 10;  // of what can be spilled
constexpr std::int64_t kBytes = kElements * 8;

struct SpillingNames {
  explicit SpillingNames(std::int64_t room_for)
      : backend(room_for * (kBytes + kObjectOverhead) + 100 * kObjectOverhead, 0,
                std::make_unique<Spill>(folder / "spill", 0)) {}
  std::int64_t files() const {
    return std::distance(std::filesystem::directory_iterator(folder / "spill"), {});
  }

  const TemporaryFolder folder;
  MemoryBackend backend;
};

}  // namespace

TEST_CASE("MemoryBackend: an object that only its names hold spills once, and comes back once") {
  SpillingNames world(2);
  MemoryBackend& backend = world.backend;
  put(backend, "a", 1, kElements);
  alias(backend, "b", "a");
  alias(backend, "c", "b");
  put(backend, "x", 2, kElements);
  put(backend, "y", 3, kElements);
  CHECK(backend.stats().spilled_objects == 1);
  CHECK(backend.stats().spilled_bytes == kBytes);
  for (const char* key : {"a", "b", "c"}) {
    CHECK_FALSE(backend.at_hand(key));
    CHECK(backend.describe(key)->bytes == kBytes);
  }
  CHECK(backend.stats().open.bytes == 2 * kBytes);
  auto used = backend.get("a");
  CHECK(is_mapped(*used->value));
  CHECK(backend.get("b")->value == used->value);  // one mapping
  CHECK(used->number == backend.describe("a")->number);
  used.reset();
  alias(backend, "d", "c");  // on the disk
  CHECK(backend.erase("a"));
  CHECK(backend.erase("y"));
  CHECK(first_of(backend, "d") == 1);  // in memory again
  CHECK(backend.at_hand("b"));
  CHECK(backend.at_hand("c"));
  CHECK(backend.get("b")->value == backend.get("d")->value);
  CHECK(backend.stats().spilled_objects == 0);
  CHECK(world.files() == 0);
  put(backend, "y", 3, kElements);  // x goes, which was not used since
  CHECK_FALSE(backend.at_hand("x"));
  put(backend, "z", 4, kElements);
  CHECK_FALSE(backend.at_hand("d"));
  CHECK(backend.erase_all(kDora) == 6);
  CHECK(world.files() == 0);
  CHECK(backend.stats().open.bytes == 0);
  CHECK(backend.stats().open.overhead_bytes == 0);
}

TEST_CASE("MemoryBackend: random puts, aliases and erasures are as in a model, beside a spill") {
  constexpr int steps = 4000;
  constexpr unsigned names = 24;
  for (const unsigned seed : {1U, 2U, 3U}) {
    SpillingNames world(3);
    MemoryBackend& backend = world.backend;
    std::map<std::string, double> model;  // by name, which object
    std::mt19937 random(seed);
    double last = 0;
    for (int step = 0; step < steps; ++step) {
      const std::string key = name(random() % names);
      const std::string other = name(random() % names);
      const auto found = backend.describe(key);
      REQUIRE(found.has_value() == model.contains(key));
      switch (random() % 6) {
        case 0:
        case 1:
          // One in two is too small for the disk.
          backend.put(key, contract_value(step % 2 == 0 ? kElements : 10, ++last),
                      contract_meta("dora"), Expected::exactly(found));
          model[key] = last;
          break;
        case 2:
          CHECK(backend.erase(key) == (model.erase(key) == 1));
          break;
        case 3:
        case 4:
          if (!found || model.contains(other)) break;
          backend.alias(other, kDora, *found);
          model[other] = model[key];
          break;
        default:
          if (found) REQUIRE(first_of(backend, key) == model[key]);
      }
      std::set<double> objects;
      for (const auto& [unused, object] : model) objects.insert(object);
      const BackendStats stats = backend.stats();
      REQUIRE(stats.objects == std::ssize(model));
      REQUIRE(stats.open.overhead_bytes == std::ssize(model) * kObjectOverhead);
      REQUIRE(stats.spilled_bytes == world.files() * kBytes);
    }
    std::map<double, std::int64_t> bytes;
    for (const auto& [key, object] : model) {
      CHECK(first_of(backend, key) == object);
      bytes[object] = backend.describe(key)->bytes;
    }
    std::int64_t all = 0;
    for (const auto& [unused, size] : bytes) all += size;
    CHECK(backend.stats().open.bytes + backend.stats().spilled_bytes == all);
    CHECK(backend.erase_all(kDora) == std::ssize(model));
    CHECK(world.files() == 0);
    CHECK(backend.stats().open.bytes == 0);
    CHECK(backend.stats().open.overhead_bytes == 0);
  }
}

TEST_CASE("MemoryBackend: threads that name, replace, read and erase never meet another's value") {
  SpillingNames world(3);
  MemoryBackend& backend = world.backend;
  constexpr int workers = 4;
  constexpr int steps = 1500;
  constexpr unsigned names = 8;
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < workers; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int step = 0; step < steps; ++step) {
        // Names that are even are of even values only.
        const unsigned parity = random() % 2;
        const auto any = [&] { return name(2 * (random() % names) + parity); };
        const std::string key = any();
        try {
          switch (random() % 5) {
            case 0:
              backend.erase(key);
              break;
            case 1:
              backend.put(key, contract_value(kElements, 2 * step + parity), contract_meta("dora"),
                          Expected::exactly(backend.describe(key)));
              break;
            case 2:
              if (const auto found = backend.describe(any())) backend.alias(key, kDora, *found);
              break;
            default:
              if (const auto object = backend.get(key)) {
                const auto cells = object->value->tensor().as<double>();
                const auto whole = static_cast<std::int64_t>(cells[0]);
                if (whole % 2 != parity || cells[kElements - 1] != 0.5) ++wrong;
              }
          }
        } catch (const Error& error) {
          // Another thread was faster, or all there is is in use.
          if (error.code() != Code::kImmutable && error.code() != Code::kNotFound &&
              error.code() != Code::kQuota) {
            ++wrong;
          }
        }
      }
    });
  }
  threads.clear();
  CHECK(wrong == 0);
  CHECK(backend.stats().objects == std::ssize(backend.list(kDora, "", "", 1000)));
  CHECK(backend.stats().open.overhead_bytes == backend.stats().objects * kObjectOverhead);
  backend.erase_all(kDora);
  CHECK(world.files() == 0);
  CHECK(backend.stats().objects == 0);
  CHECK(backend.stats().open.bytes == 0);
  CHECK(backend.stats().open.overhead_bytes == 0);
}
