// Keys of objects on disk: the folders that they need, and names that are in each other's way.
#include <doctest/doctest.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <thread>

#include "tests/store/backend_contract.h"
#include "tests/store/faulty_disk.h"
#include "tests/store/file_world.h"
#include "tests/support/errors.h"

using namespace curia;
namespace fs = std::filesystem;

namespace {

void put(FileBackend& store, const std::string& key) {
  store.put(key, contract_value(1, 1), contract_meta("dora"), 0);
}

// So many names, of folders and one of a file.
std::string deep_key(const std::string& first, std::int64_t names) {
  std::string key = first;
  for (std::int64_t i = 1; i < names; ++i) key += "/a";
  return key;
}

// What is in the root, but for the store's own folder.
std::vector<std::string> left_in(const FileWorld& world) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(world.options.root)) {
    const std::string name = fs::relative(entry.path(), world.options.root).string();
    if (!name.starts_with(kOwnFolder)) names.push_back(name);
  }
  return names;
}

}  // namespace

TEST_CASE("FileBackend: folders of objects that were removed stayed, and counted nowhere") {
  FileWorld world;
  FileBackend& store = world.start();
  for (int i = 0; i < 20; ++i) {
    const std::string key = deep_key("k" + std::to_string(i), kMaxKeyNames);
    put(store, key);
    CHECK(store.erase(key));
  }
  CHECK(left_in(world).empty());
  put(store, "a/b/c/one");
  put(store, "a/b/two");
  store.erase("a/b/c/one");
  CHECK(left_in(world).size() == 3);  // a, a/b and a/b/two
  CHECK(store.get("a/b/two"));
  store.erase("a/b/two");
  CHECK(left_in(world).empty());
}

TEST_CASE("FileBackend: a put that fails leaves no folders") {
  int failed = 0;
  for (int step = 1; step < 100; ++step) {
    FaultyDisk disk;
    FileWorld world(&disk);
    FileBackend& store = world.start();
    disk.arm(step, Fault::kIo);
    try {
      put(store, "a/b/k");
    } catch (const Error&) {
      ++failed;
    }
    if (disk.steps() < step) break;
    CAPTURE(step);
    CHECK(left_in(world).empty() == !store.exists("a/b/k"));
  }
  CHECK(failed > 5);
}

TEST_CASE("FileBackend: threads that put into a folder, while others remove it as empty") {
  FileWorld world;
  FileBackend& store = world.start();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 200; ++round) {
        const std::string key = "a/b/" + std::to_string(i);
        try {
          put(store, key);
          if (!store.get(key)) ++wrong;
          if (!store.erase(key)) ++wrong;
        } catch (const Error&) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(left_in(world).empty());
  CHECK(store.stats().open.overhead_bytes == 0);
}

TEST_CASE("FileBackend: a key has at most so many names, and counts its folders") {
  FileWorld world;
  world.options.open_quota = (kMaxKeyNames - 1) * kFolderBytes + 2 * kObjectOverhead + 16;
  put(world.start(), deep_key("x", kMaxKeyNames));
  const Error deep = error_of([&] { put(*world.store, deep_key("y", kMaxKeyNames + 1)); });
  CHECK(deep.code() == Code::kInvalid);
  CHECK(deep.message().find("at most 16 names") != std::string::npos);
  CHECK(error_of([&] { put(*world.store, "y/z"); }).code() == Code::kQuota);
  CHECK_NOTHROW(put(*world.store, "y"));
  world.start();  // it counts the same when it is found again
  CHECK(world.store->stats().open.left() == 0);
  world.store->erase(deep_key("x", kMaxKeyNames));
  CHECK_NOTHROW(put(*world.store, "y2/z"));
}

TEST_CASE("FileBackend: errors told an object from a folder, and a name beneath it from both") {
  FileWorld world;
  FileBackend& store = world.start();
  put(store, "project/round/model");
  std::ofstream(world.file("note.txt")) << "of the owner";
  for (const char* key : {"project/round/model", "project/round", "project", "note.txt",
                          "project/round/model/x", "project/round/model/x/y", "note.txt/x"}) {
    CAPTURE(key);
    const Error error = error_of([&] { put(store, key); });
    CHECK(error.code() == Code::kImmutable);
    CHECK(error.message() == name_taken().message());
  }
  CHECK_NOTHROW(put(store, "project/round/other"));
}
