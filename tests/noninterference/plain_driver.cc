#include "tests/noninterference/plain_driver.h"

#include <chrono>

namespace curia::test {

PlainDriver::PlainDriver(const Wiring& wiring) : control_(wiring.control) {
  control_->start(*this);
  for (const auto& [party, address] : wiring.workers) {
    workers_[party].conn = control_->connect(party, address.endpoint, address.key);
  }
  for (auto& [party, worker] : workers_) {
    const Answer answer = ask(party, Kind::kHello, encode(HelloRequest{}));
    worker.epoch = decode<HelloReply>(answer.metadata).epoch;
  }
}

void PlainDriver::open() {
  random_bytes(session_);
  Requests requests;
  for (auto& [party, worker] : workers_) {
    worker.next_sequence = 1;
    requests.emplace_back(party, encode(OpenRequest{0, 3'600'000, 0}));
  }
  for (const Answer& answer : ask(Kind::kOpen, requests)) {
    expect(!answer.failed, "no session could be opened");
  }
}

void PlainDriver::close() {
  Requests requests;
  for (const auto& [party, worker] : workers_) requests.emplace_back(party, encode(Nothing{}));
  ask(Kind::kClose, requests);
}

std::vector<Answer> PlainDriver::ask(Kind kind, const Requests& requests) {
  const std::uint64_t first = next_request_;
  for (const auto& [party, metadata] : requests) {
    Worker& worker = workers_.at(party);
    Header header;
    header.kind = static_cast<std::uint16_t>(kind);
    header.epoch = worker.epoch;
    header.request = next_request_++;
    header.session = session_;
    if (is_ordered(kind)) header.acked = header.sequence = worker.next_sequence++;
    std::string frame;
    append_packet(frame, header, metadata);
    control_->send(worker.conn, {std::move(frame), {}});
  }
  std::vector<Answer> answers;
  std::unique_lock lock(mutex_);
  for (std::uint64_t request = first; request < next_request_; ++request) {
    const bool came = arrived_.wait_for(lock, std::chrono::seconds(20),
                                        [&] { return answers_.contains(request); });
    if (!came) throw Error(Code::kTimeout, "no answer to " + std::string(kind_name(kind)));
    answers.push_back(std::move(answers_.extract(request).mapped()));
  }
  return answers;
}

Answer PlainDriver::ask(const std::string& worker, Kind kind, const std::string& metadata) {
  return ask(kind, {{worker, metadata}}).front();
}

void PlainDriver::on_frames(ConnId, const std::string&, Frames frames) {
  const std::lock_guard lock(mutex_);
  for (const Packet& packet : split_packets(frames.head)) {
    answers_[packet.header.request] = {(packet.header.kind & kFailure) != 0,
                                       std::string(packet.metadata)};
  }
  arrived_.notify_one();
}

}  // namespace curia::test
