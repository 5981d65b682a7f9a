// A link that keeps what its party sends to others. Thread: as a Link; a Tap: any.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "protocol/link/link.h"

namespace curia::test {

struct Sent {
  std::string from;
  std::string to;
  Tag tag;
  Slice head;
  Slice body;
  std::string aborted;  // the error's text; then there is no message
};

class Tap {
 public:
  void note(Sent sent) {
    const std::lock_guard lock(mutex_);
    sent_.push_back(std::move(sent));
  }
  // What was kept since the last time.
  std::vector<Sent> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(sent_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Sent> sent_;
};

class TappedLink final : public Link {
 public:
  TappedLink(std::shared_ptr<Link> link, std::string party, std::shared_ptr<Tap> tap)
      : link_(std::move(link)), party_(std::move(party)), tap_(std::move(tap)) {}

  std::shared_ptr<Lane> lane(const SessionId& session, std::string_view peer) override {
    return std::make_shared<TappedLane>(link_->lane(session, peer), party_, std::string(peer),
                                        tap_);
  }
  void close(const SessionId& session) override { link_->close(session); }
  void forget(std::string_view peer) override { link_->forget(peer); }
  std::vector<Traffic> traffic() const override { return link_->traffic(); }

 private:
  class TappedLane final : public Lane {
   public:
    TappedLane(std::shared_ptr<Lane> lane, std::string from, std::string to,
               std::shared_ptr<Tap> tap)
        : lane_(std::move(lane)),
          from_(std::move(from)),
          to_(std::move(to)),
          tap_(std::move(tap)) {}

    void send(const Tag& tag, Slice head, std::vector<Slice> body) override {
      std::vector<std::uint8_t> all;
      for (const Slice& part : body) all.insert(all.end(), part.data, part.data + part.size);
      tap_->note({from_, to_, tag, head, Slice::copy_of(all), ""});
      lane_->send(tag, std::move(head), std::move(body));
    }
    Message recv(const Tag& tag, std::int64_t max_body, SteadyTime deadline) override {
      return lane_->recv(tag, max_body, deadline);
    }
    void abort(std::uint64_t task, const Error& error) override {
      tap_->note({from_, to_, {task, 0, 0}, {}, {}, error.what()});
      lane_->abort(task, error);
    }
    void cancel(std::uint64_t task, const Error& error) override { lane_->cancel(task, error); }
    void finish(std::uint64_t task) override { lane_->finish(task); }

   private:
    const std::shared_ptr<Lane> lane_;
    const std::string from_;
    const std::string to_;
    const std::shared_ptr<Tap> tap_;
  };

  const std::shared_ptr<Link> link_;
  const std::string party_;
  const std::shared_ptr<Tap> tap_;
};

}  // namespace curia::test
