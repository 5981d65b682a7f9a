#include "tests/support/schedule.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "tests/support/turns.h"

namespace curia {
namespace turns {

World* world = nullptr;
thread_local Runner* self = nullptr;

namespace {

constexpr unsigned kChance = 4;  // one step in so many passes the turn

[[noreturn]] void nobody_can_go_on() {
  std::fprintf(stderr, "all threads wait for each other:\n");
  for (const auto& runner : world->runners) {
    std::fprintf(stderr, "  thread %d in %s (%p)\n", runner->number, runner->where, runner->on);
  }
  std::abort();
}

bool can_go_on(Runner& runner, bool written) {
  static const auto real_poll = real<decltype(::poll)>("poll");
  if (written && runner.state == State::kPolls && real_poll(runner.fds, runner.fd_count, 0) != 0) {
    runner.state = State::kReady;
  }
  return runner.state == State::kReady;
}

Runner& next_runner() {
  for (;;) {
    std::vector<Runner*> ready;
    std::int64_t earliest = kNever;
    const bool written = std::exchange(world->written, false);
    for (const auto& runner : world->runners) {
      if (can_go_on(*runner, written)) {
        ready.push_back(runner.get());
      } else if (runner->state != State::kDone) {
        earliest = std::min(earliest, runner->deadline);
      }
    }
    if (!ready.empty()) return *ready[world->random() % ready.size()];
    if (earliest == kNever) nobody_can_go_on();
    world->now = std::max(world->now, earliest);
    for (const auto& runner : world->runners) {
      const bool waits = runner->state == State::kWaits || runner->state == State::kPolls;
      if (!waits || runner->deadline > world->now) continue;
      runner->late = true;
      runner->state = State::kReady;
    }
  }
}

}  // namespace

void wait_for_turn(Runner& me) {
  while (sem_wait(&me.turn) != 0) {
  }
}

void pass_turn() {
  Runner& me = *self;
  Runner& next = next_runner();
  ++world->turns;
  world->trace = (world->trace ^ static_cast<std::uint64_t>(next.number)) * 0x100000001b3ULL +
                 static_cast<std::uint64_t>(world->now);
  if (&next == &me) return;
  const bool done = me.state == State::kDone;
  sem_post(&next.turn);
  if (!done) wait_for_turn(me);
}

void step() {
  world->now += static_cast<std::int64_t>(world->random() % 512);
  if (world->random() % kChance == 0) pass_turn();
}

bool wait_on(const void* on, const char* where, std::int64_t deadline) {
  self->on = on;
  self->where = where;
  self->deadline = deadline;
  self->late = false;
  self->state = State::kWaits;
  pass_turn();
  self->on = nullptr;
  self->deadline = kNever;
  return !self->late;
}

int wake(const void* on, std::size_t most) {
  std::vector<Runner*> waiting;
  for (const auto& runner : world->runners) {
    if (runner->state == State::kWaits && runner->on == on) waiting.push_back(runner.get());
  }
  std::shuffle(waiting.begin(), waiting.end(), world->random);
  if (waiting.size() > most) waiting.resize(most);
  for (Runner* runner : waiting) runner->state = State::kReady;
  return static_cast<int>(waiting.size());
}

Runner& add_runner() {
  auto& runner = world->runners.emplace_back(std::make_unique<Runner>());
  runner->number = world->last++;
  sem_init(&runner->turn, 0, 0);
  return *runner;
}

}  // namespace turns

using turns::self;
using turns::world;

Schedule::Schedule(std::uint64_t seed) {
  if (world != nullptr) std::abort();  // one at a time in a process
  world = new turns::World;
  world->random.seed(seed);
  world->bytes.seed(seed);
  turns::Runner& me = turns::add_runner();
  me.thread = pthread_self();
  self = &me;
}

Schedule::~Schedule() {
  if (world->runners.size() != 1) std::abort();  // threads that nobody joined
  self = nullptr;
  delete std::exchange(world, nullptr);
}

std::uint64_t Schedule::trace() const { return world->trace; }
std::int64_t Schedule::turns() const { return world->turns; }

}  // namespace curia

#else

namespace curia {

Schedule::Schedule(std::uint64_t) {}
Schedule::~Schedule() = default;
std::uint64_t Schedule::trace() const { return 0; }
std::int64_t Schedule::turns() const { return 0; }

}  // namespace curia

#endif
