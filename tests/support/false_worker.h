// A worker's control port in this process that answers as it is told, and a dialer that notes what
// it is asked for. For tests of those who talk to workers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/link/control.h"
#include "protocol/link/dialer.h"
#include "protocol/link/memory_control.h"
#include "protocol/message.h"

namespace curia {

// Answers hello, open, heartbeat and close properly, the rest with what is next in `answers`.
// Thread: the network's; the tables are filled before start().
class FalseWorker : private ControlEvents {
 public:
  // What follows the header of a reply, and its flags.
  using Answer = std::pair<std::uint16_t, std::string>;

  FalseWorker(MemoryControlNetwork& network, std::string name)
      : name_(std::move(name)), server_(network.make_server(name_)) {}
  ~FalseWorker() { server_.reset(); }
  FalseWorker(const FalseWorker&) = delete;
  FalseWorker& operator=(const FalseWorker&) = delete;
  void start() { server_->start(*this); }

  // By kind: one answer after the other, the last one again and again; none: no answer.
  std::map<Kind, std::deque<Answer>> answers;

 private:
  void on_frames(ConnId conn, const std::string&, Frames frames) override {
    for (const Packet& packet : split_packets(frames.head)) {
      if (const auto answer = answer_to(static_cast<Kind>(packet.header.kind))) {
        Header header = packet.header;
        header.kind = static_cast<std::uint16_t>(header.kind | kReply | answer->first);
        header.epoch = 1;
        std::string frame;
        append_packet(frame, header, answer->second);
        server_->send(conn, {std::move(frame), {}});
      }
    }
  }
  void on_gone(ConnId, const std::string&) override {}
  void on_tick() override {}

  std::optional<Answer> answer_to(Kind kind) {
    if (const auto given = answers.find(kind); given != answers.end()) {
      const Answer answer = given->second.front();
      if (given->second.size() > 1) given->second.pop_front();
      return answer;
    }
    switch (kind) {
      case Kind::kHello:
        return Answer{0, encode(HelloReply{name_, kVersion, 1, {}, 1})};
      case Kind::kOpen:
        return Answer{0, encode(OpenReply{1, 1, 1, 30'000})};
      case Kind::kHeartbeat:
        return Answer{0, encode(HeartbeatReply{1})};
      case Kind::kClose:
        return Answer{0, encode(Nothing{})};
      default:
        return std::nullopt;
    }
  }

  const std::string name_;
  std::unique_ptr<ControlServer> server_;
};

// Never connected. Thread: any.
class NotingDialer : public Dialer {
 public:
  std::uint16_t port() const override { return 1; }
  bool connected(const std::string&) const override { return false; }
  DialOffer make_offer() override { return {}; }
  DialGrant grant(const std::string&, const DialOffer&) override { return {}; }
  void dial(const std::string& peer, const std::string&, std::uint16_t port, const DialOffer&,
            const DialGrant& grant) override {
    const std::lock_guard lock(mutex_);
    if (throws > 0 && throws-- > 0) throw Error(Code::kFailed, "no such host");
    dials_.push_back({peer, port, grant.token[0]});
    changed_.notify_all();
  }

  struct Dial {
    std::string peer;
    std::uint16_t port = 0;
    std::uint8_t token = 0;
  };
  // The first one there is; an empty one when none comes.
  Dial first() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(60), [this] { return !dials_.empty(); });
    return dials_.empty() ? Dial{} : dials_[0];
  }

  int throws = 0;  // so many dials fail at once

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Dial> dials_;
};

// Answers to dial that are none, then one that is, with port 7 and a token that begins with 9.
inline std::deque<FalseWorker::Answer> malformed_dial_answers() {
  DialReplyMessage good;
  good.port = 7;
  good.token[0] = 9;
  const std::string bytes = encode(good);
  return {{0, bytes.substr(0, bytes.size() - 1)}, {0, bytes + "x"}, {0, bytes}};
}

}  // namespace curia
