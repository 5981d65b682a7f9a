// The worker's pool of compute threads. Kernels cut their work into chunks; the thread that asks
// takes part, and helpers join while there are chunks left.
//
// Owned by main, one a worker. Jobs never block (no locks held, no I/O, no recv), so a caller waits
// only for chunks that are being computed. A job may itself call run(): the inner caller can always
// finish alone.
// Thread: any; run() may be called by several threads at once.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace curia {

class ThreadPool {
 public:
  // `helpers` threads beside the callers; 0 is fine: every job then runs on its caller.
  explicit ThreadPool(int helpers);
  ~ThreadPool();  // REQUIRES: no run() is under way
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int helpers() const { return static_cast<int>(threads_.size()); }

  // Calls body(i) once for every i in 0..chunks-1, in any order and on any thread; returns when all
  // are done. Errors: the first exception a body threw; chunks not begun by then are left out.
  template <class Body>
  void run(std::int64_t chunks, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run_erased(chunks, const_cast<void*>(static_cast<const void*>(&body)),
               [](void* self, std::int64_t i) { (*static_cast<Plain*>(self))(i); });
  }

 private:
  struct Job;
  using Call = void (*)(void*, std::int64_t);

  void run_erased(std::int64_t chunks, void* body, Call call);
  void help();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job*> open_;  // jobs that may still have chunks to begin
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace curia
