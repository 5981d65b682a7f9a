// Threads that take turns as a seed says, under a clock that moves when all of them wait.
//
// While a Schedule lives, of the threads that begin in its time, and the one that made it, exactly
// one runs. At every lock, unlock, wait, notification, sleep and poll another may get its turn, by
// chance; the chance is the seed's, and so are the random bytes of OpenSSL and the time. So what a
// program does hangs on the seed alone, and a fault that shows under one order of threads shows
// every time. Where all threads wait, time leaps to the next deadline; where there is none, the
// process ends and says who waits.
//
// Locks for readers and writers are none of these places: OpenSSL's are, whose number hangs on how
// often a process drew random bytes. Nothing else may use them here.
//
// How: schedule_calls.cc defines the functions of the C library through which threads meet, in
// place of those. A program that links it has them for all its threads; without a Schedule they do
// what they always do. Sanitizers have their own in these places, so under them a Schedule does
// nothing.
//
// Thread: made and ended by one thread, which has joined all others by then.
#pragma once

#include <cstdint>

namespace curia {

class Schedule {
 public:
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr bool kWorks = false;
#else
  static constexpr bool kWorks = true;
#endif

  explicit Schedule(std::uint64_t seed);
  ~Schedule();
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  // Of all turns so far: who got them, and when.
  std::uint64_t trace() const;
  std::int64_t turns() const;
};

}  // namespace curia
