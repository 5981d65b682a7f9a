#include "tests/link/data_world.h"

#include <thread>

namespace curia::test {

DataWorld::DataWorld(Tune tune, Route route) : tune_(std::move(tune)), route_(std::move(route)) {
  for (const char* party : {"alice", "bob", "carol"}) start(party);
}

DataWorld::~DataWorld() {
  std::map<std::string, std::shared_ptr<DataLink>> links;
  {
    const std::lock_guard lock(mutex_);
    dials_allowed_ = false;
    links.swap(links_);
  }
}

DataLink& DataWorld::link(const std::string& party) {
  const std::lock_guard lock(mutex_);
  return *links_.at(party);
}

void DataWorld::start(const std::string& party) {
  DataLinkOptions options;
  options.self = party;
  options.credits = kContractCredits;
  options.on_need_dial = [this, party](const std::string& peer) { on_need_dial(party, peer); };
  if (tune_) tune_(options);
  auto link = std::make_shared<DataLink>(options);
  const std::lock_guard lock(mutex_);
  links_[party] = std::move(link);
}

void DataWorld::kill(const std::string& party) {
  std::shared_ptr<DataLink> link;  // destroyed without the mutex: its I/O thread may want it
  const std::lock_guard lock(mutex_);
  link.swap(links_[party]);
  links_.erase(party);
}

void DataWorld::allow_dials(bool on) {
  const std::lock_guard lock(mutex_);
  dials_allowed_ = on;
}

void DataWorld::on_need_dial(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (dials_allowed_) dial_locked(from, to);
}

void DataWorld::dial(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  dial_locked(from, to);
}

// Under the mutex: an I/O thread that dials must not be the last to let go of its own link.
void DataWorld::dial_locked(const std::string& from, const std::string& to) {
  const auto dialer = links_.find(from);
  const auto responder = links_.find(to);
  if (dialer == links_.end() || responder == links_.end()) return;
  const DialRequest request = DataLink::make_dial(to);
  const DialAnswer answer = responder->second->answer(from, request);
  const int own = responder->second->port();
  const int port = route_ ? route_(from, to, own) : own;
  dialer->second->dial(to, "127.0.0.1", port, request, answer);
}

}  // namespace curia::test
