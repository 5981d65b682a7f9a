// A client of a worker's control port with a valid key and no manners: it sends whatever bytes it
// is given and shows what comes back. Thread: one.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/message.h"

namespace curia {

struct RawReply {
  Header header;
  std::string metadata;

  bool failed() const { return (header.kind & kFailure) != 0; }
  // The error of a failed reply; kFailed "succeeded" for one that is none.
  Error error() const;
};

class RawDriver {
 public:
  // The keys of `key_file`; the worker's endpoint and public key.
  RawDriver(const std::string& key_file, const std::string& endpoint, const std::string& key);
  ~RawDriver();
  RawDriver(RawDriver&&) noexcept;

  void send(const std::string& frame);
  void send_frames(const std::vector<std::string>& frames);
  // Nothing within the limit, which guards against hanging: nullopt.
  std::optional<RawReply> recv(std::chrono::milliseconds limit = std::chrono::seconds(20));
  // The next reply to this request; others are thrown away.
  std::optional<RawReply> recv_of(std::uint64_t request);

  // A header of this driver's session and epoch with a fresh request number.
  Header header(Kind kind);
  // Sends one request and waits for its reply. Ordered kinds get the next sequence.
  RawReply call(Kind kind, const std::string& metadata);
  RawReply call(Header header, const std::string& metadata);

  // hello, and open of a new session with this id.
  RawReply hello();
  RawReply open(const SessionId& id, const OpenRequest& request = {});

  SessionId session{};
  std::uint64_t epoch = 0;
  std::uint64_t next_request = 1;
  std::uint64_t next_sequence = 1;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace curia
