// What is being waited for right now, so that a stall has a name (`curia status`, timeout errors).
// Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "protocol/message.h"

namespace curia {

class WaitBoard {
 public:
  // Pins a wait to the board for as long as it lives.
  class Pin {
   public:
    Pin(WaitBoard& board, WaitInfo info);
    ~Pin();
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;

   private:
    friend class WaitBoard;
    WaitBoard& board_;
    WaitInfo info_;
    std::chrono::steady_clock::time_point since_;
    std::list<Pin*>::iterator at_;
  };

  // Those that have lasted for at least `least`, longest first.
  std::vector<WaitInfo> waits(std::chrono::milliseconds least) const;

 private:
  mutable std::mutex mutex_;
  std::list<Pin*> pins_;
};

// "alice waits for bob: transfer, op transfer (means.cc:12), task 3 of session 0f…, 1204 ms"
std::string wait_text(const WaitInfo& wait);

}  // namespace curia
