#include "tests/hostile/attempt.h"

#include <chrono>

#include "tests/support/recording.h"

namespace curia {

struct Trial::Recorded {
  std::shared_ptr<Record> record = std::make_shared<Record>();
  std::weak_ptr<Link> link;
  std::string id;
  std::optional<Session> session;
};

Trial::Trial(World& world) : world_(world) {}
Trial::~Trial() { end_sessions(); }

void Trial::end_sessions() {
  for (const auto& recorded : recorded_) recorded->session.reset();
  // The answer tells that it arrived; a worker that was restarted gives none.
  for (const auto& raw : raws_) {
    const Header header = raw->header(Kind::kClose);
    std::string frame;
    append_packet(frame, header, "");
    raw->send(frame);
    raw->recv(std::chrono::milliseconds(100));
  }
  raws_.clear();
}

Session& Trial::session(const std::string& driver) {
  auto& fresh = *recorded_.emplace_back(std::make_unique<Recorded>());
  fresh.session.emplace(recorded_session(world_.cluster(), fresh.record, fresh.link, driver));
  fresh.id = fresh.session->id();
  return *fresh.session;
}

RawDriver& Trial::raw(const std::string& party, const std::string& principal,
                      std::optional<SessionId> id) {
  const ProcessCluster& cluster = world_.cluster();
  RawDriver& raw = *raws_.emplace_back(
      std::make_unique<RawDriver>(cluster.folder() + "/" + principal + ".key",
                                  cluster.control_endpoint(party), cluster.public_key(party)));
  must(!raw.hello().failed(), "hello");
  if (!id) {
    id.emplace();
    random_bytes(*id);
  }
  const bool is_driver = principal == "dora" || principal == "mallory";
  if (is_driver) must(!raw.open(*id).failed(), "open");
  raw_sessions_.insert(session_hex(*id));
  return raw;
}

std::string Trial::call(RawDriver& raw, Kind kind, const std::string& metadata) {
  Header header = raw.header(kind);
  if (is_ordered(kind)) header.sequence = raw.next_sequence++;
  return call(raw, header, metadata);
}

std::string Trial::call(RawDriver& raw, const Header& header, const std::string& metadata) {
  RawReply reply = raw.call(header, metadata);
  saw(reply.metadata);
  if (reply.failed()) throw reply.error();
  return reply.metadata;
}

Error Trial::refused(const std::function<void()>& attempt) {
  try {
    attempt();
  } catch (const Error& error) {
    return error;
  }
  throw Error(Code::kFailed, "expected a refusal");
}

void Trial::must(bool is_so, const std::string& what) {
  if (!is_so) throw Error(Code::kFailed, "the attempt could not be made: " + what);
}

std::set<std::string> Trial::sessions() const {
  std::set<std::string> ids = raw_sessions_;
  for (const auto& recorded : recorded_) ids.insert(recorded->id);
  return ids;
}

std::string Trial::seen() const {
  std::string all = seen_;
  for (const auto& recorded : recorded_) all += recorded->record->all();
  return all;
}

}  // namespace curia
