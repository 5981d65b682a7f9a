#include "worker/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "protocol/error.h"

namespace curia {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

// All that a handler can reach.
std::atomic<int> g_noted{-1};
static_assert(std::atomic<int>::is_always_lock_free);

void note(int number) {
  const int error = errno;
  const auto byte = static_cast<unsigned char>(number);
  // A full pipe has more of them than anybody waits for.
  [[maybe_unused]] const ssize_t done = ::write(g_noted.load(), &byte, 1);
  errno = error;
}

}  // namespace

Signals::Signals() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw Error(Code::kFailed, "no pipe for the signals of this process");
  }
  read_ = ends[0];
  g_noted = ends[1];
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int number : kSignals) sigaddset(&blocked, number);
  pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  for (const int number : kSignals) {
    struct sigaction action {};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, nullptr);
    sigdelset(&before_, number);
  }
}

Signals::~Signals() {
  for (const int number : kSignals) std::signal(number, SIG_DFL);
  ::close(g_noted.exchange(-1));
  ::close(read_);
}

int Signals::wait() {
  for (;;) {
    unsigned char byte = 0;
    if (::read(read_, &byte, 1) == 1) return byte;
    pollfd waiting{read_, POLLIN, 0};
    ::ppoll(&waiting, 1, nullptr, &before_);
  }
}

}  // namespace curia
