// What a session stores and releases, and who waits for it.
#include <utility>

#include "protocol/value_bytes.h"
#include "worker/find_object.h"
#include "worker/session.h"

namespace curia {
namespace {

// A time-out of puts whose bytes do not come.
constexpr std::chrono::seconds kPutTimeout{120};

}  // namespace

Error WorkerSession::replaced() {
  return {Code::kSessionOver, "another process of the driver took over before the bytes came"};
}

void WorkerSession::check_is_mem(const Uri& uri) {
  if (uri.scheme() == "mem") return;
  throw Error(Code::kInvalid, "outputs and puts are named mem://; save in the program for others");
}

void WorkerSession::store(const std::string& uri_text, ValuePtr value,
                          std::shared_ptr<const ObjectMeta> meta) {
  const Uri uri = Uri::parse(uri_text);
  check_is_mem(uri);
  put_result(*parts_.store, uri, std::move(value), std::move(meta), 0);
  wake_waiters(uri);
}

void WorkerSession::store_alias(const std::string& uri_text, const std::string& target,
                                const Object& object) {
  const Uri uri = Uri::parse(uri_text), of = Uri::parse(target);
  check_is_mem(uri);
  if (of.scheme() == "mem") {
    try {
      parts_.store->backend("mem").alias(
          std::string(uri.rest()), {driver_, id_},
          {std::string(of.rest()), object.meta, 0, object.version, object.number});
      return wake_waiters(uri);
    } catch (const Error& error) {
      if (error.code() != Code::kNotFound) throw;
    }
  }
  auto meta = std::make_shared<ObjectMeta>(*object.meta);
  meta->session = id_;
  store(uri_text, object.value, std::move(meta));
}

void WorkerSession::wake_waiters(const Uri& uri) {
  if (!has_waiters_) return;
  Waiters woken;
  {
    const std::lock_guard lock(mutex_);
    if (auto node = waiters_.extract(uri.str()); !node.empty()) woken = std::move(node.mapped());
    has_waiters_ = !waiters_.empty();
  }
  if (woken.empty()) return;
  const auto object = find(uri);
  for (auto& [fence, ready_now] : woken) ready_now(object);
}

std::string WorkerSession::put(const Header& header, std::string_view metadata) {
  const auto request = decode<PutRequest>(metadata);
  try {
    return store_put(header, request);
  } catch (const Error& error) {
    // The bytes come all the same, and must not stand in the way of the next put.
    if (const std::lock_guard lock(mutex_); request.bulk && !closed_) {
      parts_.link->lane(put_lane_id_, driver_link())->finish(header.sequence);
    }
    // What uses it later fails with the same cause.
    auto meta = std::make_shared<ObjectMeta>();
    meta->type = request.type;
    meta->label = std::make_shared<const Label>();
    meta->principal = driver_;
    meta->session = id_;
    try {
      store(request.uri, std::make_shared<const Value>(error.at_party(parts_.party)),
            std::move(meta));
    } catch (const Error&) {
      // The name is taken or no name at all: the reply says what went wrong.
    }
    throw;
  }
}

Slice WorkerSession::receive_put(const Header& header, std::int64_t bytes) {
  flush();
  const std::uint64_t sequence = header.sequence;
  std::shared_ptr<Lane> lane;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) throw Error(Code::kSessionOver, "this session is over");
    if (sequence < process_from_) throw replaced();
    lane = parts_.link->lane(put_lane_id_, driver_link());
    receiving_put_ = sequence;
  }
  struct Receiving {
    WorkerSession& session;
    ~Receiving() {
      const std::lock_guard lock(session.mutex_);
      session.receiving_put_ = 0;
    }
  };
  const Receiving receiving{*this};
  const WaitBoard::Pin pin(
      parts_.waits, {parts_.party, "the driver", "put data", session_hex(id_), 0, "put", {}, 0});
  Message message =
      lane->recv({sequence, 0, 0}, bytes, std::chrono::steady_clock::now() + kPutTimeout);
  lane->finish(sequence);
  if (message.body.size != bytes) {
    throw Error(Code::kCorrupt, "the body of a put has another size");
  }
  return std::move(message.body);
}

std::string WorkerSession::store_put(const Header& header, const PutRequest& request) {
  if (request.type.device != parts_.party) {
    throw Error(Code::kInvalid, "this value is placed at " + request.type.device);
  }
  const auto bytes = static_cast<std::int64_t>(request.bytes);
  if (bytes < 0 || bytes > kMaxBodyBytes ||
      (!request.bulk && bytes != static_cast<std::int64_t>(request.body.size()))) {
    throw Error(Code::kInvalid, "the size of a put does not match its body");
  }
  Reservation memory(parts_.store->backend("mem"), bytes, {driver_, id_});
  Slice body = Slice::copy_of(std::string_view(request.body));
  if (request.bulk) body = receive_put(header, bytes);
  ValuePtr value =
      std::make_shared<const Value>(value_from_bytes(request.head, body, request.type));
  auto meta = std::make_shared<ObjectMeta>();
  meta->type = request.type;
  meta->label = put_label_;
  meta->lineage = put_lineage(driver_, request.salt.empty()
                                           ? random_digest()
                                           : put_commitment(request.salt, content_digest(*value)));
  meta->principal = driver_;
  meta->session = id_;
  const Digest lineage = meta->lineage.id;
  memory.release();
  store(request.uri, std::move(value), std::move(meta));
  history_.add_put(request);
  ++parts_.counters.puts;
  parts_.counters.bytes_from_driver += bytes;
  return encode(PutReply{lineage});
}

std::string WorkerSession::release(std::string_view metadata) {
  const auto request = decode<ReleaseRequest>(metadata);
  if (static_cast<std::int64_t>(request.uris.size()) > kMaxUrisPerMessage) {
    throw Error(Code::kInvalid,
                "a release names at most " + std::to_string(kMaxUrisPerMessage) + " objects");
  }
  std::map<std::string_view, std::vector<std::string_view>> keys;  // by scheme, of request.uris
  for (const std::string& text : request.uris) {
    const Uri uri = Uri::parse(text);
    const std::string_view whole = text;
    keys[whole.substr(0, uri.scheme().size())].push_back(
        whole.substr(text.size() - uri.rest().size()));
  }
  for (const auto& [scheme, of_scheme] : keys) {
    parts_.store->backend(scheme).erase_own({driver_, id_}, of_scheme);
  }
  return encode(Nothing{});
}

void WorkerSession::pass_fence(const Job& fence) {
  Waiters::node_type late;
  {
    const std::lock_guard lock(mutex_);
    const auto of_object = waiters_.find(fence.metadata);
    if (of_object == waiters_.end()) return;
    late = of_object->second.extract(fence.fence);
    if (of_object->second.empty()) waiters_.erase(of_object);
    has_waiters_ = !waiters_.empty();
  }
  if (late.empty()) return;
  const Uri uri = Uri::parse(fence.metadata);
  late.mapped()(find(uri));
}

}  // namespace curia
