#include "protocol/link/data_link.h"

#include <chrono>
#include <thread>
#include <utility>

#include "protocol/digest.h"
#include "protocol/link/io_loop.h"

namespace curia {
namespace {

class DataLane : public Lane {
 public:
  DataLane(std::shared_ptr<Peer> peer, LanePtr state)
      : peer_(std::move(peer)), state_(std::move(state)) {}

  void send(const Tag& tag, Slice head, std::vector<Slice> body) override {
    peer_->send(*state_, tag, std::move(head), std::move(body));
  }
  Message recv(const Tag& tag, std::int64_t max_body, SteadyTime deadline) override {
    return peer_->recv(*state_, tag, max_body, deadline);
  }
  void abort(std::uint64_t task, const Error& error) override {
    peer_->abort(*state_, task, error);
  }
  void cancel(std::uint64_t task, const Error& error) override {
    peer_->cancel(*state_, task, error);
  }
  void finish(std::uint64_t task) override { peer_->finish(*state_, task); }

 private:
  const std::shared_ptr<Peer> peer_;
  const LanePtr state_;
};

KeyInputs key_inputs(const DialRequest& request, const DialAnswer& answer, std::string dialer,
                     std::string responder) {
  return {.dialer_secret = request.secret,
          .responder_secret = answer.secret,
          .token = answer.token,
          .dialer = std::move(dialer),
          .responder = std::move(responder)};
}

}  // namespace

DataLink::DataLink(DataLinkOptions options) : loop_(std::make_unique<IoLoop>(std::move(options))) {}

DataLink::~DataLink() = default;

std::shared_ptr<Lane> DataLink::lane(const SessionId& session, std::string_view peer) {
  auto to = loop_->peer(peer);
  auto state = to->lane(session);
  return std::make_shared<DataLane>(std::move(to), std::move(state));
}

void DataLink::close(const SessionId& session) {
  for (const auto& peer : loop_->peers()) peer->close(session);
}

void DataLink::forget(std::string_view peer) { loop_->forget(peer); }

std::vector<Traffic> DataLink::traffic() const {
  std::vector<Traffic> result;
  for (const auto& peer : loop_->peers()) result.push_back(peer->traffic());
  return result;
}

int DataLink::port() const { return loop_->port(); }

DialRequest DataLink::make_dial(std::string_view) {
  DialRequest request;
  random_bytes(request.secret);
  return request;
}

DialAnswer DataLink::answer(std::string_view peer, const DialRequest& request) {
  expect(loop_->port() >= 0, "this data link does not listen, so it cannot be dialed");
  DialAnswer answer;
  random_bytes(answer.token);
  random_bytes(answer.secret);
  const DataLinkOptions& options = loop_->options();
  loop_->tokens().add({std::string(peer),
                       key_inputs(request, answer, std::string(peer), options.self),
                       std::chrono::steady_clock::now() + options.token_life});
  return answer;
}

void DataLink::dial(std::string_view peer, const std::string& host, int port,
                    const DialRequest& request, const DialAnswer& answer) {
  loop_->dial(std::string(peer), host, port,
              key_inputs(request, answer, loop_->options().self, std::string(peer)));
}

void DataLink::lose(std::string_view peer, const Error& error) {
  if (const auto found = loop_->find(peer)) found->lose(error);
}

bool DataLink::flush(SteadyTime deadline) {
  while (true) {
    bool idle = true;
    for (const auto& peer : loop_->peers()) idle = idle && peer->idle();
    if (idle) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool DataLink::connected(std::string_view peer) const {
  const auto found = loop_->find(peer);
  return found && found->connected();
}

std::vector<LaneWait> DataLink::waits() const {
  std::vector<LaneWait> result;
  for (const auto& peer : loop_->peers()) peer->waits(result);
  return result;
}

void DataLink::cut_connection(std::string_view peer) {
  if (const auto found = loop_->find(peer)) found->cut_connection();
}

int DataLink::unproven() const { return loop_->unproven(); }

}  // namespace curia
