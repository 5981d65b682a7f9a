// Waiting for what another thread or process does. Thread: any.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace curia {

// Asks again and again until it is so; false when `limit` passed, which only guards against
// hanging.
inline bool eventually(const std::function<bool()>& so,
                       std::chrono::seconds limit = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!so()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace curia
