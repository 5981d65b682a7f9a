// A driver that speaks the wire's messages on its own, so that it can say what a Session would not,
// and sees every byte of every reply. One request at a time. Thread: one.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "protocol/link/control.h"
#include "protocol/link/wiring.h"
#include "protocol/message.h"

namespace curia::test {

struct Answer {
  bool failed = false;
  std::string metadata;
};

class PlainDriver : private ControlEvents {
 public:
  explicit PlainDriver(const Wiring& wiring);

  // A new session at every worker, and its end. Returns the session's name.
  void open();
  void close();

  // Sends to all of them first, so that they run together. Errors: kTimeout, which guards against
  // hanging alone.
  using Requests = std::vector<std::pair<std::string, std::string>>;  // worker -> metadata
  std::vector<Answer> ask(Kind kind, const Requests& requests);
  Answer ask(const std::string& worker, Kind kind, const std::string& metadata);

 private:
  struct Worker {
    ConnId conn = 0;
    std::uint64_t epoch = 0;
    std::uint64_t next_sequence = 1;
  };

  void on_frames(ConnId conn, const std::string& principal, Frames frames) override;
  void on_gone(ConnId, const std::string&) override {}
  void on_tick() override {}

  std::map<std::string, Worker> workers_;
  SessionId session_{};
  std::uint64_t next_request_ = 1;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<std::uint64_t, Answer> answers_;
  std::shared_ptr<ControlClient> control_;  // last: its thread ends first
};

}  // namespace curia::test
