// The functions of the C library through which threads meet, for a process whose threads take turns
// (schedule.h).
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdarg>

#include "tests/support/turns.h"

#define REAL(name) real<decltype(name)>(#name)

namespace {

using namespace curia::turns;

constexpr std::int64_t kBoot = 1'000 * kSecond;          // of the monotonic clock
constexpr std::int64_t kWall = 1'790'000'000 * kSecond;  // 2026, of the other

std::int64_t base_of(clockid_t clock) { return clock == CLOCK_REALTIME ? kWall : kBoot; }
bool is_ours(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW ||
         clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME;
}
std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }
std::int64_t deadline_of(clockid_t clock, const timespec* time) {
  return time == nullptr ? kNever : nanoseconds(*time) - base_of(clock);
}

template <class Try>
int lock(const void* on, const char* where, const Try& attempt) {
  step();
  for (;;) {
    const int result = attempt();
    if (result != EBUSY) return result;
    wait_on(on, where);
  }
}

int unlocked(const void* on, int result) {
  wake(on);
  step();
  return result;
}

int wait_on_condition(pthread_cond_t* condition, pthread_mutex_t* mutex, std::int64_t deadline) {
  static const auto real_unlock = REAL(pthread_mutex_unlock);
  static const auto real_trylock = REAL(pthread_mutex_trylock);
  real_unlock(mutex);
  wake(mutex);
  const bool in_time = wait_on(condition, "a wait for a condition", deadline);
  while (real_trylock(mutex) == EBUSY) wait_on(mutex, "a lock after a condition");
  return in_time ? 0 : ETIMEDOUT;
}

pthread_key_t ends;

// Called by a thread that ends, after what else there is to be destroyed in it: that takes locks,
// so it needs the turn, too.
void end(void* argument) {
  auto* me = static_cast<Runner*>(argument);
  if (++me->ends < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(ends, me);  // then it is called again, after all others
    return;
  }
  me->state = State::kDone;
  wake(me);
  pass_turn();
  self = nullptr;
}

void* run(void* argument) {
  static const int made = pthread_key_create(&ends, end);
  if (made != 0) std::abort();
  auto* me = static_cast<Runner*>(argument);
  self = me;
  wait_for_turn(*me);
  pthread_setspecific(ends, me);
  return me->start(me->argument);
}

long futex(const std::uint32_t* word, int operation, std::uint32_t value, const timespec* time) {
  const int command = operation & FUTEX_CMD_MASK;
  if (command == FUTEX_WAKE || command == FUTEX_WAKE_BITSET) {
    const int woken = wake(word, value);
    step();
    return woken;
  }
  if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value) {
    errno = EAGAIN;
    return -1;
  }
  std::int64_t deadline = kNever;
  if (time != nullptr && command == FUTEX_WAIT) {
    deadline = world->now + nanoseconds(*time);
  } else if (time != nullptr) {
    const bool wall = (operation & FUTEX_CLOCK_REALTIME) != 0;
    deadline = deadline_of(wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, time);
  }
  if (wait_on(word, "a wait for an atomic", deadline)) return 0;
  errno = ETIMEDOUT;
  return -1;
}

}  // namespace

// NOLINTBEGIN(readability-identifier-naming,readability-inconsistent-declaration-parameter-name):
// the C library's names.
extern "C" {

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) {
  static const auto real_create = REAL(pthread_create);
  if (self == nullptr) return real_create(thread, attributes, start, argument);
  Runner& runner = add_runner();
  runner.start = start;
  runner.argument = argument;
  const int result = real_create(thread, attributes, run, &runner);
  if (result != 0) {
    world->runners.pop_back();
    return result;
  }
  runner.thread = *thread;
  step();
  return 0;
}

int pthread_join(pthread_t thread, void** result) {
  static const auto real_join = REAL(pthread_join);
  if (self == nullptr) return real_join(thread, result);
  const auto found = std::ranges::find_if(world->runners, [&](const auto& runner) {
    return runner.get() != self && pthread_equal(runner->thread, thread) != 0;
  });
  if (found == world->runners.end()) return real_join(thread, result);
  Runner& other = **found;
  while (other.state != State::kDone) wait_on(&other, "a join");
  const int done = real_join(thread, result);
  std::erase_if(world->runners, [&](const auto& runner) { return runner.get() == &other; });
  return done;
}

int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static const auto real_lock = REAL(pthread_mutex_lock);
  static const auto real_trylock = REAL(pthread_mutex_trylock);
  if (self == nullptr) return real_lock(mutex);
  return lock(mutex, "a lock", [&] { return real_trylock(mutex); });
}

int pthread_mutex_trylock(pthread_mutex_t* mutex) {
  static const auto real_trylock = REAL(pthread_mutex_trylock);
  if (self != nullptr) step();
  return real_trylock(mutex);
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) {
  static const auto real_unlock = REAL(pthread_mutex_unlock);
  const int result = real_unlock(mutex);
  return self == nullptr ? result : unlocked(mutex, result);
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  static const auto real_wait =
      real<decltype(pthread_cond_wait)>("pthread_cond_wait", "GLIBC_2.3.2");
  if (self == nullptr) return real_wait(condition, mutex);
  return wait_on_condition(condition, mutex, kNever);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* time) {
  static const auto real_wait =
      real<decltype(pthread_cond_timedwait)>("pthread_cond_timedwait", "GLIBC_2.3.2");
  if (self == nullptr) return real_wait(condition, mutex, time);
  return wait_on_condition(condition, mutex, deadline_of(CLOCK_REALTIME, time));
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* time) {
  static const auto real_wait = REAL(pthread_cond_clockwait);
  if (self == nullptr) return real_wait(condition, mutex, clock, time);
  return wait_on_condition(condition, mutex, deadline_of(clock, time));
}

int pthread_cond_signal(pthread_cond_t* condition) {
  static const auto real_signal =
      real<decltype(pthread_cond_signal)>("pthread_cond_signal", "GLIBC_2.3.2");
  if (self == nullptr) return real_signal(condition);
  wake(condition, 1);
  step();
  return 0;
}

int pthread_cond_broadcast(pthread_cond_t* condition) {
  static const auto real_broadcast =
      real<decltype(pthread_cond_broadcast)>("pthread_cond_broadcast", "GLIBC_2.3.2");
  if (self == nullptr) return real_broadcast(condition);
  wake(condition);
  step();
  return 0;
}

ssize_t write(int file, const void* from, std::size_t bytes) {
  static const auto real_write = REAL(write);
  if (self != nullptr) world->written = true;
  return real_write(file, from, bytes);
}

int sched_yield() {
  static const auto real_yield = REAL(sched_yield);
  if (self == nullptr) return real_yield();
  world->now += 1000;
  pass_turn();
  return 0;
}

int nanosleep(const timespec* time, timespec* rest) {
  static const auto real_sleep = REAL(nanosleep);
  if (self == nullptr) return real_sleep(time, rest);
  wait_on(nullptr, "a sleep", world->now + nanoseconds(*time));
  return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* rest) {
  static const auto real_sleep = REAL(clock_nanosleep);
  if (self == nullptr) return real_sleep(clock, flags, time, rest);
  const bool absolute = (flags & TIMER_ABSTIME) != 0;
  wait_on(nullptr, "a sleep",
          absolute ? deadline_of(clock, time) : world->now + nanoseconds(*time));
  return 0;
}

int clock_gettime(clockid_t clock, timespec* time) {
  static const auto real_time = REAL(clock_gettime);
  if (self == nullptr || !is_ours(clock)) return real_time(clock, time);
  const std::int64_t now = world->now + base_of(clock);
  *time = {now / kSecond, now % kSecond};
  return 0;
}

int gettimeofday(timeval* time, void* zone) {
  static const auto real_time = REAL(gettimeofday);
  if (self == nullptr) return real_time(time, zone);
  const std::int64_t now = world->now + kWall;
  *time = {now / kSecond, now % kSecond / 1000};
  return 0;
}

int poll(pollfd* fds, nfds_t count, int timeout) {
  static const auto real_poll = REAL(poll);
  if (self == nullptr) return real_poll(fds, count, timeout);
  step();
  const int found = real_poll(fds, count, 0);
  if (found != 0 || timeout == 0) return found;
  self->fds = fds;
  self->fd_count = count;
  self->on = nullptr;
  self->where = "a poll";
  self->late = false;
  self->deadline = timeout < 0 ? kNever : world->now + timeout * (kSecond / 1000);
  self->state = State::kPolls;
  pass_turn();
  self->deadline = kNever;
  return real_poll(fds, count, 0);
}

long syscall(long number, ...) {
  static const auto real_syscall = real<long(long, ...)>("syscall");
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  if (self == nullptr || number != SYS_futex) {
    return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  return futex(std::bit_cast<const std::uint32_t*>(a[0]), static_cast<int>(a[1]),
               static_cast<std::uint32_t>(a[2]), std::bit_cast<const timespec*>(a[3]));
}

// OpenSSL's, so that names drawn at random are the same each time.
int RAND_bytes(unsigned char* out, int count) {
  static const auto real_bytes = real<int(unsigned char*, int)>("RAND_bytes");
  if (self == nullptr) return real_bytes(out, count);
  for (int i = 0; i < count; ++i) out[i] = static_cast<unsigned char>(world->bytes());
  return 1;
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming,readability-inconsistent-declaration-parameter-name)

#endif
