#include "driver/connection.h"

#include <algorithm>
#include <cstring>
#include <ranges>
#include <utility>

#include "protocol/list_text.h"

namespace curia {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCloseTimeout{2'000};
constexpr milliseconds kDialTimeout{2'000};
// Releases wait for the next tick (100 ms) unless they free more than this.
constexpr std::int64_t kSoonBytes = 1 << 20;
constexpr std::size_t kFlushBytes = 48 << 10;

SessionId random_session() {
  SessionId id{};
  random_bytes(id);
  return id;
}

std::uint64_t random_number() {
  std::uint64_t number = 0;
  random_bytes({reinterpret_cast<std::uint8_t*>(&number), sizeof(number)});
  return number;
}

}  // namespace

DriverConnection::DriverConnection(Wiring wiring, ConnectionOptions options)
    : wiring_(std::move(wiring)),
      control_(*wiring_.control),
      options_(std::move(options)),
      session_(options_.resume ? options_.resume->id : random_session()),
      process_(random_number()) {
  if (wiring_.workers.empty()) throw Error(Code::kInvalid, "a cluster has at least one worker");
  const auto now = Clock::now();
  for (const auto& [name, address] : wiring_.workers) {
    Worker& worker = workers_[name];
    worker.address = address;
    worker.down_since = now;
    if (!options_.resume) continue;
    const auto known = options_.resume->workers.find(name);
    if (known == options_.resume->workers.end()) continue;
    worker.epoch = known->second.epoch;
    worker.generation = known->second.generation;
    // Request ids are never reused in a session: each generation has its own range of them.
    next_request_ = std::max(next_request_, (worker.generation << 32) + 1);
  }
  if (!options_.tool) {
    SessionLink made = wiring_.make_link(driver_peer(session_, process_));
    link_ = std::move(made.link);
    dialer_ = made.dialer;
  }
  control_.start(*this);
}

DriverConnection::~DriverConnection() {
  close();
  wiring_.control.reset();  // ends the callbacks
}

std::vector<std::string> DriverConnection::workers() const {
  std::vector<std::string> names;
  for (const auto& [name, address] : wiring_.workers) names.push_back(name);
  return names;
}

const DriverConnection::Worker& DriverConnection::find(const std::string& name) const {
  const auto found = workers_.find(name);
  if (found != workers_.end()) return found->second;
  throw Error(Code::kInvalid, "there is no party \"" + name + "\" in this cluster; there is " +
                                  list_text(std::views::keys(workers_)));
}

DriverConnection::Worker& DriverConnection::find(const std::string& name) {
  return const_cast<Worker&>(std::as_const(*this).find(name));  // NOLINT: ours, and not const
}

std::uint64_t DriverConnection::last_restart(const std::string& name) const {
  if (restarts_ == 0) return 0;
  const std::lock_guard lock(mutex_);
  return find(name).last_restart;
}

void DriverConnection::wait_up() {
  std::unique_lock lock(mutex_);
  ++waiting_;
  changed_.wait(lock, [this] {
    return std::all_of(workers_.begin(), workers_.end(), [](const auto& entry) {
      return entry.second.state == State::kUp || entry.second.state == State::kLost;
    });
  });
  --waiting_;
  for (const auto& [name, worker] : workers_) {
    if (worker.lost != nullptr) throw *worker.lost;
  }
}

Header DriverConnection::header(const Worker& worker, Kind kind) const {
  Header header;
  header.kind = static_cast<std::uint16_t>(kind);
  header.epoch = worker.epoch;
  header.acked = worker.first_sequence;
  if (!options_.tool) header.session = session_;
  return header;
}

void DriverConnection::push(Worker& worker, const std::string& packet) {
  if (worker.state != State::kUp) return;  // resume() sends it
  const bool was_empty = worker.outbox.empty();
  worker.outbox += packet;
  const bool full = worker.outbox.size() > kFlushBytes;
  if (full) seal(worker);
  if (full || was_empty) control_.wake();
}

void DriverConnection::seal(Worker& worker) {
  if (!worker.outbox.empty()) worker.sealed.push_back(std::exchange(worker.outbox, {}));
}

void DriverConnection::flush(Worker& worker) {
  seal(worker);
  for (std::string& frame : worker.sealed) control_.send(worker.conn, {std::move(frame), {}});
  worker.sealed.clear();
}

std::uint64_t DriverConnection::add(Worker& worker, Kind kind, std::string_view metadata,
                                    Done done) {
  if (worker.lost != nullptr) throw *worker.lost;
  const std::int64_t most = kind == Kind::kPrepare ? kMaxPrepareMetadata : kMaxMetadata;
  if (static_cast<std::int64_t>(metadata.size()) > most) {
    throw Error(Code::kInvalid,
                std::string(kind_name(kind)) + " takes " + std::to_string(metadata.size()) +
                    " bytes on the control plane, expected at most " + std::to_string(most) +
                    "; use fewer or shorter names, inputs and outputs");
  }
  Request request;
  request.id = next_request_++;
  request.done = std::move(done);
  Header head = header(worker, kind);
  head.request = request.id;
  const bool ordered = is_ordered(kind);
  if (ordered) head.sequence = worker.first_sequence + worker.ordered.size();
  append_packet(request.packet, head, metadata);
  // A big one gets a frame of its own.
  if (worker.outbox.size() + request.packet.size() > kFlushBytes) seal(worker);
  push(worker, request.packet);
  const std::uint64_t id = request.id;
  if (ordered) {
    worker.ordered.push_back(std::move(request));
    return head.sequence;
  }
  worker.unordered.emplace(id, std::move(request));
  return id;
}

void DriverConnection::wait_for_room(std::unique_lock<std::mutex>& lock, Worker& worker) {
  // What a release frees must be free before the next request asks for memory.
  if (worker.release_bytes > kSoonBytes) send_releases(worker);
  if (static_cast<std::int64_t>(worker.ordered.size()) < kMaxInFlight) return;
  ++waiting_;
  changed_.wait(lock, [&worker] {
    return static_cast<std::int64_t>(worker.ordered.size()) < kMaxInFlight ||
           worker.lost != nullptr;
  });
  --waiting_;
}

std::uint64_t DriverConnection::submit(const std::string& name, Kind kind,
                                       std::string_view metadata, Done done, std::uint64_t known) {
  std::unique_lock lock(mutex_);
  Worker& worker = find(name);
  if (is_ordered(kind)) wait_for_room(lock, worker);
  if (worker.last_restart > known) return 0;
  return add(worker, kind, metadata, std::move(done));
}

bool DriverConnection::submit_all(std::vector<Part> parts, std::uint64_t known) {
  std::unique_lock lock(mutex_);
  for (const Part& part : parts) wait_for_room(lock, find(part.worker));
  for (const Part& part : parts) {
    const Worker& worker = find(part.worker);
    if (worker.lost != nullptr) throw *worker.lost;
    if (worker.last_restart > known) return false;
  }
  for (Part& part : parts) add(find(part.worker), part.kind, part.metadata, std::move(part.done));
  return true;
}

std::uint64_t DriverConnection::last_sequence(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const Worker& worker = find(name);
  return worker.first_sequence + worker.ordered.size() - 1;
}

std::string DriverConnection::call(const std::string& name, Kind kind, std::string_view metadata,
                                   milliseconds timeout, std::uint64_t known) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable ready;
    bool done = false;
    std::string reply;
    std::unique_ptr<Error> error;
  };
  auto answer = std::make_shared<Answer>();
  const std::uint64_t id = submit(
      name, kind, metadata,
      [answer](const std::string* reply, const Error* error) {
        const std::lock_guard lock(answer->mutex);
        answer->done = true;
        if (reply != nullptr) answer->reply = *reply;
        if (error != nullptr) answer->error = std::make_unique<Error>(*error);
        answer->ready.notify_one();
      },
      known);
  if (id == 0) throw restarted_error(name);
  std::unique_lock lock(answer->mutex);
  const auto done = [&answer] { return answer->done; };
  if (timeout == milliseconds::max()) {
    answer->ready.wait(lock, done);
  } else if (!answer->ready.wait_for(lock, timeout, done)) {
    throw Error(Code::kTimeout, name + " gave no answer to " + std::string(kind_name(kind)) +
                                    " within " + std::to_string(timeout.count()) + " ms");
  }
  if (answer->error != nullptr) throw *answer->error;
  return std::move(answer->reply);
}

void DriverConnection::release(const std::string& name, const std::string& uri,
                               std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto found = workers_.find(name);
  if (found == workers_.end() || found->second.lost != nullptr || closing_) return;
  if (!uri.starts_with("mem://")) return;  // what lasts longer than a session is not its to release
  Worker& worker = found->second;
  worker.releases.push_back(uri);
  worker.release_bytes += bytes == kUnknown ? kSoonBytes + 1 : bytes;
  if (static_cast<std::int64_t>(worker.releases.size()) >= kMaxUrisPerMessage) {
    send_releases(worker);
  }
}

void DriverConnection::remove(const std::string& name, const std::string& uri) {
  const std::lock_guard lock(mutex_);
  Worker& worker = find(name);
  if (worker.lost != nullptr) throw *worker.lost;
  add(worker, Kind::kRelease, encode(ReleaseRequest{{uri}}), nullptr);
}

void DriverConnection::send_releases(Worker& worker) {
  if (worker.releases.empty() || worker.lost != nullptr) return;
  worker.release_bytes = 0;
  ReleaseRequest request{std::move(worker.releases)};
  add(worker, Kind::kRelease, encode(request), nullptr);
  worker.releases = std::move(request.uris);
  worker.releases.clear();  // its memory stays for the next
}

void DriverConnection::send_releases() {
  const std::lock_guard lock(mutex_);
  for (auto& [name, worker] : workers_) send_releases(worker);
}

std::shared_ptr<Lane> DriverConnection::bulk_lane(const std::string& name, LaneUse use) {
  auto lane = link_->lane(lane_session(wiring_.driver, session_, use), name);
  if (dialer_ == nullptr) return lane;
  const std::lock_guard lock(mutex_);
  Worker& worker = find(name);
  worker.bulk = true;
  if (Clock::now() > worker.dial_until && !dialer_->connected(name)) dial(name, worker);
  return lane;
}

void DriverConnection::forget_bulk(const std::string& name, std::uint64_t request,
                                   const Error& why) {
  if (request == 0) return;
  try {
    link_->lane(lane_session(wiring_.driver, session_, LaneUse::kFetches), name)
        ->cancel(request, why);
  } catch (const Error&) {
    // The lane is over, and with it what it held.
  }
}

void DriverConnection::dial(const std::string& name, Worker& worker) {
  worker.dial_until = Clock::now() + kDialTimeout;
  const DialOffer offer = dialer_->make_offer();
  add(worker, Kind::kDial, encode(DialRequestMessage{session_, offer.secret}),
      [this, name, offer](const std::string* reply, const Error*) {
        if (reply == nullptr) return;  // tick() tries again
        try {
          const auto granted = decode<DialReplyMessage>(*reply);
          dialer_->dial(name, wiring_.workers.at(name).host, granted.port, offer,
                        {granted.token, granted.secret});
        } catch (const Error&) {
          // No proper answer: tick() tries again.
        }
      });
}

void DriverConnection::drain(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  for (auto& [name, worker] : workers_) send_releases(worker);
  ++waiting_;
  const bool done = changed_.wait_for(lock, timeout, [this] {
    return calling_ == 0 && std::all_of(workers_.begin(), workers_.end(), [](const auto& entry) {
             return entry.second.ordered.empty();
           });
  });
  --waiting_;
  if (!done) {
    throw Error(Code::kTimeout, "the workers have not answered everything within " +
                                    std::to_string(timeout.count()) + " ms");
  }
}

void DriverConnection::detach() {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    closing_ = true;
    const Error over(Code::kSessionOver, "this process has detached from the session");
    for (auto& [name, worker] : workers_) {
      worker.sought = false;
      if (worker.state != State::kLost) lose(name, worker, over, calls);
    }
  }
  for (const auto& call : calls) call();
}

SavedSession DriverConnection::saved() const {
  const std::lock_guard lock(mutex_);
  SavedSession saved{session_, wiring_.driver, {}};
  for (const auto& [name, worker] : workers_) {
    if (worker.generation != 0) saved.workers[name] = {worker.epoch, worker.generation};
  }
  return saved;
}

std::uint64_t DriverConnection::next_task() const {
  const std::lock_guard lock(mutex_);
  return next_task_;
}

void DriverConnection::close() {
  std::vector<std::string> open;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    closing_ = true;
    for (const auto& [name, worker] : workers_) {
      if (worker.state == State::kUp && !options_.tool) open.push_back(name);
    }
  }
  for (const std::string& name : open) {
    try {
      call(name, Kind::kClose, encode(Nothing{}), kCloseTimeout);
    } catch (const Error&) {
      // It is gone already, or its lease will end by itself.
    }
  }
  if (link_ != nullptr) {
    for (const auto use : {LaneUse::kPuts, LaneUse::kFetches}) {
      link_->close(lane_session(wiring_.driver, session_, use));
    }
  }
}

}  // namespace curia
