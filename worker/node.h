// One worker, put together: used by curia-worker over sockets and by the simulation in one process.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "protocol/link/control.h"
#include "protocol/link/dialer.h"
#include "protocol/link/link.h"
#include "store/file_backend.h"
#include "store/s3_backend.h"
#include "worker/audit.h"
#include "worker/kernels/pool.h"
#include "worker/parts.h"
#include "worker/peers.h"
#include "worker/server.h"

namespace curia {

struct NodeOptions {
  std::string party;
  std::uint64_t epoch = 1;
  std::map<std::string, Dataset> datasets;
  Policy policy;
  std::shared_ptr<AuditDisk> audit;       // none: in memory, for as long as the node lives
  std::optional<SigningKey> signing_key;  // of the audit log; none: a new one
  std::int64_t memory_quota_bytes = 0;    // 0: none
  std::int64_t hidden_quota_bytes = 0;    // for sizes that depend on the data; 0: none
  std::int64_t session_quota_bytes = 0;   // of one session in memory_quota_bytes; 0: none
  std::string spill_dir;                  // for what memory has no room for; "": none
  std::int64_t spill_quota_bytes = 0;     // 0: as much as the disk takes
  std::int64_t lease_ms = 30'000;
  std::optional<FileStoreOptions> files;  // none: no fs://
  std::optional<S3StoreOptions> oss;      // none: no oss://
  int helpers = 1;                        // threads of the kernel pool beside the session's own
  std::map<std::string, PeerAddress> peers;
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

class Node {
 public:
  Node(NodeOptions options, std::unique_ptr<ControlServer> control,
       std::unique_ptr<ControlClient> client, std::shared_ptr<Link> link, Dialer* dialer);
  // Ends all sessions and stops all threads.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  std::string endpoint() const { return control_->endpoint(); }
  Parts& parts() { return parts_; }
  // From here on this policy holds. Sessions of drivers that it does not name end. `from`: where it
  // was read. Thread: any.
  void set_policy(Policy policy, const std::string& from);
  // A policy that could not be read; the old one holds.
  void refuse_policy(const std::string& why);

 private:
  ObjectStore store_;
  ThreadPool pool_;
  Parts parts_;
  std::unique_ptr<Audit> audit_;
  std::shared_ptr<Link> link_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<ControlClient> client_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<Server> server_;
};

// A dataset as an immutable snapshot: type with the device set, fresh random lineage.
// Errors: kInvalid where the ranges do not fit it, or a cell is beyond them (see declared.h).
Dataset make_dataset(const std::string& party, Value value, Ranges ranges = {});

}  // namespace curia
