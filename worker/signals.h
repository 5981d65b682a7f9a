// The signals that tell a worker to stop or to read its policy again.
//
// Libraries have threads of their own before main() (OpenBLAS does), which block nothing: a signal
// that comes while nobody waits goes to one of them, and by default ends the process. So there is a
// handler, which notes it for wait(), whichever thread it runs on.
// Thread: wait() belongs to the one that made it. At most one in a process.
#pragma once

#include <csignal>

namespace curia {

class Signals {
 public:
  // Blocks them in this thread and in all that it makes from here on. Errors: kFailed.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // The next one of SIGINT, SIGTERM, SIGHUP; none that came before is lost, but for repetitions.
  int wait();

 private:
  int read_ = -1;
  sigset_t before_{};
};

}  // namespace curia
