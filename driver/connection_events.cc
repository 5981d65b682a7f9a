// DriverConnection's other side: what arrives, and what time brings (reconnect, heartbeat, loss).
#include <algorithm>
#include <utility>

#include "driver/connection.h"

namespace curia {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetry{100};
constexpr milliseconds kBeat{1'000};
constexpr milliseconds kSilence{4'000};  // then the connection is made anew

}  // namespace

void DriverConnection::send_now(Worker& worker, Kind kind, std::string_view metadata) {
  std::string frame;
  Header head = header(worker, kind);
  append_packet(frame, head, metadata);
  control_.send(worker.conn, {std::move(frame), {}});
}

void DriverConnection::on_frames(ConnId conn, const std::string&, Frames frames) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, worker] : workers_) {
      if (worker.conn != conn || worker.state == State::kLost) continue;
      worker.heard = Clock::now();
      try {
        for (const Packet& packet : split_packets(frames.head)) {
          on_packet(name, worker, packet, calls);
          if (worker.state == State::kLost) break;
        }
      } catch (const Error& error) {
        lose(name, worker, error.at_party(name), calls);
      }
      if (waiting_ > 0) changed_.notify_all();
      break;
    }
    if (!calls.empty()) ++calling_;
  }
  run_calls(calls);
}

void DriverConnection::run_calls(const Calls& calls) {
  if (calls.empty()) return;
  for (const auto& call : calls) call();
  const std::lock_guard lock(mutex_);
  --calling_;
  if (waiting_ > 0) changed_.notify_all();
}

bool DriverConnection::is_ours(const Worker& worker, const Header& header) {
  if (header.sequence == 0) return true;
  const std::uint64_t at = header.sequence - worker.first_sequence;  // wraps where it is below
  return at < worker.ordered.size() && worker.ordered[at].id == header.request;
}

void DriverConnection::on_packet(const std::string& name, Worker& worker, const Packet& packet,
                                 Calls& calls) {
  const bool failed = (packet.header.kind & kFailure) != 0;
  const auto kind = static_cast<Kind>(packet.header.kind & 0xfff);
  if (failed && is_ours(worker, packet.header)) {
    const Error error = decode<WireError>(packet.metadata).error();
    // These end the session at this worker, whatever the request was.
    const bool over = error.code() == Code::kSessionOver || error.code() == Code::kStaleEpoch ||
                      error.code() == Code::kVersion;
    if (over || kind == Kind::kHello || kind == Kind::kOpen) {
      return lose(name, worker, error, calls);
    }
  }
  switch (kind) {
    case Kind::kHello: {
      const auto hello = decode<HelloReply>(packet.metadata);
      if (hello.party != name) {
        throw Error(Code::kInvalid, "expected the worker of " + name + ", found that of " +
                                        hello.party + "; check the cluster configuration");
      }
      if (worker.epoch != 0 && worker.epoch != hello.epoch && worker.generation != 0) {
        throw Error(Code::kStaleEpoch,
                    name + " was restarted; its objects in memory are gone; open a new session");
      }
      worker.epoch = hello.epoch;
      if (options_.tool) return resume(worker, 1);
      worker.state = State::kOpening;
      const OpenRequest open{worker.generation, static_cast<std::uint32_t>(options_.lease.count()),
                             process_};
      return send_now(worker, Kind::kOpen, encode(open));
    }
    case Kind::kOpen: {
      const auto open = decode<OpenReply>(packet.metadata);
      worker.generation = open.generation;
      next_task_ = std::max(next_task_, open.next_task);
      // What an earlier process of this session sent is settled, or is no business of this one.
      if (worker.ordered.empty()) {
        worker.first_sequence = std::max(worker.first_sequence, open.next_sequence);
      }
      return resume(worker, open.next_sequence);
    }
    case Kind::kHeartbeat: {
      const auto beat = decode<HeartbeatReply>(packet.metadata);
      worker.beating = false;
      if (options_.tool || worker.sent_before_beat == 0) return;
      if (beat.next_sequence <= worker.sent_before_beat) resume(worker, beat.next_sequence);
      return;
    }
    default:
      return take_reply(worker, packet, calls);
  }
}

// The worker has everything below next_sequence; the rest is sent (again), in order. Requests below
// it whose reply is missing are sent too: the worker answers them from its memory.
void DriverConnection::resume(Worker& worker, std::uint64_t next_sequence) {
  worker.state = State::kUp;
  worker.refused = false;
  worker.dial_until = {};
  worker.sealed.clear();
  worker.outbox.clear();
  (void)next_sequence;
  // A packet carries the epoch of the time it was made, which may have been before the first hello.
  for (Request& request : worker.ordered) {
    request.packet.replace(offsetof(Header, epoch), sizeof(worker.epoch),
                           reinterpret_cast<const char*>(&worker.epoch), sizeof(worker.epoch));
    if (!request.answered) push(worker, request.packet);
  }
  for (auto& [id, request] : worker.unordered) {
    request.packet.replace(offsetof(Header, epoch), sizeof(worker.epoch),
                           reinterpret_cast<const char*>(&worker.epoch), sizeof(worker.epoch));
    push(worker, request.packet);
  }
  flush(worker);
}

void DriverConnection::take_reply(Worker& worker, const Packet& packet, Calls& calls) {
  Done done;
  if (packet.header.sequence != 0) {
    if (packet.header.sequence < worker.first_sequence ||
        packet.header.sequence >= worker.first_sequence + worker.ordered.size()) {
      return;  // answered before
    }
    Request& request = worker.ordered[packet.header.sequence - worker.first_sequence];
    if (request.answered || request.id != packet.header.request) return;
    if ((packet.header.kind & kFailure) != 0 &&
        decode<WireError>(packet.metadata).error().code() == Code::kOverloaded) {
      return;  // not taken by the worker; the next heartbeat finds the gap and sends it again
    }
    request.answered = true;
    done = std::move(request.done);
    while (!worker.ordered.empty() && worker.ordered.front().answered) {
      worker.ordered.pop_front();
      ++worker.first_sequence;
    }
  } else {
    auto node = worker.unordered.extract(packet.header.request);
    if (node.empty()) return;
    done = std::move(node.mapped().done);
  }
  if (done == nullptr) return;
  if ((packet.header.kind & kFailure) != 0) {
    calls.push_back([done = std::move(done), error = decode<WireError>(packet.metadata).error()] {
      done(nullptr, &error);
    });
  } else {
    calls.push_back(
        [done = std::move(done), reply = std::string(packet.metadata)] { done(&reply, nullptr); });
  }
}

void DriverConnection::on_gone(ConnId conn, const std::string& why) {
  const std::lock_guard lock(mutex_);
  for (auto& [name, worker] : workers_) {
    if (worker.conn == conn) down(worker, true, why);
  }
}

void DriverConnection::down(Worker& worker, bool refused, const std::string& why) {
  if (worker.state == State::kLost) return;
  const auto now = Clock::now();
  if (worker.state == State::kUp) worker.down_since = now;
  worker.state = State::kDown;
  worker.refused = refused;
  worker.why = why;
  worker.conn = 0;
  worker.retry = now + kRetry;
}

void DriverConnection::greet(Worker& worker) {
  worker.state = State::kGreeting;
  send_now(worker, Kind::kHello, encode(HelloRequest{}));
}

void DriverConnection::lose(const std::string& name, Worker& worker, const Error& error,
                            Calls& calls) {
  worker.state = State::kLost;
  worker.lost = std::make_shared<const Error>(error.at_party(name));
  if (worker.conn != 0) control_.drop(worker.conn);
  worker.conn = 0;
  const auto fail = [&calls, lost = worker.lost](Request& request) {
    if (request.done == nullptr || request.answered) return;
    calls.push_back([done = std::move(request.done), lost] { done(nullptr, lost.get()); });
  };
  for (Request& request : worker.ordered) fail(request);
  for (auto& [id, request] : worker.unordered) fail(request);
  worker.first_sequence += worker.ordered.size();
  worker.ordered.clear();
  worker.unordered.clear();
  worker.sealed.clear();
  worker.outbox.clear();
  changed_.notify_all();
}

void DriverConnection::on_tick() {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    for (auto& [name, worker] : workers_) tick(name, worker, now, calls);
    if (!calls.empty()) ++calling_;
  }
  run_calls(calls);
}

void DriverConnection::tick(const std::string& name, Worker& worker, Clock::time_point now,
                            Calls& calls) {
  if (worker.state == State::kLost) return;
  if (worker.conn != 0 && now - worker.heard > kSilence) {
    control_.drop(worker.conn);
    down(worker, false, "it has been silent");
  }
  if (worker.state != State::kUp) {
    const auto patience = worker.refused ? options_.refused : options_.patience;
    if (now - worker.down_since > patience) {
      const std::string why = worker.why.empty() ? "no answer" : worker.why;
      return lose(name, worker,
                  Error(Code::kWorkerLost,
                        name + " at " + worker.address.endpoint + " cannot be reached: " + why),
                  calls);
    }
    if (worker.conn == 0 && now >= worker.retry) {
      worker.conn = control_.connect(name, worker.address.endpoint, worker.address.key);
      worker.heard = now;
      greet(worker);
    }
    return;
  }
  if (!worker.releases.empty()) send_releases(worker);
  // Also when a connection was cut: lanes go on where they were on the next one.
  if (worker.bulk && now > worker.dial_until && !dialer_->connected(name)) dial(name, worker);
  flush(worker);
  if (now >= worker.beat) {
    worker.beat = now + kBeat;
    worker.beating = true;
    worker.sent_before_beat =
        worker.ordered.empty() ? 0 : worker.first_sequence + worker.ordered.size() - 1;
    send_now(worker, Kind::kHeartbeat, encode(Nothing{}));
  }
}

}  // namespace curia
