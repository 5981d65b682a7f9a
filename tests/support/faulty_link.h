// A link whose owner does not send what it should: each message may be changed on its way out.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "protocol/link/link.h"

namespace curia {

// Changes what goes to `peer`. Called in the sending thread.
using Spoil = std::function<void(const std::string& peer, Tag& tag, Slice& body)>;

class FaultyLink final : public Link {
 public:
  FaultyLink(std::shared_ptr<Link> link, Spoil spoil)
      : link_(std::move(link)), spoil_(std::move(spoil)) {}

  std::shared_ptr<Lane> lane(const SessionId& session, std::string_view peer) override {
    return std::make_shared<FaultyLane>(link_->lane(session, peer), std::string(peer), spoil_);
  }
  void close(const SessionId& session) override { link_->close(session); }
  void forget(std::string_view peer) override { link_->forget(peer); }
  std::vector<Traffic> traffic() const override { return link_->traffic(); }

 private:
  class FaultyLane final : public Lane {
   public:
    FaultyLane(std::shared_ptr<Lane> lane, std::string peer, Spoil spoil)
        : lane_(std::move(lane)), peer_(std::move(peer)), spoil_(std::move(spoil)) {}

    void send(const Tag& tag, Slice head, std::vector<Slice> body) override {
      std::vector<std::uint8_t> all;
      for (const Slice& part : body) all.insert(all.end(), part.data, part.data + part.size);
      Tag spoiled_tag = tag;
      Slice spoiled = Slice::copy_of(all);
      spoil_(peer_, spoiled_tag, spoiled);
      lane_->send(spoiled_tag, std::move(head), {std::move(spoiled)});
    }
    Message recv(const Tag& tag, std::int64_t max_body, SteadyTime deadline) override {
      return lane_->recv(tag, max_body, deadline);
    }
    void abort(std::uint64_t task, const Error& error) override { lane_->abort(task, error); }
    void cancel(std::uint64_t task, const Error& error) override { lane_->cancel(task, error); }
    void finish(std::uint64_t task) override { lane_->finish(task); }

   private:
    const std::shared_ptr<Lane> lane_;
    const std::string peer_;
    const Spoil spoil_;
  };

  const std::shared_ptr<Link> link_;
  const Spoil spoil_;
};

}  // namespace curia
