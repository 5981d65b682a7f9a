// crash_put ROUNDS SECONDS: kills a process that puts objects, at a random moment, again and again;
// each time the store must hold, of every key, the version that was last acknowledged or the one
// that was being put, whole. Ends after so many rounds or seconds.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "tests/store/file_world.h"

using namespace curia;

namespace {

constexpr int kKeys = 3;
constexpr std::int64_t kSizes[kKeys] = {500, 40'000, 400'000};  // elements of 8 bytes

// What the killed process had told to be done, in memory that outlives it.
struct Shared {
  std::atomic<std::int64_t> acknowledged[kKeys];
  std::atomic<bool> putting;
};

std::shared_ptr<const ObjectMeta> meta() {
  auto known = std::make_shared<ObjectMeta>();
  known->label = std::make_shared<const Label>();
  known->principal = "dora";
  return known;
}

std::string key_of(int i) { return "session/" + std::to_string(i); }

[[noreturn]] void fail(const std::string& why) {
  std::printf("FAILED: %s\n", why.c_str());
  std::exit(1);
}

// Puts until it is killed. Every element of a version is the version's number.
[[noreturn]] void put_forever(const FileStoreOptions& options, Shared& shared) {
  FileBackend store(options);
  for (std::int64_t version[kKeys] = {};;) {
    for (int i = 0; i < kKeys; ++i) {
      const auto known = store.describe(key_of(i));
      version[i] = known ? known->version : 0;
      const std::vector<double> numbers(static_cast<std::size_t>(kSizes[i]),
                                        static_cast<double>(version[i] + 1));
      shared.putting = true;
      store.put(key_of(i), std::make_shared<const Value>(Tensor::of<double>({kSizes[i]}, numbers)),
                meta(), version[i]);
      shared.acknowledged[i] = version[i] + 1;
    }
  }
}

void check(const FileStoreOptions& options, Shared& shared) {
  FileBackend store(options);
  if (store.report().size() != 1) fail(store.report()[0]);
  for (int i = 0; i < kKeys; ++i) {
    const std::int64_t done = shared.acknowledged[i];
    const auto object = store.get(key_of(i));
    const std::int64_t version = object ? object->version : 0;
    if (version != done && version != done + 1) {
      fail("found version " + std::to_string(version) + " after " + std::to_string(done));
    }
    shared.acknowledged[i] = version;
    if (!object) continue;
    for (const double number : object->value->tensor().as<double>()) {
      if (number != static_cast<double>(version)) fail("a version has another one's numbers");
    }
  }
  if (!std::filesystem::is_empty(options.root + "/.curia/tmp")) fail("leftovers were not swept");
}

int run(int rounds, int seconds) {
  FileWorld world;
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("no shared memory");
  Shared& shared = *new (memory) Shared{};
  std::mt19937_64 random(7);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int done = 0;
  for (; done < rounds && std::chrono::steady_clock::now() < end; ++done) {
    shared.putting = false;
    const pid_t child = ::fork();
    if (child == 0) put_forever(world.options, shared);
    while (!shared.putting) ::usleep(50);
    ::usleep(static_cast<useconds_t>(random() % 6000));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) fail("the process that puts has ended by itself");
    check(world.options, shared);
  }
  std::printf("killed %d times; last versions:", done);
  for (int i = 0; i < kKeys; ++i) {
    std::printf(" %lld", static_cast<long long>(shared.acknowledged[i].load()));
  }
  std::printf("\n");
  return done > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) fail("expected the number of rounds and the most seconds");
  try {
    return run(std::atoi(argv[1]), std::atoi(argv[2]));
  } catch (const Error& error) {
    fail(error.what());
  }
}
