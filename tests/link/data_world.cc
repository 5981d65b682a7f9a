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

int DataWorld::dials() const {
  const std::lock_guard lock(mutex_);
  return dials_;
}

void DataWorld::on_need_dial(const std::string& from, const std::string& to) {
  {
    const std::lock_guard lock(mutex_);
    if (!dials_allowed_) return;
  }
  dial(from, to);
}

void DataWorld::dial(const std::string& from, const std::string& to) {
  std::shared_ptr<DataLink> dialer;
  std::shared_ptr<DataLink> responder;
  {
    const std::lock_guard lock(mutex_);
    const auto a = links_.find(from);
    const auto b = links_.find(to);
    if (a == links_.end() || b == links_.end()) return;
    dialer = a->second;
    responder = b->second;
    dials_++;
  }
  const DialRequest request = DataLink::make_dial(to);
  const DialAnswer answer = responder->answer(from, request);
  const int port = route_ ? route_(from, to) : responder->port();
  dialer->dial(to, "127.0.0.1", port, request, answer);
}

bool eventually(const std::function<bool()>& condition) {
  const SteadyTime deadline = soon();
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace curia::test
