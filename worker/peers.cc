#include "worker/peers.h"

#include <optional>
#include <utility>

namespace curia {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kRetry{250};
constexpr seconds kBeat{1};
constexpr seconds kSilence{4};  // a peer unheard for longer is down
constexpr seconds kAskTimeout{5};
constexpr milliseconds kDialRetry{500};  // no reply to an offer
constexpr seconds kDialTimeout{2};       // no connection after a reply

}  // namespace

Peers::Peers(std::string party, std::map<std::string, PeerAddress> addresses, ControlClient& client,
             Dialer* dialer)
    : party_(std::move(party)), client_(client), dialer_(dialer) {
  for (auto& [name, address] : addresses) peers_[name].address = std::move(address);
}

void Peers::start() { client_.start(*this); }

void Peers::ask(const std::string& owner, const ConsentRequest& request, Answer answer) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = peers_.find(owner);
    if (found != peers_.end()) {
      const std::uint64_t id = next_request_++;
      Pending pending;
      pending.deadline = Clock::now() + kAskTimeout;
      pending.answer = std::move(answer);
      Header header;
      header.kind = static_cast<std::uint16_t>(Kind::kConsent);
      header.request = id;
      append_packet(pending.frame, header, encode(request));
      if (found->second.up) {
        client_.send(found->second.conn, {pending.frame, {}});
        pending.sent = true;
      }
      found->second.pending.emplace(id, std::move(pending));
      return;
    }
  }
  const Error unknown(Code::kPeerLost, "it is not among the parties this worker knows");
  answer(nullptr, &unknown);
}

std::vector<std::string> Peers::up() const {
  std::vector<std::string> names;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, peer] : peers_) {
    if (peer.up) names.push_back(name);
  }
  return names;
}

std::vector<std::string> Peers::down() const {
  std::vector<std::string> names;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, peer] : peers_) {
    if (!peer.up) names.push_back(name);
  }
  return names;
}

void Peers::send(Peer& peer, Kind kind, std::uint64_t request, std::string_view metadata) {
  Header header;
  header.kind = static_cast<std::uint16_t>(kind);
  header.request = request;
  std::string frame;
  append_packet(frame, header, metadata);
  client_.send(peer.conn, {std::move(frame), {}});
}

void Peers::lose(Peer& peer) {
  if (peer.conn != 0) client_.drop(peer.conn);
  peer.conn = 0;
  peer.up = false;
  peer.retry = Clock::now() + kRetry;
  for (auto& [id, pending] : peer.pending) pending.sent = false;
}

void Peers::on_frames(ConnId conn, const std::string&, Frames frames) {
  std::vector<std::function<void()>> answers;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, peer] : peers_) {
      if (peer.conn != conn) continue;
      peer.heard = Clock::now();
      try {
        for (const Packet& packet : split_packets(frames.head)) {
          on_reply(peer, name, packet, answers);
        }
      } catch (const Error&) {
        lose(peer);  // a peer that cannot speak the protocol is as good as gone
      }
    }
  }
  for (const auto& answer : answers) answer();
}

void Peers::on_reply(Peer& peer, const std::string& name, const Packet& packet,
                     std::vector<std::function<void()>>& answers) {
  const bool failed = (packet.header.kind & kFailure) != 0;
  const auto kind = static_cast<Kind>(packet.header.kind & 0xfff);
  if (failed && kind != Kind::kConsent) throw decode<WireError>(packet.metadata).error();
  if (kind == Kind::kHello) {
    const auto hello = decode<HelloReply>(packet.metadata);
    peer.up = true;
    peer.epoch = hello.epoch;
    peer.data_port = hello.data_port;
    peer.dial_retry = {};
    for (auto& [id, pending] : peer.pending) {
      client_.send(peer.conn, {pending.frame, {}});
      pending.sent = true;
    }
  } else if (kind == Kind::kDial && dialer_ != nullptr) {
    if (packet.header.request != peer.offer_request) return;  // of an older offer
    const auto reply = decode<DialReplyMessage>(packet.metadata);
    peer.dial_retry = Clock::now() + kDialTimeout;
    dialer_->dial(name, peer.address.host, reply.port, peer.offer, {reply.token, reply.secret});
  } else if (kind == Kind::kConsent) {
    // Before the question is forgotten: a malformed answer is none, and it is asked again.
    std::optional<ConsentReply> reply;
    std::optional<Error> error;
    if (failed) {
      error = decode<WireError>(packet.metadata).error();
    } else {
      reply = decode<ConsentReply>(packet.metadata);
    }
    auto node = peer.pending.extract(packet.header.request);
    if (node.empty()) return;
    answers.push_back([answer = std::move(node.mapped().answer), reply = std::move(reply),
                       error = std::move(error)] {
      answer(reply ? &*reply : nullptr, error ? &*error : nullptr);
    });
  }
}

void Peers::on_gone(ConnId conn, const std::string&) {
  const std::lock_guard lock(mutex_);
  for (auto& [name, peer] : peers_) {
    if (peer.conn == conn) lose(peer);
  }
}

void Peers::on_tick() {
  std::vector<std::function<void()>> answers;
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, peer] : peers_) tick(name, peer, now, answers);
  }
  for (const auto& answer : answers) answer();
}

void Peers::tick(const std::string& name, Peer& peer, Clock::time_point now,
                 std::vector<std::function<void()>>& answers) {
  for (auto at = peer.pending.begin(); at != peer.pending.end();) {
    if (now < at->second.deadline) {
      ++at;
      continue;
    }
    answers.push_back([answer = std::move(at->second.answer)] {
      const Error late(Code::kPeerLost, "it gave no answer in time");
      answer(nullptr, &late);
    });
    at = peer.pending.erase(at);
  }
  if (peer.conn != 0 && now - peer.heard > kSilence) lose(peer);
  if (peer.conn == 0) {
    if (now < peer.retry) return;
    peer.conn = client_.connect(name, peer.address.endpoint, peer.address.key);
    peer.heard = now;
    peer.beat = now + kBeat;
    send(peer, Kind::kHello, 0, encode(HelloRequest{}));
    return;
  }
  if (!peer.up) return;
  if (now >= peer.beat) {
    send(peer, Kind::kHeartbeat, 0, encode(Nothing{}));
    peer.beat = now + kBeat;
  }
  if (dialer_ != nullptr && party_ < name && now >= peer.dial_retry && !dialer_->connected(name)) {
    peer.offer = dialer_->make_offer();
    peer.dial_retry = now + kDialRetry;
    peer.offer_request = next_request_++;
    send(peer, Kind::kDial, peer.offer_request, encode(DialRequestMessage{{}, peer.offer.secret}));
  }
}

}  // namespace curia
