#include "worker/server.h"

#include <algorithm>
#include <utility>

#include "worker/consent.h"

namespace curia {
namespace {

constexpr std::int64_t kMaxLeaseMs = 3'600'000;
constexpr std::int64_t kMinLeaseMs = 1'000;

}  // namespace

Server::Server(Parts& parts, ControlServer& control, ServerOptions options)
    : parts_(parts), control_(control), options_(std::move(options)) {}

void Server::start() { control_.start(*this); }

Server::~Server() = default;

void Server::stop() {
  std::unique_lock lock(stop_mutex_);
  stopping_ = true;
  control_.wake();
  stopped_.wait(lock, [this] { return idle_; });
}

void Server::on_frames(ConnId conn, const std::string& principal, Frames frames) {
  Peer& peer = conns_[conn];
  peer.principal = principal;
  std::vector<Packet> packets;
  try {
    if (!frames.payload.empty()) throw Error(Code::kInvalid, "expected one frame a message");
    packets = split_packets(frames.head);
  } catch (const Error& error) {
    ++parts_.counters.refused_messages;
    options_.log("refused a message of " + principal + ": " + error.message());
    note_refused(principal, {}, error);
    fail(conn, {}, error);
    control_.drop(conn);
    conns_.erase(conn);
    return;
  }
  for (const Packet& packet : packets) {
    // One that asked for more than it reads: the rest of its message would be work for nothing.
    if (!control_.reachable(conn)) return;
    try {
      handle(conn, peer, packet);
    } catch (const Error& error) {
      note_refused(principal, packet.header, error);
      fail(conn, packet.header, error);
    }
  }
}

void Server::on_gone(ConnId conn, const std::string&) { conns_.erase(conn); }

void Server::handle(ConnId conn, Peer& peer, const Packet& packet) {
  const auto kind = static_cast<Kind>(packet.header.kind);
  if (kind == Kind::kHello) return hello(conn, peer, packet);
  if (!peer.greeted) throw Error(Code::kInvalid, "expected hello before anything else");
  if (is_ordered(kind)) return ordered(conn, peer, packet);
  switch (kind) {
    case Kind::kOpen:
      return open(conn, peer, packet);
    case Kind::kHeartbeat:
      return heartbeat(conn, peer, packet);
    case Kind::kClose:
      return close(conn, peer, packet);
    case Kind::kCancel:
      return cancel(conn, peer, packet);
    case Kind::kFetch:
      return fetch(conn, peer, packet);
    case Kind::kDescribe:
      return describe(conn, peer, packet);
    case Kind::kList:
      return list(conn, peer, packet);
    case Kind::kStats:
      return stats(conn, peer, packet);
    case Kind::kStatus:
      return status(conn, peer, packet);
    case Kind::kDial:
      return dial(conn, peer, packet);
    case Kind::kConsent:
      return consent(conn, peer, packet);
    case Kind::kCheck:
      return check(conn, peer, packet);
    case Kind::kGrants:
      return grants(conn, peer, packet);
    default:
      ++parts_.counters.refused_messages;
      throw Error(Code::kUnimplemented,
                  "unknown kind of request " + std::to_string(packet.header.kind));
  }
}

void Server::hello(ConnId conn, Peer& peer, const Packet& packet) {
  const auto request = decode<HelloRequest>(packet.metadata);
  if (request.min_version > kVersion || request.max_version < kVersion) {
    throw Error(Code::kVersion, "this worker speaks version " + std::to_string(kVersion) +
                                    ", the caller " + std::to_string(request.min_version) + " to " +
                                    std::to_string(request.max_version) +
                                    "; use builds of the same version");
  }
  for (const std::string& feature : request.features) {
    throw Error(Code::kVersion,
                "this worker does not have the required feature \"" + feature + "\"");
  }
  peer.greeted = true;
  HelloReply answer;
  answer.party = parts_.party;
  answer.version = kVersion;
  answer.epoch = parts_.epoch;
  answer.data_port = options_.dialer == nullptr ? 0 : options_.dialer->port();
  reply(conn, packet.header, kReply, encode(answer));
}

void Server::open(ConnId conn, const Peer& peer, const Packet& packet) {
  const auto request = decode<OpenRequest>(packet.metadata);
  if (!parts_.policy.get()->drivers.contains(peer.principal)) {
    throw Error(Code::kDenied, peer.principal + " is not among the drivers of " + parts_.party);
  }
  const SessionId& id = packet.header.session;
  if (id == SessionId{}) throw Error(Code::kInvalid, "a session needs a name of 16 random bytes");
  auto at = sessions_.find(id);
  const bool mine = at != sessions_.end() && at->second.session->driver() == peer.principal;
  // The reply was lost, so the process that opened or resumed the session asks again.
  const bool again = mine && request.process != 0 &&
                     request.process == at->second.session->process() &&
                     request.generation + 1 == at->second.generation;
  if (again) {
    // As it is.
  } else if (request.generation == 0) {
    if (at != sessions_.end() && !(mine && at->second.session->conn() == conn)) {
      throw Error(Code::kSessionOver, "a session of this name exists; choose a fresh one");
    }
    if (at == sessions_.end()) {
      if (is_stopping()) throw Error(Code::kWorkerLost, parts_.party + " is stopping");
      if (static_cast<std::int64_t>(sessions_.size()) >= kMaxSessions) {
        throw Error(Code::kQuota, "this worker holds " + std::to_string(kMaxSessions) +
                                      " sessions; try again when one has ended");
      }
      const auto own = std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
        return entry.second.session->driver() == peer.principal;
      });
      if (own >= kMaxSessionsOfDriver) {
        throw Error(Code::kQuota, peer.principal + " has " + std::to_string(own) + " sessions at " +
                                      parts_.party + "; close one, or wait until its lease ends");
      }
      Held fresh;
      fresh.session = std::make_shared<WorkerSession>(parts_, peer.principal, id,
                                                      [this](ConnId to, std::string frame) {
                                                        control_.send(to, {std::move(frame), {}});
                                                      });
      at = sessions_.emplace(id, std::move(fresh)).first;
      options_.log("session " + session_hex(id).substr(0, 8) + " of " + peer.principal + " opened");
      note(AuditKind::kSessionOpened, peer.principal, session_hex(id), {});
    }
  } else {
    if (!mine || at->second.generation != request.generation) {
      throw Error(Code::kSessionOver, "this session has ended, or another process of " +
                                          peer.principal + " resumed it");
    }
    ++at->second.generation;
    note(AuditKind::kSessionOpened, peer.principal, session_hex(id),
         {{"resumed", std::to_string(at->second.generation)}});
  }
  Held& held = at->second;
  held.session->attach(conn, request.process);
  const std::int64_t wanted = request.lease_ms == 0 ? parts_.lease_ms : request.lease_ms;
  held.lease = std::chrono::milliseconds(
      std::clamp(wanted, std::min(kMinLeaseMs, parts_.lease_ms), kMaxLeaseMs));
  held.lease_end = Clock::now() + held.lease;
  OpenReply answer;
  answer.generation = held.generation;
  answer.next_sequence = held.next_sequence;
  answer.next_task = held.last_task + 1;
  answer.lease_ms = static_cast<std::uint32_t>(held.lease.count());
  reply(conn, packet.header, kReply, encode(answer));
}

bool Server::is_stopping() {
  const std::lock_guard lock(stop_mutex_);
  return stopping_;
}

Server::Held& Server::held(ConnId conn, const Peer& peer, const Header& header) {
  if (header.epoch != parts_.epoch) {
    throw Error(Code::kStaleEpoch, parts_.party + " was restarted (epoch " +
                                       std::to_string(parts_.epoch) + ", the request is of " +
                                       std::to_string(header.epoch) + "); open a new session");
  }
  const auto at = sessions_.find(header.session);
  if (at == sessions_.end() || at->second.session->driver() != peer.principal ||
      at->second.session->conn() != conn) {
    // Not that it is over: the driver goes on with it when this worker has started again.
    if (is_stopping()) throw Error(Code::kWorkerLost, parts_.party + " is stopping");
    throw Error(Code::kSessionOver, "this session is over at " + parts_.party + "; open a new one");
  }
  at->second.lease_end = Clock::now() + at->second.lease;
  return at->second;
}

void Server::close(ConnId conn, const Peer& peer, const Packet& packet) {
  held(conn, peer, packet.header);
  end(sessions_.find(packet.header.session), Error(Code::kSessionOver, "the session was closed"));
  reply(conn, packet.header, kReply, encode(Nothing{}));
}

void Server::heartbeat(ConnId conn, const Peer& peer, const Packet& packet) {
  HeartbeatReply answer;
  if (packet.header.session != SessionId{}) {
    Held& session = held(conn, peer, packet.header);
    session.session->acknowledge(packet.header.acked);
    answer.next_sequence = session.next_sequence;
  }
  reply(conn, packet.header, kReply, encode(answer));
}

void Server::ordered(ConnId conn, const Peer& peer, const Packet& packet) {
  Held& session = held(conn, peer, packet.header);
  const std::uint64_t sequence = packet.header.sequence;
  if (sequence == 0) throw Error(Code::kInvalid, "this request needs a sequence number");
  session.session->acknowledge(packet.header.acked);
  if (sequence < session.next_sequence) return session.session->resend(sequence);
  // A gap: what is missing was lost; the heartbeat's reply tells the driver where to begin again.
  if (sequence > session.next_sequence) return;
  // The driver has every earlier reply, so it waits for this one rather than streams.
  const bool waits = packet.header.acked == sequence;
  const bool run = static_cast<Kind>(packet.header.kind) == Kind::kRun;
  if (!(run && waits && session.session->try_inline(packet.header, packet.metadata))) {
    session.session->enqueue(packet.header, packet.metadata);
  }
  ++session.next_sequence;
  if (run && packet.metadata.size() >= 8) {
    std::uint64_t task = 0;
    std::copy_n(packet.metadata.data(), sizeof(task), reinterpret_cast<char*>(&task));
    session.last_task = std::max(session.last_task, task);
  }
}

void Server::cancel(ConnId conn, const Peer& peer, const Packet& packet) {
  const auto request = decode<CancelRequest>(packet.metadata);
  held(conn, peer, packet.header).session->cancel(request.task);
  reply(conn, packet.header, kReply, encode(Nothing{}));
}

void Server::dial(ConnId conn, const Peer& peer, const Packet& packet) {
  const auto request = decode<DialRequestMessage>(packet.metadata);
  if (options_.dialer == nullptr) {
    throw Error(Code::kUnimplemented, "this worker has no data port");
  }
  std::string name = peer.principal;
  if (request.session != SessionId{}) {
    const Held& session = held(conn, peer, packet.header);
    if (request.session != packet.header.session) {
      throw Error(Code::kInvalid, "a data connection is dialled within its own session");
    }
    name = session.session->driver_link();
  } else if (!options_.parties.contains(peer.principal)) {
    throw Error(Code::kDenied, peer.principal + " is not among the parties of " + parts_.party);
  }
  const DialGrant grant = options_.dialer->grant(name, {request.secret});
  reply(conn, packet.header, kReply,
        encode(DialReplyMessage{grant.token, grant.secret, options_.dialer->port()}));
}

void Server::consent(ConnId conn, const Peer& peer, const Packet& packet) {
  const auto request = decode<ConsentRequest>(packet.metadata);
  if (!options_.parties.contains(peer.principal)) {
    throw Error(Code::kDenied, peer.principal + " is not among the parties of " + parts_.party);
  }
  answer_consent(
      parts_, peer.principal, request,
      [this, conn, header = packet.header, asker = peer.principal](const ConsentReply& answer) {
        for (std::size_t i = 0; i < answer.allowed.size(); ++i) {
          if (answer.allowed[i] == 0) {
            options_.log("consent refused to " + asker + ": " + answer.reasons[i]);
          }
        }
        reply(conn, header, kReply, encode(answer));
      });
}

// What a consent would say, without being one: a driver hears it from a run of the program too.
void Server::check(ConnId conn, const Peer& peer, const Packet& packet) {
  const auto request = decode<ConsentRequest>(packet.metadata);
  const std::shared_ptr<const Policy> policy = parts_.policy.get();
  if (!policy->drivers.contains(peer.principal)) {
    throw Error(Code::kDenied, peer.principal + " is not among the drivers of " + parts_.party);
  }
  // Whose sessions an approval covers, and whether it is used up, is nobody else's business.
  if (request.principal != peer.principal) {
    throw Error(Code::kDenied, "a driver asks what holds in its own sessions only");
  }
  for (const ConsentItem& item : request.items) {
    if (item.recipient == peer.principal || !policy->drivers.contains(item.recipient)) continue;
    throw Error(Code::kDenied, "a driver asks what may go to itself and to parties only");
  }
  reply(conn, packet.header, kReply, encode(foresee_consent(parts_, request)));
}

void Server::reply(ConnId conn, const Header& header, std::uint16_t flags,
                   std::string_view metadata) {
  if (static_cast<std::int64_t>(metadata.size()) > kMaxMetadata) {
    return fail(conn, header,
                Error(Code::kQuota, "the answer takes " + std::to_string(metadata.size()) +
                                        " bytes on the control plane, expected at most " +
                                        std::to_string(kMaxMetadata)));
  }
  Header answer = header;
  answer.magic = kMagic;
  answer.version = kVersion;
  answer.kind = static_cast<std::uint16_t>(header.kind | flags);
  answer.epoch = parts_.epoch;
  std::string frame;
  append_packet(frame, answer, metadata);
  control_.send(conn, {std::move(frame), {}});
}

void Server::fail(ConnId conn, const Header& header, const Error& error) {
  reply(conn, header, kReply | kFailure, encode(WireError(error.at_party(parts_.party))));
}

void Server::end(std::map<SessionId, Held>::iterator at, const Error& why) {
  options_.log("session " + session_hex(at->first).substr(0, 8) + " of " +
               at->second.session->driver() + " ended: " + why.message());
  note(AuditKind::kSessionClosed, at->second.session->driver(), session_hex(at->first),
       {{"why", why.message()}});
  at->second.session->close(why);
  closing_.push_back(std::move(at->second.session));
  sessions_.erase(at);
}

void Server::on_tick() {
  const auto now = Clock::now();
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const auto here = at++;
    if (now >= here->second.lease_end) {
      end(here, Error(Code::kSessionOver, "the lease of the session ended without a heartbeat"));
    }
  }
  end_strangers();
  const std::lock_guard lock(stop_mutex_);
  if (stopping_) {
    while (!sessions_.empty()) {
      end(sessions_.begin(), Error(Code::kSessionOver, "the worker is stopping"));
    }
  }
  std::erase_if(closing_, [](const std::shared_ptr<WorkerSession>& session) {
    return session->finished() && session.use_count() == 1;
  });
  if (stopping_ && closing_.empty()) {
    idle_ = true;
    stopped_.notify_all();
  }
}

// Sessions of drivers that a new policy does not name any more.
void Server::end_strangers() {
  const std::shared_ptr<const Policy> policy = parts_.policy.get();
  if (policy == policy_) return;
  policy_ = policy;
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const auto here = at++;
    const std::string& driver = here->second.session->driver();
    if (policy->drivers.contains(driver)) continue;
    end(here,
        Error(Code::kSessionOver, driver + " is no longer among the drivers of " + parts_.party));
  }
}

void Server::note(AuditKind kind, const std::string& principal, const std::string& session,
                  std::vector<AuditField> fields, std::uint64_t task) {
  if (parts_.audit == nullptr) return;
  AuditRecord record;
  record.kind = kind;
  record.principal = principal;
  record.session = session;
  record.task = task;
  record.fields = std::move(fields);
  parts_.audit->note(std::move(record));
}

void Server::note_refused(const std::string& principal, const Header& header, const Error& error) {
  if (parts_.audit == nullptr) return;
  AuditRecord record;
  record.kind = AuditKind::kRefused;
  record.principal = principal;
  record.session = header.session == SessionId{} ? "" : session_hex(header.session);
  record.fields = {{"request", std::string(kind_name(static_cast<Kind>(header.kind)))}};
  add_failure(record, error);
  parts_.audit->note(std::move(record));
}

}  // namespace curia
