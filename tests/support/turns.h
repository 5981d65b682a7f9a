// What schedule.cc decides and schedule_calls.cc asks for: whose turn it is. Thread: the one that
// has the turn.
#pragma once

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <vector>

namespace curia::turns {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kSecond = 1'000'000'000;

// The function of the C library that schedule_calls.cc has one in place of.
template <class F>
F* real(const char* name, const char* version = nullptr) {
  void* found = version == nullptr ? dlsym(RTLD_NEXT, name) : dlvsym(RTLD_NEXT, name, version);
  if (found == nullptr) std::abort();
  return reinterpret_cast<F*>(found);
}

enum class State : std::uint8_t { kReady, kWaits, kPolls, kDone };

struct Runner {
  int number = 0;
  pthread_t thread{};
  sem_t turn{};
  State state = State::kReady;
  const void* on = nullptr;  // the lock, condition, word or runner that it waits for
  const char* where = "";
  std::int64_t deadline = kNever;
  bool late = false;
  pollfd* fds = nullptr;
  nfds_t fd_count = 0;
  void* (*start)(void*) = nullptr;
  void* argument = nullptr;
  int ends = 0;  // rounds of destructors that it has seen
};

struct World {
  std::mt19937_64 random;
  std::mt19937_64 bytes;
  std::int64_t now = 0;
  bool written = false;  // to a file, since those who poll were looked at
  std::vector<std::unique_ptr<Runner>> runners;
  int last = 0;
  std::uint64_t trace = 0;
  std::int64_t turns = 0;
};

// One while there is a Schedule; and the thread's own place in it, where it has one.
extern World* world;
extern thread_local Runner* self;

// REQUIRES for all that follow: the caller has the turn.
Runner& add_runner();
void wait_for_turn(Runner& me);
// The caller's state says whether it can go on itself.
void pass_turn();
// Where others may get their turn.
void step();
// Until wake(); false when the deadline came first.
bool wait_on(const void* on, const char* where, std::int64_t deadline = kNever);
// All that wait for it, or as many by chance; returns how many.
int wake(const void* on, std::size_t most = std::numeric_limits<std::size_t>::max());

}  // namespace curia::turns
