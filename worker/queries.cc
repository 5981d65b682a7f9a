// The requests of a driver that read: fetch, describe, stats, status; lists are in
// queries_list.cc. They never queue behind
// runs; a fetch or describe of something that is still being computed waits for it.
#include <algorithm>
#include <utility>

#include "protocol/memory.h"
#include "protocol/value_bytes.h"
#include "store/quota_books.h"
#include "worker/consent.h"
#include "worker/release_rules.h"
#include "worker/server.h"

namespace curia {
namespace {

// Every object that is not the caller's own answers with these words, whether it exists or not.
Error not_found(const std::string& uri) {
  return Error(Code::kNotFound, "no object " + uri + " in this session");
}

// A failure that depends on nobody's data. One that has a label is treated like any other value.
bool failed_openly(const Object& object) {
  return object.value->is_error() && object.meta->label->sources.empty();
}

// The link holds what it sends until it is acknowledged. Until then it counts against the quota,
// whatever becomes of the object.
std::vector<Slice> counted_until_sent(std::vector<Slice> parts, const Object& object) {
  using Both = std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>;
  for (Slice& part : parts) {
    const auto both = std::make_shared<const Both>(std::move(part.owner), object.charge);
    part.owner = std::shared_ptr<const void>(both, part.data);
  }
  return parts;
}

DescribeReply description(const Object& object) {
  const ObjectMeta& meta = *object.meta;
  DescribeReply answer;
  answer.type = meta.type;
  answer.label = meta.label->str();
  answer.lineage = meta.lineage.id;
  answer.state = failed_openly(object) ? "failed" : "ready";
  answer.program = meta.program.empty() ? "" : meta.program.hex();
  answer.output = meta.output;
  answer.ranges = meta.ranges;
  if (failed_openly(object)) answer.error = WireError(std::get<Error>(object.value->form));
  if (meta.type.is_secret() ||
      (meta.type.is_tensor() && byte_count(meta.type.tensor()) != kUnknown)) {
    answer.bytes = static_cast<std::uint64_t>(held_bytes(meta.type));
  }
  return answer;
}

GrantInfo info_of(const Grant& grant, const Parts& parts) {
  GrantInfo info{grant.source,
                 grant.to,
                 {grant.members.begin(), grant.members.end()},
                 grant.protocol,
                 {grant.programs.begin(), grant.programs.end()},
                 {grant.releases.begin(), grant.releases.end()},
                 grant.until ? time_text(*grant.until) : "",
                 static_cast<std::uint64_t>(grant.times)};
  if (grant.times != 0) info.used = static_cast<std::uint64_t>(parts.uses.used(grant.id()));
  return info;
}

GrantInfo info_of(const Rule& rule, const Parts& parts) {
  GrantInfo info;
  info.source = rule.source;
  info.to = rule.to;
  info.epsilon = rule.epsilon;
  info.delta = rule.delta;
  const Charge spent = parts.budgets.spent(rule.source, rule.to);
  info.spent_epsilon = spent.epsilon;
  info.spent_delta = spent.delta;
  return info;
}

GrantInfo info_of(const Approval& approval, const ApprovedRelease& release,
                  const std::string& source, const Parts& parts) {
  GrantInfo info;
  info.source = source;
  info.to = release.to;
  info.members = {release.members.begin(), release.members.end()};
  info.protocol = release.protocol;
  info.until = time_text(approval.until);
  info.times = static_cast<std::uint64_t>(approval.times);
  info.approval = approval.id();
  info.used = static_cast<std::uint64_t>(parts.approval_uses.used(info.approval));
  info.what = release.what;
  return info;
}

}  // namespace

// Errors: kUnimplemented, saying so, where objects of this scheme cannot be.
void Server::check_store(const Uri& uri) const { parts_.store->backend(uri.scheme()); }

void Server::fetch(ConnId conn, const Peer& peer, const Packet& packet) {
  const auto request = decode<FetchRequest>(packet.metadata);
  const std::shared_ptr<WorkerSession> session = held(conn, peer, packet.header).session;
  const Uri uri = Uri::parse(request.uri);
  ++parts_.counters.fetches;
  check_store(uri);
  if (auto object = session->find_at_hand(uri)) {
    return deliver(conn, packet.header, session, *object);
  }
  session->when_ready(
      uri, request.after,
      [this, conn, header = packet.header, session, uri](std::optional<Object> object) {
        if (object) {
          deliver(conn, header, session, *object);
        } else {
          const Error error = not_found(uri.str());
          note_refused(session->driver(), header, error);
          fail(conn, header, error);
        }
      });
}

void Server::deliver(ConnId conn, const Header& header,
                     const std::shared_ptr<WorkerSession>& session, const Object& object) {
  if (failed_openly(object)) {
    note_fetch(*session, object, "failed");
    return fail(conn, header, std::get<Error>(object.value->form));
  }
  const ReleaseContext context{session->driver(), session_hex(session->id()), object.meta->task,
                               object.meta->lineage.id};
  const std::vector<ReleaseWish> wishes = {{object.meta->label,
                                            session->driver(),
                                            object.meta->program,
                                            object.meta->output,
                                            kNoOp,
                                            {},
                                            object.meta->lineage}};
  parts_.rules->ask(parts_, context, wishes,
                    [this, conn, header, session, object](const std::string& refused) {
                      if (!refused.empty()) {
                        ++parts_.counters.denied;
                        note_fetch(*session, object, "denied");
                        options_.log("fetch by " + session->driver() + " refused: " + refused);
                        return fail(conn, header, Error(Code::kDenied, refused));
                      }
                      // After a reconnect the driver has asked again; another process did not ask.
                      if (session->conn() != conn) return;
                      note_fetch(*session, object, "allowed");
                      try {
                        release_to_driver(conn, header, *session, object);
                      } catch (const Error& error) {
                        fail(conn, header, error);
                      }
                    });
}

// The names of what was fetched, by which the consents before it are found.
void Server::note_fetch(const WorkerSession& session, const Object& object, const char* answer) {
  note(AuditKind::kFetch, session.driver(), session_hex(session.id()),
       {{"answer", answer},
        {"release", object.meta->output},
        {"program", object.meta->program.empty() ? "" : object.meta->program.hex()},
        {"lineage", object.meta->lineage.id.hex()}},
       object.meta->task);
}

void Server::release_to_driver(ConnId conn, const Header& header, WorkerSession& session,
                               const Object& object) {
  const ValuePtr kept =
      parts_.copies.of(object.value, parts_.store->backend("mem"), account_for(*object.meta));
  const Value& value = *kept;
  ValueBytes bytes = value.is_share() ? share_part_bytes(value.share()) : value_bytes(value);
  FetchReply answer;
  answer.head = bytes.head;
  answer.bytes = static_cast<std::uint64_t>(bytes.bytes);
  answer.bulk = bytes.bytes > kInlineBytes;
  bool moved = true;
  if (!answer.bulk) {
    for (const Slice& part : bytes.body) {
      answer.body.append(reinterpret_cast<const char*>(part.data),
                         static_cast<std::size_t>(part.size));
    }
  } else if (moved = session.begin_bulk(header.request); moved) {
    session.driver_lane(LaneUse::kFetches, conn)
        ->send({header.request, 0, 0}, Slice(), counted_until_sent(std::move(bytes.body), object));
  }
  if (moved && !object.meta->hidden) parts_.counters.bytes_to_driver += bytes.bytes;
  reply(conn, header, kReply, encode(answer));
}

void Server::describe(ConnId conn, const Peer& peer, const Packet& packet) {
  const auto request = decode<DescribeRequest>(packet.metadata);
  const std::shared_ptr<WorkerSession> session = held(conn, peer, packet.header).session;
  DescribeReply answer;
  if (!request.dataset.empty()) {
    const auto found = parts_.datasets.find(request.dataset);
    if (found == parts_.datasets.end()) {
      throw Error(Code::kNotFound, "no dataset \"" + request.dataset + "\" at " + parts_.party +
                                       "; `curia ls` lists them");
    }
    answer.type = found->second.type;
    answer.label = "{" + parts_.party + "/" + request.dataset + "}";
    answer.lineage = found->second.lineage;
    answer.state = "ready";
    answer.ranges = found->second.ranges;
    return reply(conn, packet.header, kReply, encode(answer));
  }
  const Uri uri = Uri::parse(request.uri);
  check_store(uri);
  const auto describe_it = [this, conn, header = packet.header, session, uri,
                            lineage = request.lineage](const std::optional<Object>& object) {
    auto made = lineage ? session->made(uri.str()) : std::nullopt;
    if (!object && !made) return false;
    DescribeReply known = object ? description(*object) : std::move(*made);
    if (object && made) known.made = std::move(made->made);
    reply(conn, header, kReply, encode(known));
    return true;
  };
  const auto at_hand = session->find_at_hand(uri);
  if (at_hand && describe_it(at_hand)) return;
  session->when_ready(uri, request.after,
                      [this, conn, header = packet.header, session, uri,
                       describe_it](const std::optional<Object>& object) {
                        if (describe_it(object)) return;
                        const Error error = not_found(uri.str());
                        note_refused(session->driver(), header, error);
                        fail(conn, header, error);
                      });
}

void Server::stats(ConnId conn, const Peer&, const Packet& packet) {
  StatsReply answer;
  const auto add = [&answer](const std::string& name, std::int64_t value) {
    answer.entries.push_back({name, value});
  };
  const Counters& counters = parts_.counters;
  // Nothing that depends on the data: what is hidden in the memory's other account stays there.
  const BackendStats memory = parts_.store->backend("mem").stats();
  add("epoch", static_cast<std::int64_t>(parts_.epoch));
  add("sessions", static_cast<std::int64_t>(sessions_.size()));
  add("objects", memory.objects);
  add("memory_bytes", memory.open.bytes);
  add("memory_reserved_bytes", memory.open.reserved_bytes);
  add("memory_quota_bytes", memory.open.quota_bytes);
  add("spilled_objects", memory.spilled_objects);
  add("spilled_bytes", memory.spilled_bytes);
  add("runs", counters.runs);
  add("failed_runs", counters.failed_runs);
  add("puts", counters.puts);
  add("fetches", counters.fetches);
  add("denied", counters.denied);
  add("refused_messages", counters.refused_messages);
  if (options_.dialer != nullptr) add("data_port", options_.dialer->port());
  add("data_bytes_to_driver", counters.bytes_to_driver);
  add("data_bytes_from_driver", counters.bytes_from_driver);
  add("mpc_rounds", counters.mpc_rounds);
  add("mpc_bytes", counters.mpc_bytes);
  if (parts_.audit != nullptr) {
    const AuditStats audit = parts_.audit->stats();
    add("consents", audit.consents);
    add("audit_records", audit.records);
    add("audit_syncs", audit.syncs);
  }
  for (const auto& [party, traffic] : parts_.traffic.totals()) {
    add("data_bytes_to/" + party, traffic.sent_bytes);
    add("data_bytes_from/" + party, traffic.received_bytes);
  }
  reply(conn, packet.header, kReply, encode(answer));
}

void Server::grants(ConnId conn, const Peer& peer, const Packet& packet) {
  const auto request = decode<GrantsRequest>(packet.metadata);
  const std::shared_ptr<const Policy> policy = parts_.policy.get();
  GrantsReply answer;
  std::int64_t bytes = 0;
  std::uint32_t number = 0;
  // False when the page is full.
  const auto add = [&](const auto& make) {
    if (number++ < request.from) return true;
    GrantInfo info = make();
    bytes += std::ssize(encode(GrantsReply{{info}, false}));
    answer.more = !answer.grants.empty() && bytes > kListBytes;
    if (!answer.more) answer.grants.push_back(std::move(info));
    return !answer.more;
  };
  for (const Grant& grant : policy->grants) {
    if (grant.to != peer.principal && !grant.members.contains(peer.principal)) continue;
    if (!add([&] { return info_of(grant, parts_); })) break;
  }
  for (const Rule& rule : policy->rules) {
    if (answer.more) break;
    if (rule.to == peer.principal) add([&] { return info_of(rule, parts_); });
  }
  for (const Approval& approval : policy->approvals) {
    for (const ApprovedRelease& release : approval.releases) {
      if (approval.driver != peer.principal && release.to != peer.principal &&
          !release.members.contains(peer.principal)) {
        continue;
      }
      for (const std::string& source : release.sources) {
        if (answer.more) break;
        add([&] { return info_of(approval, release, source, parts_); });
      }
    }
  }
  reply(conn, packet.header, kReply, encode(answer));
}

void Server::status(ConnId conn, const Peer& peer, const Packet& packet) {
  StatusReply answer;
  answer.party = parts_.party;
  answer.epoch = parts_.epoch;
  answer.uptime_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_).count());
  answer.sessions = static_cast<std::uint32_t>(sessions_.size());
  for (const auto& [id, held] : sessions_) answer.queued += held.session->queued();
  for (WaitInfo& wait : parts_.waits.waits(std::chrono::seconds(1))) {
    // What another principal's program does is not the caller's business, but that it waits is.
    const bool mine = std::any_of(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
      return entry.second.session->driver() == peer.principal &&
             session_hex(entry.first) == wait.session;
    });
    if (!mine) {
      wait.op.clear();
      wait.site = {};
      wait.session.clear();
      wait.task = 0;
    }
    answer.waits.push_back(std::move(wait));
    if (answer.waits.size() == 64) break;
  }
  if (options_.peers != nullptr) {
    answer.peers_up = options_.peers->up();
    answer.peers_down = options_.peers->down();
  }
  reply(conn, packet.header, kReply, encode(answer));
}

}  // namespace curia
