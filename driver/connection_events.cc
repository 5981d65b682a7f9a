// DriverConnection's other side: what arrives, and what time brings (reconnect, heartbeat, loss).
#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "driver/connection.h"

namespace curia {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetry{100};
constexpr milliseconds kBeat{1'000};
constexpr milliseconds kSilence{4'000};  // then the connection is made anew
constexpr milliseconds kSeek{500};       // between attempts to find a worker that was given up
// Parties that a restart leaves waiting mostly find out by themselves, and can then say why.
constexpr milliseconds kCancelAfter{2'000};

// Of a packet with a run; else 0.
std::uint64_t task_of(const std::string& packet) {
  Header header;
  std::uint64_t task = 0;
  if (packet.size() < sizeof(header) + sizeof(task)) return 0;
  std::memcpy(&header, packet.data(), sizeof(header));
  if (header.kind != static_cast<std::uint16_t>(Kind::kRun)) return 0;
  std::memcpy(&task, packet.data() + sizeof(header), sizeof(task));
  return task;
}

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
      if (worker.conn != conn || (worker.state == State::kLost && !worker.sought)) continue;
      worker.heard = Clock::now();
      try {
        for (const Packet& packet : split_packets(frames.head)) {
          if (worker.state == State::kLost) {
            on_found(name, worker, packet, calls);
          } else {
            on_packet(name, worker, packet, calls);
          }
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
    // It stops. When it has started again, what it did not answer fails as after any restart.
    if (error.code() == Code::kWorkerLost && worker.was_up) return;
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
        if (!worker.was_up) {
          throw Error(Code::kStaleEpoch,
                      name + " was restarted; its objects in memory are gone; open a new session");
        }
        restarted(name, worker, calls);
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
  worker.was_up = true;
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
  const auto now = Clock::now();
  if (worker.state == State::kLost) {
    worker.conn = 0;
    worker.retry = now + kSeek;
    return;
  }
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
  if (worker.conn != 0) control_.drop(worker.conn);
  worker.conn = 0;
  worker.sought = error.code() == Code::kWorkerLost && worker.was_up && !options_.tool;
  worker.retry = Clock::now() + kSeek;
  if (worker.state == State::kLost) return;
  worker.state = State::kLost;
  worker.lost = std::make_shared<const Error>(error.at_party(name));
  fail_requests(worker, worker.lost, calls);
}

void DriverConnection::fail_requests(Worker& worker, const std::shared_ptr<const Error>& error,
                                     Calls& calls) {
  const auto fail = [&calls, &error](Request& request) {
    if (request.done == nullptr || request.answered) return;
    calls.push_back([done = std::move(request.done), error] { done(nullptr, error.get()); });
  };
  for (Request& request : worker.ordered) {
    if (const std::uint64_t task = task_of(request.packet); task != 0 && !request.answered) {
      worker.failed_runs.push_back(task);
    }
    fail(request);
  }
  for (auto& [id, request] : worker.unordered) fail(request);
  worker.first_sequence += worker.ordered.size();
  worker.ordered.clear();
  worker.unordered.clear();
  worker.sealed.clear();
  worker.outbox.clear();
  changed_.notify_all();
}

Error DriverConnection::restarted_error(const std::string& name) {
  return Error(Code::kStaleEpoch,
               name + " was restarted, and what this session had in its memory is gone")
      .at_party(name);
}

// It knows nothing of this session: its part there begins again, with its first sequence number.
void DriverConnection::restarted(const std::string& name, Worker& worker, Calls& calls) {
  worker.last_restart = ++restarts_;
  fail_requests(worker, std::make_shared<const Error>(restarted_error(name)), calls);
  worker.first_sequence = 1;
  worker.generation = 0;
  worker.sent_before_beat = 0;
  worker.releases.clear();
  worker.release_bytes = 0;
  worker.bulk = false;
  worker.dial_until = {};
  worker.lost = nullptr;
  worker.sought = false;
  worker.cancel_at = Clock::now() + kCancelAfter;
  link_->forget(name);
}

// Parties that had not begun those runs wait for a part of them that will never come.
void DriverConnection::cancel_failed(const std::string& name, Worker& worker) {
  const std::vector<std::uint64_t> tasks = std::exchange(worker.failed_runs, {});
  const std::set<std::uint64_t> failed(tasks.begin(), tasks.end());
  for (auto& [other_name, other] : workers_) {
    if (other_name == name || other.lost != nullptr) continue;
    std::vector<std::uint64_t> waiting;
    for (const Request& request : other.ordered) {
      const std::uint64_t task = task_of(request.packet);
      if (!request.answered && failed.contains(task)) waiting.push_back(task);
    }
    for (const std::uint64_t task : waiting) {
      add(other, Kind::kCancel, encode(CancelRequest{task}), nullptr);
    }
  }
}

void DriverConnection::seek(const std::string& name, Worker& worker, Clock::time_point now) {
  if (worker.conn != 0 && now - worker.heard > kSilence) {
    control_.drop(worker.conn);
    worker.conn = 0;
    worker.retry = now + kSeek;
  }
  if (worker.conn != 0 || now < worker.retry || closing_) return;
  worker.conn = control_.connect(name, worker.address.endpoint, worker.address.key);
  worker.heard = now;
  send_now(worker, Kind::kHello, encode(HelloRequest{}));
}

// A worker that was given up answers again. If it is the same process, it may have executed any of
// the requests that have failed here, so it stays lost.
void DriverConnection::on_found(const std::string& name, Worker& worker, const Packet& packet,
                                Calls& calls) {
  if (packet.header.kind == (static_cast<std::uint16_t>(Kind::kHello) | kReply)) {
    const auto hello = decode<HelloReply>(packet.metadata);
    if (hello.party == name && hello.epoch != worker.epoch) {
      worker.state = State::kGreeting;
      worker.down_since = Clock::now();
      return on_packet(name, worker, packet, calls);
    }
  }
  worker.sought = false;
  control_.drop(worker.conn);
  worker.conn = 0;
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
  if (worker.state == State::kLost) {
    if (worker.sought) seek(name, worker, now);
    return;
  }
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
  if (!worker.failed_runs.empty() && now >= worker.cancel_at) cancel_failed(name, worker);
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
