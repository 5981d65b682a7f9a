// A driver's session of which every byte that it is given is kept, decrypted, so that a test can
// look for what must not be among them.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/cluster.h"
#include "protocol/link/wiring.h"
#include "tests/support/process_cluster.h"

namespace curia {

// Everything that came out of the links of a driver, decrypted. Thread: any.
struct Record {
  std::mutex mutex;
  std::string bytes;

  void add(std::string_view more) {
    const std::lock_guard lock(mutex);
    bytes += more;
    bytes += '\n';
  }
  void add(const Slice& slice) {
    add({reinterpret_cast<const char*>(slice.data), static_cast<std::size_t>(slice.size)});
  }
  std::string all() {
    const std::lock_guard lock(mutex);
    return bytes;
  }
};

class RecordingClient : public ControlClient, private ControlEvents {
 public:
  RecordingClient(std::shared_ptr<ControlClient> inner, std::shared_ptr<Record> record)
      : record_(std::move(record)), inner_(std::move(inner)) {}

  void start(ControlEvents& events) override {
    events_ = &events;
    inner_->start(*this);
  }
  void send(ConnId conn, Frames frames) override { inner_->send(conn, std::move(frames)); }
  void drop(ConnId conn) override { inner_->drop(conn); }
  void wake() override { inner_->wake(); }
  ConnId connect(const std::string& server, const std::string& endpoint,
                 const std::string& key) override {
    return inner_->connect(server, endpoint, key);
  }

 private:
  void on_frames(ConnId conn, const std::string& principal, Frames frames) override {
    record_->add(frames.head);
    for (const Slice& part : frames.payload) record_->add(part);
    events_->on_frames(conn, principal, std::move(frames));
  }
  void on_gone(ConnId conn, const std::string& why) override {
    record_->add(why);
    events_->on_gone(conn, why);
  }
  void on_tick() override { events_->on_tick(); }

  std::shared_ptr<Record> record_;
  ControlEvents* events_ = nullptr;
  std::shared_ptr<ControlClient> inner_;  // ends first: its callbacks use the rest
};

class RecordingLane : public Lane {
 public:
  RecordingLane(std::shared_ptr<Lane> inner, std::shared_ptr<Record> record)
      : inner_(std::move(inner)), record_(std::move(record)) {}
  void send(const Tag& tag, Slice head, std::vector<Slice> body) override {
    inner_->send(tag, std::move(head), std::move(body));
  }
  Message recv(const Tag& tag, std::int64_t max_body, SteadyTime deadline) override {
    Message message = inner_->recv(tag, max_body, deadline);
    record_->add(message.head);
    record_->add(message.body);
    return message;
  }
  void abort(std::uint64_t task, const Error& error) override { inner_->abort(task, error); }
  void cancel(std::uint64_t task, const Error& error) override { inner_->cancel(task, error); }
  void finish(std::uint64_t task) override { inner_->finish(task); }

 private:
  std::shared_ptr<Lane> inner_;
  std::shared_ptr<Record> record_;
};

class RecordingLink : public Link {
 public:
  RecordingLink(std::shared_ptr<Link> inner, std::shared_ptr<Record> record)
      : inner_(std::move(inner)), record_(std::move(record)) {}
  std::shared_ptr<Lane> lane(const SessionId& session, std::string_view peer) override {
    return std::make_shared<RecordingLane>(inner_->lane(session, peer), record_);
  }
  void close(const SessionId& session) override { inner_->close(session); }
  void forget(std::string_view peer) override { inner_->forget(peer); }
  // What came in but was never asked for would show here.
  std::vector<Traffic> traffic() const override { return inner_->traffic(); }

 private:
  std::shared_ptr<Link> inner_;
  std::shared_ptr<Record> record_;
};

inline Session recorded_session(const ProcessCluster& cluster,
                                const std::shared_ptr<Record>& record, std::weak_ptr<Link>& link,
                                const std::string& driver = "dora",
                                const ConnectionOptions& options = {}) {
  Wiring wiring = wire(read_cluster_config(cluster.cluster_file(driver)));
  wiring.control = std::make_shared<RecordingClient>(std::move(wiring.control), record);
  wiring.make_link = [make = wiring.make_link, record, &link](const std::string& self) {
    const SessionLink made = make(self);
    link = made.link;
    return SessionLink{std::make_shared<RecordingLink>(made.link, record), made.dialer};
  };
  return {std::move(wiring), options};
}

}  // namespace curia
