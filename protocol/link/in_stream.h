// The receiving half of a lane: bytes of the peer's stream become messages in an Inbox.
//
// Memory: what was not received by recv() takes at most the credit; the message that recv() waits
// for is allocated once, after its size was checked against recv's max_body, and its bytes go
// straight there. The limit that is granted to the sender follows from that: for the message that
// is waited for it runs ahead by kClaimWindow at most, since the sender may end that message
// half-way and fill what was granted with others. One that does so again and again is out of order.
//
// Thread: the peer's mutex guards it, except that between direct() and its commit the holder of the
// read role writes to the target without the mutex.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "protocol/link/frames.h"
#include "protocol/link/inbox.h"

namespace curia {

// What a message that waits for its recv() counts beyond its bytes, for the memory of its entry.
inline constexpr std::int64_t kMessageCharge = 192;

// How far the limit runs ahead in a message that recv() waits for. No more than this is ever under
// way in a connection (Pace::kLargestWindow).
inline constexpr std::int64_t kClaimWindow = 16 << 20;

class InStream {
 public:
  explicit InStream(std::int64_t credit) : credit_(credit) {}

  // recv(): registers what it waits for, so that the message flows in whatever its size.
  // Errors: as Inbox::take.
  std::optional<Message> take(const Tag& tag, std::int64_t max_body);
  void wait(const Tag& tag, std::int64_t max_body);  // after take() found nothing
  void stop_waiting() { waiting_ = false; }
  // True once after something happened that the waiting recv() must look at.
  bool take_news() { return std::exchange(news_, false); }

  void fail(std::uint64_t task, const Error& error);
  void finish(std::uint64_t task);
  void close(const Error& error);
  void end(const Error& error);

  // Where `bytes` at `offset` belong, if they lie within one body that is to be kept. The caller
  // then writes them and calls commit() (they are authentic) or abandon().
  struct Target {
    std::uint8_t* at = nullptr;
    std::shared_ptr<Buffer> keep;
  };
  std::optional<Target> direct(std::uint64_t offset, std::int64_t bytes);
  void commit(std::int64_t bytes);
  void abandon() { busy_ = false; }

  // Authentic bytes at `offset`. Errors: kCorrupt when the peer breaks the rules.
  void consume(std::uint64_t offset, std::span<const std::uint8_t> bytes);
  // The message that is coming in ends here.
  void cut(std::uint64_t offset);

  void set_credit(std::int64_t credit) { credit_ = credit; }
  std::uint64_t received() const { return received_; }
  // Up to where the sender may go; only grows.
  std::uint64_t limit();
  std::int64_t credit() const { return credit_; }
  const Inbox& inbox() const { return inbox_; }
  // Whole messages so far, and their heads and bodies.
  std::int64_t messages() const { return messages_; }
  std::int64_t message_bytes() const { return message_bytes_; }
  // For people: "1024 of 4096 bytes of it have come", or what is coming in instead.
  std::string progress(const Tag& tag) const;

 private:
  // The message that is coming in. Its parts fill in this order.
  struct Incoming {
    std::uint64_t start = 0;
    std::int64_t got = 0;  // stream bytes, header included
    std::array<std::uint8_t, kMessageHeader> raw{};
    bool known = false;  // the header is complete
    MessageHeader header;
    bool wanted = false;   // false: its bytes are dropped
    bool claimed = false;  // recv() waits for it: it does not count against the credit
    std::shared_ptr<Buffer> head;
    std::shared_ptr<Buffer> body;

    std::int64_t size() const { return kMessageHeader + header.head + header.body; }
    std::int64_t body_got() const { return got - kMessageHeader - header.head; }
  };

  void header_complete();
  void claim_if_waited();
  void refuse(const Error& error);
  void drop_incoming();
  void make_room(std::int64_t bytes);
  void advance(std::int64_t bytes);
  void check_next(std::uint64_t offset, std::int64_t bytes) const;
  std::int64_t room() const;
  void check_held() const;

  Inbox inbox_;
  Incoming in_;
  std::int64_t credit_;
  std::uint64_t received_ = 0;
  std::uint64_t limit_ = 0;
  std::int64_t messages_ = 0;
  std::int64_t message_bytes_ = 0;
  bool busy_ = false;  // a direct() is under way
  bool waiting_ = false;
  bool news_ = false;
  Tag waited_;
  std::int64_t max_body_ = 0;
  Tag refused_;
  std::optional<Error> refusal_;  // why the message refused_ was dropped: the error of its recv()
};

}  // namespace curia
