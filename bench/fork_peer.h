// A peer process for measurements that need two: forked, told apart by its pid, ended with the
// object.
#pragma once

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>

namespace curia::bench {

class ForkPeer {
 public:
  // Runs `body` in a child process; what it passes to its argument is said() in the parent.
  explicit ForkPeer(const std::function<void(const std::function<void(std::string)>&)>& body) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("no pipe for the peer process");
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("no peer process");
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(ends[0]);
      body([&](const std::string& text) {
        if (write(ends[1], text.data(), text.size()) < 0) _exit(1);
        close(ends[1]);
      });
      _exit(0);
    }
    close(ends[1]);
    char buffer[256];
    ssize_t got = 0;
    while ((got = read(ends[0], buffer, sizeof buffer)) > 0) {
      said_.append(buffer, static_cast<std::size_t>(got));
    }
    close(ends[0]);
  }
  ~ForkPeer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  ForkPeer(const ForkPeer&) = delete;
  ForkPeer& operator=(const ForkPeer&) = delete;

  const std::string& said() const { return said_; }

 private:
  pid_t pid_ = -1;
  std::string said_;
};

}  // namespace curia::bench
