#include "worker/node.h"

#include <algorithm>
#include <utility>

#include "protocol/digest.h"
#include "store/memory_backend.h"
#include "worker/consent.h"
#include "worker/declared.h"

namespace curia {

Node::Node(NodeOptions options, std::unique_ptr<ControlServer> control,
           std::unique_ptr<ControlClient> client, std::shared_ptr<Link> link, Dialer* dialer)
    : pool_(options.helpers),
      link_(std::move(link)),
      control_(std::move(control)),
      client_(std::move(client)) {
  std::unique_ptr<Spill> spill;
  if (!options.spill_dir.empty()) {
    spill = std::make_unique<Spill>(options.spill_dir, options.spill_quota_bytes);
  }
  store_.add(std::make_unique<MemoryBackend>(options.memory_quota_bytes, options.hidden_quota_bytes,
                                             std::move(spill), options.session_quota_bytes));
  if (options.files) {
    auto files = std::make_unique<FileBackend>(*options.files);
    for (const std::string& line : files->report()) options.log("fs: " + line);
    store_.add(std::move(files));
  }
  if (options.oss) {
    auto objects = std::make_unique<S3Backend>(*options.oss);
    for (const std::string& line : objects->report()) options.log("oss: " + line);
    store_.add(std::move(objects));
  }
  ServerOptions server;
  for (const auto& [name, address] : options.peers) server.parties.insert(name);
  peers_ = std::make_unique<Peers>(options.party, std::move(options.peers), *client_, dialer);
  parts_.party = options.party;
  parts_.epoch = options.epoch;
  parts_.store = &store_;
  parts_.link = link_.get();
  parts_.consents = peers_.get();
  parts_.pool = &pool_;
  parts_.datasets = std::move(options.datasets);
  audit_ = std::make_unique<Audit>(
      AuditOptions{options.party, options.epoch, options.log},
      options.audit == nullptr ? std::shared_ptr<AuditDisk>(memory_audit()) : options.audit,
      options.signing_key ? *options.signing_key : SigningKey::generate(),
      [this](const AuditRecord& record) { replay_consent(record, parts_); });
  parts_.audit = audit_.get();
  set_policy(std::move(options.policy), "start");
  parts_.lease_ms = options.lease_ms;
  parts_.log = options.log;
  server.dialer = dialer;
  server.peers = peers_.get();
  server.log = std::move(options.log);
  server_ = std::make_unique<Server>(parts_, *control_, std::move(server));
  server_->start();
  peers_->start();
}

Node::~Node() {
  server_->stop();
  audit_->stop_deciding();
  // No session is left, so nobody sends or asks any more; now the callbacks end, then their owners.
  control_.reset();
  client_.reset();
}

void Node::set_policy(Policy policy, const std::string& from) {
  AuditRecord record;
  record.kind = AuditKind::kPolicy;
  record.fields.push_back({"from", from});
  std::int64_t bytes = 0;
  for (const auto& [driver, key] : policy.drivers) {
    bytes += std::ssize(driver);
    if (bytes > kMaxAuditRecord / 8) break;
    record.fields.push_back({"driver", driver});
  }
  record.fields.push_back({"drivers", std::to_string(policy.drivers.size())});
  bytes = 0;
  for (const Grant& grant : policy.grants) {
    const std::string text = grant.id().hex() + " " + grant.str();
    bytes += std::min(std::ssize(text), kMaxAuditText);
    if (bytes > kMaxAuditRecord / 8) break;
    record.fields.push_back({"grant", text});
  }
  record.fields.push_back({"grants", std::to_string(policy.grants.size())});
  bytes = 0;
  for (const Approval& approval : policy.approvals) {
    bytes += 64;
    if (bytes > kMaxAuditRecord / 8) break;
    record.fields.push_back({"approval", approval.id().hex()});
  }
  record.fields.push_back({"approvals", std::to_string(policy.approvals.size())});
  bytes = 0;
  for (const Rule& rule : policy.rules) {
    const std::string text = rule.str();
    bytes += std::ssize(text);
    if (bytes > kMaxAuditRecord / 8) break;
    record.fields.push_back({"rule", text});
  }
  record.fields.push_back({"rules", std::to_string(policy.rules.size())});
  parts_.policy.set(std::move(policy));
  audit_->note(std::move(record));
  if (server_ != nullptr) control_->wake();
}

void Node::refuse_policy(const std::string& why) {
  AuditRecord record;
  record.kind = AuditKind::kPolicyRefused;
  record.fields = {{"why", why}};
  audit_->note(std::move(record));
}

Dataset make_dataset(const std::string& party, Value value, Ranges ranges) {
  check_declared(value, ranges);
  Dataset dataset;
  dataset.ranges = std::move(ranges);
  dataset.type = value.type();
  dataset.type.device = party;
  dataset.value = std::make_shared<const Value>(std::move(value));
  dataset.lineage = random_digest();
  return dataset;
}

}  // namespace curia
