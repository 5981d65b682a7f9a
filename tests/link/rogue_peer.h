// A peer that knows the keys and says whatever a test wants, for tests.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "protocol/link/data_link.h"
#include "protocol/link/frames.h"

namespace curia::test {

using Bytes = std::vector<std::uint8_t>;

class RoguePeer {
 public:
  // Dials `link`, which knows this peer as `name`; proves the keys and reads the hello.
  RoguePeer(DataLink& link, const std::string& self, const std::string& name);

  // Seals the frames into one record. False: the connection is gone.
  bool say(const Bytes& frames);
  // The frames of the next record; nullopt when the connection is gone.
  std::optional<std::vector<std::pair<FrameType, Bytes>>> hear();
  // Reads until the connection is gone.
  void hear_the_end();

  // The lane `number` of a session, and the way to send on it.
  Bytes lane(std::uint32_t number, const SessionId& session, std::uint64_t received = 0) const;
  Bytes data(std::uint32_t number, std::uint64_t offset, const Bytes& bytes) const;
  Bytes ready() const { return encode_empty(FrameType::kReady); }

 private:
  bool read(std::uint8_t* to, std::int64_t bytes);

  Socket socket_;
  std::optional<Sealer> sealer_;
  std::optional<Opener> opener_;
};

Bytes operator+(Bytes a, const Bytes& b);
Bytes message(const Tag& tag, std::int64_t head, std::int64_t body);  // its 32 bytes of header

}  // namespace curia::test
