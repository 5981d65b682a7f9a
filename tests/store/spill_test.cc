// Memory that is full: objects go to the disk and come back.
#include "store/spill.h"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "store/mapping.h"
#include "store/memory_backend.h"
#include "tests/store/backend_contract.h"
#include "tests/store/faulty_disk.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

using namespace curia;

namespace {

// What was freed stays with sanitizers for a while.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::int64_t kMostBeside = 1 << 30;
#else
constexpr std::int64_t kMostBeside = 64 << 20;
#endif
constexpr std::int64_t kElements = 64 << 10;
constexpr std::int64_t kBytes = kElements * 8;
constexpr std::int64_t kRoomFor = 4;
constexpr std::int64_t kHiddenQuota = 8 * kBytes;  // of which one label has an eighth
constexpr std::int64_t kQuota = kRoomFor * (kBytes + kObjectOverhead) + 64 * kObjectOverhead;

// All elements hang on `seed`.
ValuePtr numbers(std::int64_t seed) {
  std::vector<std::int64_t> elements(kElements);
  for (std::int64_t i = 0; i < kElements; ++i) elements[static_cast<std::size_t>(i)] = seed * i + 1;
  return std::make_shared<const Value>(Tensor::of<std::int64_t>({kElements}, elements));
}

bool holds(const std::optional<Object>& object, std::int64_t seed) {
  if (!object || object->value == nullptr) return false;
  const auto found = object->value->tensor().as<std::int64_t>();
  for (std::int64_t i = 0; i < kElements; ++i) {
    if (found[static_cast<std::size_t>(i)] != seed * i + 1) return false;
  }
  return true;
}

std::string key(std::int64_t i) { return "k" + std::to_string(i); }

struct Spilling {
  explicit Spilling(std::int64_t spill_quota = 0, Disk& disk = Disk::system())
      : backend(kQuota, kHiddenQuota,
                std::make_unique<Spill>(folder / "spill", spill_quota, disk)) {}

  void put(std::int64_t i) { backend.put(key(i), numbers(i), contract_meta("dora"), 0); }
  bool on_disk(std::int64_t i) {
    const auto object = backend.get(key(i));
    return is_mapped(*object->value);
  }
  std::int64_t files() const {
    return std::distance(std::filesystem::directory_iterator(folder / "spill"), {});
  }

  const TemporaryFolder folder{TemporaryFolder::Place::kDisk};
  MemoryBackend backend;
};

// Of the process, without pages of files.
std::int64_t own_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "RssAnon:") continue;
    std::int64_t kib = 0;
    status >> kib;
    return kib << 10;
  }
  return -1;
}

}  // namespace

TEST_CASE("Spill: a backend with a place to spill to keeps the contract of backends") {
  const TemporaryFolder folder;
  int made = 0;
  // Its quota is full from the start, so that what the contract wants refused is refused.
  check_backend_contract([&] {
    return std::make_unique<MemoryBackend>(
        kContractQuota, kContractQuota,
        std::make_unique<Spill>(folder / std::to_string(++made), 1));
  });
}

TEST_CASE("Spill: ten times the quota is put, and every value is there") {
  Spilling world;
  const std::int64_t before = own_memory();
  std::int64_t most = 0;
  for (std::int64_t i = 0; i < 10 * kRoomFor; ++i) {
    world.put(i);
    most = std::max(most, own_memory() - before);
  }
  const BackendStats stats = world.backend.stats();
  CHECK(stats.objects == 10 * kRoomFor);
  CHECK(stats.spilled_objects == 9 * kRoomFor);
  CHECK(stats.spilled_bytes == 9 * kRoomFor * kBytes);
  CHECK(stats.open.bytes + stats.open.overhead_bytes <= kQuota);
  for (std::int64_t i = 0; i < 10 * kRoomFor; ++i) {
    CHECK(holds(world.backend.get(key(i)), i));
    CHECK(world.backend.describe(key(i))->bytes == kBytes);
    most = std::max(most, own_memory() - before);
  }
  CHECK(most < kQuota + kMostBeside);
  CHECK(world.backend.erase_all({"dora", {}}) == 10 * kRoomFor);
  CHECK(world.files() == 0);
  CHECK(world.backend.stats().open.overhead_bytes == 0);
}

TEST_CASE("Spill: the object that was not used for the longest time goes, one in use stays") {
  Spilling world;
  for (std::int64_t i = 0; i < kRoomFor; ++i) world.put(i);
  const auto used = world.backend.get(key(0));
  CHECK(holds(world.backend.get(key(1)), 1));  // used last, now
  world.put(kRoomFor);
  CHECK(world.on_disk(2));
  CHECK_FALSE(world.on_disk(0));
  CHECK_FALSE(world.on_disk(1));
  CHECK_FALSE(world.on_disk(3));
  CHECK(holds(used, 0));
}

TEST_CASE("Spill: where all objects are in use a put is refused, and nothing is lost") {
  Spilling world;
  std::vector<std::optional<Object>> used;
  for (std::int64_t i = 0; i < kRoomFor; ++i) {
    world.put(i);
    used.push_back(world.backend.get(key(i)));
  }
  const Error error = error_of([&] { world.put(99); });
  CHECK(error.code() == Code::kQuota);
  CHECK(contains(error.message(), "raise memory_quota_mib"));
  CHECK(contains(error.message(), "no object could be spilled: all of them are in use"));
  CHECK(world.backend.stats().spilled_objects == 0);
  used.clear();
  world.put(99);
  for (std::int64_t i = 0; i < kRoomFor; ++i) CHECK(holds(world.backend.get(key(i)), i));
}

TEST_CASE("Spill: what is to be computed finds room, too") {
  Spilling world;
  for (std::int64_t i = 0; i < kRoomFor; ++i) world.put(i);
  {
    const Reservation room(world.backend, 2 * kBytes);
    CHECK(world.backend.stats().spilled_objects == 2);
    const auto more = world.backend.hold(Account::open(), kBytes);
    CHECK(world.backend.stats().spilled_objects == 3);
  }
  CHECK(error_of([&] { world.backend.reserve(Account::open(), kQuota + 1); }).code() ==
        Code::kQuota);
  for (std::int64_t i = 0; i < kRoomFor; ++i) CHECK(holds(world.backend.get(key(i)), i));
}

TEST_CASE("Spill: where there is room an object is in memory again once it is used") {
  Spilling world;
  for (std::int64_t i = 0; i <= kRoomFor; ++i) world.put(i);
  CHECK(world.on_disk(0));
  world.backend.erase(key(kRoomFor));
  CHECK(holds(world.backend.get(key(0)), 0));
  CHECK_FALSE(world.on_disk(0));
  CHECK(world.backend.stats().spilled_objects == 0);
  CHECK(world.files() == 0);
  world.put(kRoomFor);  // and goes again
  CHECK(world.backend.stats().spilled_objects == 1);
  CHECK(holds(world.backend.get(key(0)), 0));
}

TEST_CASE("Spill: an object that is read while it is erased or replaced is read whole") {
  Spilling world;
  for (std::int64_t i = 0; i <= kRoomFor; ++i) world.put(i);
  const auto first = world.backend.get(key(0));
  const auto again = world.backend.get(key(0));
  CHECK(first->value == again->value);  // mapped once
  CHECK(world.backend.put(key(0), numbers(77), contract_meta("dora"), 1) == 2);
  CHECK(holds(first, 0));
  CHECK(holds(world.backend.get(key(0)), 77));
  CHECK(world.backend.erase(key(0)));
  CHECK(holds(first, 0));
}

TEST_CASE("Spill: results whose size is hidden stay in memory, so that nobody sees how large") {
  Spilling world;
  auto hidden = std::make_shared<ObjectMeta>(*contract_meta("dora"));
  hidden->hidden = true;
  world.backend.put("hidden", numbers(5), hidden, 0);
  for (std::int64_t i = 0; i < 3 * kRoomFor; ++i) world.put(i);
  CHECK_FALSE(is_mapped(*world.backend.get("hidden")->value));
  // One for which its own account has no room drives nothing out.
  const std::int64_t before = world.backend.stats().spilled_objects;
  CHECK(error_of([&] { world.backend.put("more", numbers(6), hidden, 0); }).code() == Code::kQuota);
  CHECK(world.backend.stats().spilled_objects == before);
}

TEST_CASE("Spill: a file that was changed, cut or removed is CORRUPT, and the rest goes on") {
  const auto first_file = [](const Spilling& world) {
    return std::filesystem::directory_iterator(world.folder / "spill")->path();
  };
  for (const int damage : {0, 1, 2}) {
    Spilling world;
    for (std::int64_t i = 0; i <= kRoomFor; ++i) world.put(i);
    const std::filesystem::path path = first_file(world);
    if (damage == 0) {
      std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(kBytes / 2);
      file.put('x');
    } else if (damage == 1) {
      std::filesystem::resize_file(path, kBytes / 2);
    } else {
      std::filesystem::remove(path);
    }
    const Error error = error_of([&] { world.backend.get(key(0)); });
    CHECK(error.code() == Code::kCorrupt);
    CHECK(contains(error.message(), "compute it again"));
    CHECK(holds(world.backend.get(key(1)), 1));
    CHECK(world.backend.erase(key(0)));
    CHECK_NOTHROW(world.put(50));
  }
}

TEST_CASE(
    "Spill: when the place is full a put is refused with what to raise, and nothing is lost") {
  Spilling world(2 * kBytes);
  for (std::int64_t i = 0; i < kRoomFor + 2; ++i) world.put(i);
  const Error error = error_of([&] { world.put(99); });
  CHECK(error.code() == Code::kQuota);
  CHECK(contains(error.message(), "raise spill_quota_mib"));
  for (std::int64_t i = 0; i < kRoomFor + 2; ++i) CHECK(holds(world.backend.get(key(i)), i));
  CHECK(world.backend.erase(key(0)));
  CHECK_NOTHROW(world.put(99));
}

TEST_CASE("Spill: each step of the disk may fail, and no value is lost or wrong") {
  for (const Fault fault : {Fault::kIo, Fault::kFull, Fault::kShort}) {
    bool reached = true;
    for (int step = 1; reached; ++step) {
      FaultyDisk disk;
      Spilling world(0, disk);
      for (std::int64_t i = 0; i < kRoomFor; ++i) world.put(i);
      disk.arm(step, fault);
      bool put = true;
      try {
        world.put(kRoomFor);
      } catch (const Error& error) {
        CHECK(error.code() == Code::kQuota);
        put = false;
      }
      reached = disk.steps() >= step;
      disk.arm(0, Fault::kNone);
      for (std::int64_t i = 0; i < kRoomFor + (put ? 1 : 0); ++i) {
        CHECK(holds(world.backend.get(key(i)), i));
      }
      if (!put) CHECK_NOTHROW(world.put(kRoomFor));
      REQUIRE(step < 100);
    }
  }
}

TEST_CASE("Spill: the folder is one process's, is swept at its start, and holds nothing else") {
  const TemporaryFolder folder;
  const std::string place = folder / "spill";
  {
    const Spill spill(place, 0);
    const Error error = error_of([&] { const Spill other(place, 0); });
    CHECK(error.code() == Code::kInvalid);
    CHECK(contains(error.message(), "another worker uses it; name another one in spill_dir"));
  }
  std::ofstream(place + "/spilled-7") << "left by one that was killed";
  { const Spill spill(place, 0); }
  CHECK_FALSE(std::filesystem::exists(place + "/spilled-7"));
  std::ofstream(place + "/letters.txt") << "of somebody";
  CHECK(contains(error_of([&] { const Spill spill(place, 0); }).message(), "other files"));
  CHECK(std::filesystem::exists(place + "/letters.txt"));
  CHECK(error_of([&] { const Spill spill("/proc/nothing", 0); }).code() == Code::kInvalid);
}

TEST_CASE("Spill: many threads put, read, replace and erase, and no value is another's") {
  Spilling world;
  constexpr int workers = 4;
  constexpr int steps = 150;
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < workers; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int step = 0; step < steps; ++step) {
        const std::int64_t i = random() % (2 * kRoomFor);
        try {
          switch (random() % 4) {
            case 0:
              world.backend.erase(key(i));
              break;
            case 1:
              world.put(i);
              break;
            default:
              if (const auto object = world.backend.get(key(i))) wrong += holds(object, i) ? 0 : 1;
          }
        } catch (const Error& error) {
          // All that is there may be in use, and another may have put it.
          if (error.code() != Code::kQuota && error.code() != Code::kImmutable) ++wrong;
        }
      }
    });
  }
  threads.clear();
  CHECK(wrong == 0);
  world.backend.erase_all({"dora", {}});
  CHECK(world.files() == 0);
  CHECK(world.backend.stats().open.bytes == 0);
  CHECK(world.backend.stats().open.overhead_bytes == 0);
}
