// The sending half of a lane: messages as one stream of bytes with offsets, kept until
// acknowledged.
//
// The stream is header (32 bytes), head, body of each message, one after the other. A message gets
// its offset when its first byte is sent, so one that was not begun can still be dropped. A message
// that is given up half-way ends with a *cut*, which takes one offset of its own, so that both ends
// know whether it was seen.
//
// Thread: none of its own; the peer's mutex guards it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "protocol/link/frames.h"

namespace curia {

// A body from this size on is sent in records of its own, sealed from where it lies and opened to
// where it belongs; smaller ones are copied together into one record.
inline constexpr std::int64_t kBulkBody = 16 << 10;

struct OutMessage {
  Tag tag;
  std::array<std::uint8_t, kMessageHeader> header{};
  Slice head;
  std::vector<Slice> parts;
  std::int64_t size = 0;    // of everything in the stream, with the cut where there is one
  std::uint64_t start = 0;  // stream offset, once begun
  bool begun = false;
  bool bulk = false;
  bool cut = false;

  std::int64_t prefix() const { return kMessageHeader + head.size; }
  std::int64_t bytes() const { return size - (cut ? 1 : 0); }
};

class OutStream {
 public:
  // What goes into one data frame.
  struct Piece {
    std::uint64_t offset = 0;
    std::int64_t bytes = 0;
  };
  // What is to be sent next: the kinds need different frames.
  enum class Next { kNothing, kSmall, kBulk, kCut };

  void push(const Tag& tag, Slice head, std::vector<Slice> body, std::int64_t body_bytes);

  Next next() const;
  // Copies as much as fits, up to the next bulk body or cut. REQUIRES: next() == kSmall.
  Piece take_small(std::uint8_t* to, std::int64_t room);
  // Bytes of the body that are to be sent. REQUIRES: next() == kBulk.
  std::int64_t bulk_left() const;
  // Appends slices of one body. REQUIRES: next() == kBulk.
  Piece take_bulk(std::int64_t most, std::vector<Slice>& to);
  // The offset of the cut. REQUIRES: next() == kCut.
  std::uint64_t take_cut();

  // The receiver has everything before `received`, and takes up to `limit`. Messages that are done
  // with go to `released`. Errors: kCorrupt when it claims more than was sent.
  void acked(std::uint64_t received, std::uint64_t limit, std::vector<OutMessage>& released);
  // As acked(), on a new connection: sending goes on at `received`.
  void rewind(std::uint64_t received, std::uint64_t limit, std::vector<OutMessage>& released);

  // Gives up the task's messages. One that is being sent will be cut.
  void drop_task(std::uint64_t task, std::vector<OutMessage>& released);
  void clear(std::vector<OutMessage>& released);

  bool idle() const { return queue_.empty(); }  // all that was pushed has been acknowledged
  std::uint64_t sent() const { return sent_; }
  std::uint64_t acked() const { return acked_; }
  std::uint64_t limit() const { return limit_; }

 private:
  // Position of sent_ in the message next_, which begins if it had not.
  std::int64_t enter();
  void advance(std::int64_t bytes);
  bool last_begun(const OutMessage& message) const;
  void not_begun_after_all(OutMessage& message);
  void cut(OutMessage& message);
  void find_part(std::int64_t body_offset);

  std::deque<OutMessage> queue_;  // acknowledged ones are gone
  std::size_t next_ = 0;          // the message that sent_ is in, or the one after the last sent
  std::size_t part_ = 0;          // where sending is in the body of that message
  std::int64_t part_offset_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t begun_ = 0;  // stream offset of the end of the begun messages
  std::uint64_t acked_ = 0;
  std::uint64_t limit_ = 0;
};

}  // namespace curia
