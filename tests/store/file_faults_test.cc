// What a store on disk looks like after any step of it failed, or was the last before a crash.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <functional>

#include "tests/store/backend_contract.h"
#include "tests/store/faulty_disk.h"
#include "tests/store/file_world.h"

using namespace curia;

namespace {

constexpr int kMostSteps = 100;

double first_of(const Object& object) { return object.value->tensor().as<double>()[0]; }

// What is done to key "a/k", which has version `before` with that number as its value (0: is not).
struct Act {
  std::string name;
  std::int64_t before;
  std::int64_t after;  // version, and number; 0: it is gone
  std::function<void(FileBackend&)> work;
};

const std::vector<Act>& acts() {
  static const std::vector<Act> all = {
      {"a new object in a new folder", 0, 1,
       [](FileBackend& store) {
         store.put("a/k", contract_value(500, 1), contract_meta("dora"), 0);
       }},
      {"a new version", 2, 3,
       [](FileBackend& store) {
         store.put("a/k", contract_value(500, 3), contract_meta("dora"), 2);
       }},
      {"a removal", 1, 0, [](FileBackend& store) { store.erase("a/k"); }},
  };
  return all;
}

void prepare(FileBackend& store, const Act& act) {
  store.put("other", contract_value(10, 77), contract_meta("dora"), 0);
  for (std::int64_t version = 1; version <= act.before; ++version) {
    store.put("a/k", contract_value(400, static_cast<double>(version)), contract_meta("dora"),
              version - 1);
  }
}

// Old or new, nothing else; new if it was told to be done.
void check_state(FileBackend& store, const Act& act, bool done) {
  const auto object = store.get("a/k");
  const std::int64_t version = object ? object->version : 0;
  if (done) CHECK(version == act.after);
  CHECK((version == act.before || version == act.after));
  if (object) CHECK(first_of(*object) == static_cast<double>(version));
  REQUIRE(store.exists("other"));
  CHECK(first_of(*store.get("other")) == 77);
  for (const std::string& line : store.report()) {
    CAPTURE(line);
    CHECK(line.starts_with("found"));
  }
}

bool swept(const FileWorld& world) { return std::filesystem::is_empty(world.file(".curia/tmp")); }

// Runs an act with a fault at one step after the other, until there are no more steps. check: gets
// whether the act returned.
void at_each_step(const Act& act, Fault fault,
                  const std::function<void(FileWorld&, FaultyDisk&, bool)>& check) {
  for (int step = 1; step < kMostSteps; ++step) {
    FaultyDisk disk;
    FileWorld world(&disk);
    prepare(world.start(), act);
    world.start();  // so that the ledger has no space set aside
    disk.arm(step, fault);
    bool done = false;
    CAPTURE(act.name);
    CAPTURE(step);
    try {
      act.work(*world.store);
      done = true;
    } catch (const Error& error) {
      CHECK((error.code() == Code::kFailed || error.code() == Code::kQuota));
    } catch (const PowerCut&) {
    }
    const bool over = disk.steps() < step;
    if (over) CHECK(done);
    check(world, disk, done);
    if (over) return;
  }
  FAIL("an act has too many steps");
}

}  // namespace

TEST_CASE("FileBackend: a step that fails leaves the old object or the new one, now and later") {
  for (const Act& act : acts()) {
    for (const Fault fault : {Fault::kIo, Fault::kFull}) {
      at_each_step(act, fault, [&](FileWorld& world, FaultyDisk& disk, bool done) {
        disk.arm(0, Fault::kNone);
        check_state(*world.store, act, done);
        CHECK(swept(world));
        // It goes on: what is there now can be replaced, and is found again with the rest.
        const auto known = world.store->describe("a/k");
        const std::int64_t version = known ? known->version : 0;
        CHECK(world.store->put("a/k", contract_value(5, 9), contract_meta("dora"), version) ==
              version + 1);
        world.start();
        REQUIRE(world.store->exists("a/k"));
        CHECK(first_of(*world.store->get("a/k")) == 9);
        CHECK(world.store->report().size() == 1);
      });
    }
  }
}

TEST_CASE("FileBackend: a full disk is QUOTA with the old object intact") {
  const Act& act = acts()[1];
  int refused = 0;
  at_each_step(act, Fault::kFull, [&](FileWorld& world, FaultyDisk& disk, bool done) {
    disk.arm(0, Fault::kNone);
    check_state(*world.store, act, done);
    if (done) return;
    ++refused;
    CHECK(world.store->get("a/k")->version == act.before);
    CHECK(swept(world));
  });
  CHECK(refused > 2);
}

TEST_CASE("FileBackend: writes that fall short are gone on with") {
  for (const Act& act : acts()) {
    at_each_step(act, Fault::kShort, [&](FileWorld& world, FaultyDisk&, bool done) {
      CHECK(done);
      check_state(world.start(), act, done);
    });
  }
}

TEST_CASE("FileBackend: power that goes at any step leaves the old object or the new one") {
  for (const Act& act : acts()) {
    for (const Fault fault : {Fault::kCutBefore, Fault::kCutAfter}) {
      for (const bool contents : {false, true}) {
        for (const bool names : {false, true}) {
          CAPTURE(contents);
          CAPTURE(names);
          at_each_step(act, fault, [&](FileWorld& world, FaultyDisk& disk, bool done) {
            world.store.reset();
            disk.lose_unsynced(contents, names);
            disk.arm(0, Fault::kNone);
            check_state(world.start(), act, done);
            CHECK(swept(world));
            check_state(world.start(), act, done);
          });
        }
      }
    }
  }
}

TEST_CASE("FileBackend: what was acknowledged is there when all that was not synced is lost") {
  FaultyDisk disk;
  FileWorld world(&disk);
  world.start();
  disk.arm(0, Fault::kNone);
  for (int i = 0; i < 5; ++i) {
    world.store->put("a/b/" + std::to_string(i), contract_value(300, i), contract_meta("dora"), 0);
  }
  world.store->put("a/b/0", contract_value(300, 10), contract_meta("dora"), 1);
  world.store->erase("a/b/4");
  world.store.reset();
  disk.lose_unsynced(true, true);
  world.start();
  CHECK(first_of(*world.store->get("a/b/0")) == 10);
  for (int i = 1; i < 4; ++i) CHECK(first_of(*world.store->get("a/b/" + std::to_string(i))) == i);
  CHECK_FALSE(world.store->exists("a/b/4"));
  CHECK(world.store->report().size() == 1);
}

TEST_CASE("FileBackend: without descriptors it refuses, and goes on when there are some again") {
  FileWorld world;
  world.start().put("k", contract_value(3, 1), contract_meta("dora"), 0);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{3, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const auto code_of = [](const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      return error.code();
    }
    return Code::kInvalid;
  };
  const Code read = code_of([&] { world.store->get("k"); });
  const Code written =
      code_of([&] { world.store->put("k", contract_value(3, 2), contract_meta("dora"), 1); });
  const Code erased = code_of([&] { world.store->erase("k"); });
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(read == Code::kOverloaded);
  CHECK(written == Code::kOverloaded);
  CHECK(erased == Code::kOverloaded);
  CHECK(first_of(*world.store->get("k")) == 1);
  CHECK(world.store->put("k", contract_value(3, 2), contract_meta("dora"), 1) == 2);
}
