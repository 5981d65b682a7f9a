#include "worker/kernels/pool.h"

#include <algorithm>
#include <atomic>
#include <exception>

namespace curia {

// Lives on its caller's stack; helpers hold it only while `busy` counts them.
struct ThreadPool::Job {
  void* body;
  Call call;
  std::int64_t chunks;
  std::atomic<std::int64_t> next{0};
  int busy = 0;                  // helpers inside; guarded by the pool's mutex
  std::exception_ptr error;      // guarded by the pool's mutex
  std::condition_variable idle;  // busy became 0

  // Takes chunks until there are none.
  void work(std::mutex& mutex) {
    try {
      for (std::int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < chunks;) {
        call(body, i);
      }
    } catch (...) {
      next.store(chunks, std::memory_order_relaxed);
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  }
};

ThreadPool::ThreadPool(int helpers) {
  threads_.reserve(static_cast<std::size_t>(std::max(helpers, 0)));
  for (int i = 0; i < helpers; ++i) threads_.emplace_back([this] { help(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run_erased(std::int64_t chunks, void* body, Call call) {
  if (chunks <= 1 || threads_.empty()) {
    for (std::int64_t i = 0; i < chunks; ++i) call(body, i);
    return;
  }
  Job job{.body = body, .call = call, .chunks = chunks, .error = {}, .idle = {}};
  {
    const std::lock_guard lock(mutex_);
    open_.push_back(&job);
  }
  if (chunks > 2) {
    wake_.notify_all();
  } else {
    wake_.notify_one();
  }
  job.work(mutex_);
  std::unique_lock lock(mutex_);
  std::erase(open_, &job);
  job.idle.wait(lock, [&] { return job.busy == 0; });
  if (job.error) std::rethrow_exception(job.error);
}

void ThreadPool::help() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !open_.empty(); });
    if (open_.empty()) return;
    Job* job = open_.front();
    ++job->busy;
    lock.unlock();
    job->work(mutex_);
    lock.lock();
    std::erase(open_, job);  // nothing left to begin
    if (--job->busy == 0) job->idle.notify_one();
  }
}

}  // namespace curia
