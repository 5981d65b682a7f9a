#include "protocol/link/out_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace curia {
namespace {

// Copies bytes [offset, offset + bytes) of a message's stream form.
void copy_range(const OutMessage& message, std::int64_t offset, std::int64_t bytes,
                std::uint8_t* to) {
  const auto copy = [&](const std::uint8_t* from, std::int64_t size) {
    if (offset < size) {
      const std::int64_t count = std::min(bytes, size - offset);
      std::memcpy(to, from + offset, static_cast<std::size_t>(count));
      to += count;
      bytes -= count;
      offset = 0;
    } else {
      offset -= size;
    }
  };
  copy(message.header.data(), kMessageHeader);
  if (bytes > 0 && message.head.size > 0) copy(message.head.data, message.head.size);
  for (const Slice& part : message.parts) {
    if (bytes == 0) return;
    if (part.size > 0) copy(part.data, part.size);
  }
}

}  // namespace

void OutStream::push(const Tag& tag, Slice head, std::vector<Slice> body, std::int64_t body_bytes) {
  OutMessage& message = queue_.emplace_back();
  message.tag = tag;
  message.head = std::move(head);
  message.parts = std::move(body);
  message.size = message.prefix() + body_bytes;
  message.bulk = body_bytes >= kBulkBody;
  put_message_header(message.header.data(), {tag, message.head.size, body_bytes});
}

std::int64_t OutStream::enter() {
  OutMessage& message = queue_[next_];
  if (!message.begun) {
    message.begun = true;
    message.start = begun_;
    begun_ += static_cast<std::uint64_t>(message.size);
    find_part(0);
  }
  return static_cast<std::int64_t>(sent_ - message.start);
}

OutStream::Next OutStream::next() const {
  if (next_ >= queue_.size()) return Next::kNothing;
  const OutMessage& message = queue_[next_];
  const std::int64_t at = message.begun ? static_cast<std::int64_t>(sent_ - message.start) : 0;
  if (message.cut && at == message.bytes()) return Next::kCut;
  if (sent_ >= limit_) return Next::kNothing;
  return message.bulk && at >= message.prefix() ? Next::kBulk : Next::kSmall;
}

OutStream::Piece OutStream::take_small(std::uint8_t* to, std::int64_t room) {
  Piece piece{sent_, 0};
  while (piece.bytes < room && next() == Next::kSmall) {
    const std::int64_t at = enter();
    const OutMessage& message = queue_[next_];
    const std::int64_t stop =
        message.bulk ? std::min(message.prefix(), message.bytes()) : message.bytes();
    const std::int64_t allowed = static_cast<std::int64_t>(limit_ - sent_);
    const std::int64_t count = std::min({stop - at, room - piece.bytes, allowed});
    copy_range(message, at, count, to + piece.bytes);
    piece.bytes += count;
    advance(count);
  }
  return piece;
}

std::int64_t OutStream::bulk_left() const {
  const OutMessage& message = queue_[next_];
  return message.bytes() - static_cast<std::int64_t>(sent_ - message.start);
}

OutStream::Piece OutStream::take_bulk(std::int64_t most, std::vector<Slice>& to) {
  Piece piece{sent_, 0};
  const std::int64_t at = enter();
  const OutMessage& message = queue_[next_];
  const std::int64_t allowed = static_cast<std::int64_t>(limit_ - sent_);
  std::int64_t left = std::min({most, message.bytes() - at, allowed});
  while (left > 0) {
    const Slice& part = message.parts[part_];
    const std::int64_t count = std::min(left, part.size - part_offset_);
    if (count > 0) to.push_back(part.part(part_offset_, count));
    piece.bytes += count;
    left -= count;
    part_offset_ += count;
    if (part_offset_ == part.size) {
      part_++;
      part_offset_ = 0;
    }
  }
  advance(piece.bytes);
  return piece;
}

std::uint64_t OutStream::take_cut() {
  const std::uint64_t offset = sent_;
  advance(1);
  return offset;
}

void OutStream::advance(std::int64_t bytes) {
  sent_ += static_cast<std::uint64_t>(bytes);
  const OutMessage& message = queue_[next_];
  if (sent_ == message.start + static_cast<std::uint64_t>(message.size)) {
    next_++;
    part_ = 0;
    part_offset_ = 0;
  }
}

void OutStream::acked(std::uint64_t received, std::uint64_t limit,
                      std::vector<OutMessage>& released) {
  if (received > sent_) {
    throw Error(Code::kCorrupt, "expected an acknowledgement of what was sent, found one of more");
  }
  limit_ = std::max(limit_, limit);
  if (received <= acked_) return;
  acked_ = received;
  while (next_ > 0) {
    OutMessage& first = queue_.front();
    if (first.start + static_cast<std::uint64_t>(first.size) > acked_) break;
    released.push_back(std::move(first));
    queue_.pop_front();
    next_--;
  }
}

void OutStream::rewind(std::uint64_t received, std::uint64_t limit,
                       std::vector<OutMessage>& released) {
  if (received < acked_) {
    throw Error(Code::kCorrupt, "expected a lane that goes on, found one that went back");
  }
  acked(received, limit, released);
  // A new connection counts anew from what the receiver says; it never takes credits back.
  sent_ = received;
  next_ = 0;
  part_ = 0;
  part_offset_ = 0;
  if (!queue_.empty() && queue_.front().begun) {
    const std::int64_t at = static_cast<std::int64_t>(sent_ - queue_.front().start);
    find_part(std::max<std::int64_t>(0, at - queue_.front().prefix()));
  }
}

void OutStream::find_part(std::int64_t body_offset) {
  part_ = 0;
  part_offset_ = body_offset;
  const std::vector<Slice>& parts = queue_[next_].parts;
  while (part_ < parts.size() && part_offset_ >= parts[part_].size) {
    part_offset_ -= parts[part_].size;
    part_++;
  }
}

void OutStream::drop_task(std::uint64_t task, std::vector<OutMessage>& released) {
  // A message that was sent whole keeps its offsets, and so does one that has begun messages behind
  // it (after a rewind): the receiver may have seen a part of them.
  std::size_t kept = next_;
  for (std::size_t i = next_; i < queue_.size(); ++i) {
    OutMessage& message = queue_[i];
    if (message.tag.task == task && i == next_) not_begun_after_all(message);
    if (message.tag.task == task && !message.begun) {
      released.push_back(std::move(message));
      continue;
    }
    if (message.tag.task == task && i == next_) cut(message);
    if (kept != i) queue_[kept] = std::move(message);
    kept++;
  }
  queue_.resize(kept);
}

bool OutStream::last_begun(const OutMessage& message) const {
  return message.begun && begun_ == message.start + static_cast<std::uint64_t>(message.size);
}

// After a rewind to its first byte the receiver has seen nothing of it.
void OutStream::not_begun_after_all(OutMessage& message) {
  if (!last_begun(message) || sent_ != message.start) return;
  message.begun = false;
  begun_ = message.start;
}

void OutStream::cut(OutMessage& message) {
  if (message.cut || !last_begun(message)) return;
  message.size = static_cast<std::int64_t>(sent_ - message.start) + 1;
  message.cut = true;
  begun_ = message.start + static_cast<std::uint64_t>(message.size);
}

void OutStream::clear(std::vector<OutMessage>& released) {
  for (OutMessage& message : queue_) released.push_back(std::move(message));
  queue_.clear();
  next_ = 0;
  part_ = 0;
  part_offset_ = 0;
}

}  // namespace curia
