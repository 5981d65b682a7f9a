// A worker as the network sees it: answers control messages, owns the sessions and their leases.
//
// Thread: the control endpoint's thread calls it; sessions and consent answers reply through
// ControlServer::send, which is for any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "protocol/link/control.h"
#include "protocol/link/dialer.h"
#include "worker/parts.h"
#include "worker/peers.h"
#include "worker/session.h"

namespace curia {

inline constexpr std::int64_t kListBytes = 48 << 10;  // a page ends where it has so many
inline constexpr std::int64_t kMaxSessions = 256;
inline constexpr std::int64_t kMaxSessionsOfDriver = 64;  // so that one cannot shut the others out

struct ServerOptions {
  std::set<std::string> parties;  // principals that may ask for consent and dial
  Dialer* dialer = nullptr;       // none in the simulation
  Peers* peers = nullptr;         // none in tests of one worker
  // Told once for each event that an operator may want to read; never holds data.
  std::function<void(const std::string& line)> log = [](const std::string&) {};
};

class Server : private ControlEvents {
 public:
  // All outlive the server; `control` is started here.
  Server(Parts& parts, ControlServer& control, ServerOptions options);
  // REQUIRES: stop() was called, or start() was not; `control` is destroyed already.
  ~Server();

  void start();
  // Refuses new sessions, ends those there are and waits until their threads are done. Thread: any
  // but the control endpoint's.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Peer {
    std::string principal;
    bool greeted = false;
  };
  struct Held {
    std::shared_ptr<WorkerSession> session;
    std::uint64_t generation = 1;
    std::uint64_t next_sequence = 1;
    std::uint64_t last_task = 0;
    Clock::time_point lease_end;
    std::chrono::milliseconds lease{0};
  };

  void on_frames(ConnId conn, const std::string& principal, Frames frames) override;
  void on_gone(ConnId conn, const std::string& why) override;
  void on_tick() override;

  void handle(ConnId conn, Peer& peer, const Packet& packet);
  void hello(ConnId conn, Peer& peer, const Packet& packet);
  void open(ConnId conn, const Peer& peer, const Packet& packet);
  void close(ConnId conn, const Peer& peer, const Packet& packet);
  void heartbeat(ConnId conn, const Peer& peer, const Packet& packet);
  void ordered(ConnId conn, const Peer& peer, const Packet& packet);
  void cancel(ConnId conn, const Peer& peer, const Packet& packet);
  void check_store(const Uri& uri) const;
  void fetch(ConnId conn, const Peer& peer, const Packet& packet);
  void describe(ConnId conn, const Peer& peer, const Packet& packet);
  void list(ConnId conn, const Peer& peer, const Packet& packet);
  void stats(ConnId conn, const Peer& peer, const Packet& packet);
  void status(ConnId conn, const Peer& peer, const Packet& packet);
  void dial(ConnId conn, const Peer& peer, const Packet& packet);
  void consent(ConnId conn, const Peer& peer, const Packet& packet);
  void check(ConnId conn, const Peer& peer, const Packet& packet);
  void grants(ConnId conn, const Peer& peer, const Packet& packet);

  bool is_stopping();
  // The session of a packet. Errors: kStaleEpoch; kSessionOver, also for one that never was;
  // kWorkerLost while this worker stops.
  Held& held(ConnId conn, const Peer& peer, const Header& header);
  void deliver(ConnId conn, const Header& header, const std::shared_ptr<WorkerSession>& session,
               const Object& object);
  void release_to_driver(ConnId conn, const Header& header, WorkerSession& session,
                         const Object& object);
  void reply(ConnId conn, const Header& header, std::uint16_t flags, std::string_view metadata);
  void fail(ConnId conn, const Header& header, const Error& error);
  // Into the audit log, where there is one.
  void note(AuditKind kind, const std::string& principal, const std::string& session,
            std::vector<AuditField> fields, std::uint64_t task = 0);
  void note_refused(const std::string& principal, const Header& header, const Error& error);
  void note_fetch(const WorkerSession& session, const Object& object, const char* answer);
  void end_strangers();
  void end(std::map<SessionId, Held>::iterator at, const Error& why);

  Parts& parts_;
  ControlServer& control_;
  const ServerOptions options_;
  const Clock::time_point started_ = Clock::now();
  std::map<ConnId, Peer> conns_;
  std::map<SessionId, Held> sessions_;
  std::vector<std::shared_ptr<WorkerSession>> closing_;
  std::shared_ptr<const Policy> policy_;  // that the sessions were last looked at under
  std::mutex stop_mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  bool idle_ = false;  // stopping, and no session is left
};

}  // namespace curia
