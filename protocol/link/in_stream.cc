#include "protocol/link/in_stream.h"

#include <algorithm>
#include <cstring>

namespace curia {

std::optional<Message> InStream::take(const Tag& tag, std::int64_t max_body) {
  if (refusal_ && refused_ == tag) throw *std::exchange(refusal_, std::nullopt);
  auto message = inbox_.take(tag);
  if (!message) return std::nullopt;
  check_body(tag, message->body.size, max_body);
  return message;
}

void InStream::wait(const Tag& tag, std::int64_t max_body) {
  waiting_ = true;
  waited_ = tag;
  max_body_ = max_body;
  claim_if_waited();
}

// Of the credit, what the messages in the inbox leave.
std::int64_t InStream::room() const {
  const Inbox::Held& held = inbox_.held();
  const std::int64_t taken = held.bytes + held.messages * (kMessageHeader + kMessageCharge);
  return std::max<std::int64_t>(0, credit_ - taken);
}

// A sender keeps to the limit, which was granted for the credit and, while a message was waited
// for, for a window of that. It may have ended the message half-way, but then the wait for it ends
// too, and what it sent instead is taken before a window is granted again.
void InStream::check_held() const {
  const Inbox::Held& held = inbox_.held();
  const std::int64_t unasked = held.bytes - held.expected_bytes + held.messages * kMessageHeader;
  const std::int64_t most = 2 * credit_ + kClaimWindow;
  if (unasked <= most) return;
  throw Error(Code::kCorrupt, "expected at most " + std::to_string(most) +
                                  " bytes of messages that nobody waits for, found " +
                                  std::to_string(unasked));
}

void InStream::drop_incoming() {
  in_.wanted = false;
  in_.claimed = false;
  in_.head.reset();
  in_.body.reset();
}

void InStream::fail(std::uint64_t task, const Error& error) {
  inbox_.fail(task, error);
  if (in_.known && in_.header.tag.task == task) drop_incoming();
  news_ = true;
}

void InStream::finish(std::uint64_t task) {
  inbox_.finish(task);
  if (in_.known && in_.header.tag.task <= task) drop_incoming();
  news_ = true;
}

void InStream::close(const Error& error) {
  inbox_.close(error);
  drop_incoming();
  news_ = true;
}

void InStream::end(const Error& error) {
  inbox_.end(error);
  drop_incoming();
  news_ = true;
}

std::uint64_t InStream::limit() {
  std::uint64_t base = received_;
  if (in_.claimed) {
    base += static_cast<std::uint64_t>(std::min(in_.size() - in_.got, kClaimWindow));
  } else if (in_.got > 0 && (in_.wanted || !in_.known)) {
    base = in_.start;
  }
  limit_ = std::max(limit_, base + static_cast<std::uint64_t>(room()));
  return limit_;
}

void InStream::check_next(std::uint64_t offset, std::int64_t bytes) const {
  if (offset != received_ || static_cast<std::uint64_t>(bytes) > limit_ - received_) {
    throw Error(Code::kCorrupt, "expected the next bytes of a lane within its credit, found " +
                                    std::to_string(bytes) + " at " + std::to_string(offset) +
                                    " where " + std::to_string(received_) + " to " +
                                    std::to_string(limit_) + " were due");
  }
}

std::optional<InStream::Target> InStream::direct(std::uint64_t offset, std::int64_t bytes) {
  if (busy_ || !in_.known || !in_.wanted || in_.body_got() < 0) return std::nullopt;
  if (offset != received_ || bytes > in_.header.body - in_.body_got() ||
      static_cast<std::uint64_t>(bytes) > limit_ - received_) {
    return std::nullopt;
  }
  make_room(bytes);
  if (!in_.wanted) return std::nullopt;
  busy_ = true;
  return Target{in_.body->data() + in_.body_got(), in_.body};
}

void InStream::commit(std::int64_t bytes) {
  busy_ = false;
  advance(bytes);
  claim_if_waited();
}

void InStream::consume(std::uint64_t offset, std::span<const std::uint8_t> bytes) {
  check_next(offset, static_cast<std::int64_t>(bytes.size()));
  while (!bytes.empty()) {
    if (in_.got == 0) in_.start = received_;
    const std::int64_t left = static_cast<std::int64_t>(bytes.size());
    std::int64_t count = 0;
    if (in_.got < kMessageHeader) {
      count = std::min(left, kMessageHeader - in_.got);
      std::memcpy(in_.raw.data() + in_.got, bytes.data(), static_cast<std::size_t>(count));
    } else if (in_.body_got() < 0) {
      count = std::min(left, -in_.body_got());
      if (in_.wanted) {
        std::memcpy(in_.head->data() + (in_.got - kMessageHeader), bytes.data(),
                    static_cast<std::size_t>(count));
      }
    } else {
      count = std::min(left, in_.header.body - in_.body_got());
      if (in_.wanted) make_room(count);
      if (in_.wanted) {
        std::memcpy(in_.body->data() + in_.body_got(), bytes.data(),
                    static_cast<std::size_t>(count));
      }
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    advance(count);
  }
}

// Counts bytes that are in place, and goes on to the next part of the message or the next message.
void InStream::advance(std::int64_t bytes) {
  received_ += static_cast<std::uint64_t>(bytes);
  in_.got += bytes;
  if (!in_.known && in_.got == kMessageHeader) header_complete();
  if (!in_.known || in_.got < in_.size()) return;
  messages_++;
  message_bytes_ += in_.header.head + in_.header.body;
  const Tag tag = in_.header.tag;
  if (in_.wanted && inbox_.wants(tag.task)) {
    Message message;
    if (in_.head) message.head = Slice(std::move(in_.head));
    if (in_.body) message.body = Slice(std::move(in_.body));
    inbox_.put(tag, std::move(message), in_.claimed);
    check_held();
    if (waiting_ && tag == waited_) news_ = true;
  }
  in_ = Incoming{};
}

void InStream::header_complete() {
  in_.header = parse_message_header(in_.raw.data());
  in_.known = true;
  in_.wanted = inbox_.wants(in_.header.tag.task) && !inbox_.ended();
  if (!in_.wanted) return;
  if (in_.header.head > 0) in_.head = Buffer::allocate(in_.header.head);
  claim_if_waited();
}

void InStream::refuse(const Error& error) {
  refused_ = in_.header.tag;
  refusal_ = error;
  drop_incoming();
  news_ = true;
}

void InStream::claim_if_waited() {
  if (!waiting_ || busy_ || !in_.known || !in_.wanted || in_.claimed) return;
  if (in_.header.tag != waited_) return;
  try {
    check_body(waited_, in_.header.body, max_body_);
    if (in_.header.body > 0 && (!in_.body || in_.body->size() < in_.header.body)) {
      auto whole = Buffer::allocate(in_.header.body);
      if (in_.body_got() > 0) {
        std::memcpy(whole->data(), in_.body->data(), static_cast<std::size_t>(in_.body_got()));
      }
      in_.body = std::move(whole);
    }
    in_.claimed = true;
  } catch (const Error& error) {
    refuse(error);
  }
}

// Makes in_.body hold `bytes` more, as long as recv() does not wait for it: never more than the
// credit, whatever the header says.
void InStream::make_room(std::int64_t bytes) {
  const std::int64_t needed = in_.body_got() + bytes;
  if (in_.body && in_.body->size() >= needed) return;
  try {
    auto room = Buffer::allocate(std::min(in_.header.body, std::max(needed, credit_)));
    if (in_.body_got() > 0) {
      std::memcpy(room->data(), in_.body->data(), static_cast<std::size_t>(in_.body_got()));
    }
    in_.body = std::move(room);
  } catch (const Error& error) {
    refuse(error);
  }
}

void InStream::cut(std::uint64_t offset) {
  if (offset != received_ || in_.got == 0) {
    throw Error(Code::kCorrupt, "expected a message to be cut, found none that was under way");
  }
  received_++;
  in_ = Incoming{};
}

std::string InStream::progress(const Tag& tag) const {
  if (!in_.known) return "nothing of it has come";
  const std::string bytes = std::to_string(std::max<std::int64_t>(0, in_.body_got())) + " of " +
                            std::to_string(in_.header.body) + " bytes of ";
  if (in_.header.tag == tag) return bytes + "it have come";
  return bytes + "the message before it (" + tag_text(in_.header.tag) +
         ") have come; a lane is received in the order it was sent, beyond its credit";
}

}  // namespace curia
