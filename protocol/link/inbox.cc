#include "protocol/link/inbox.h"

#include <cstring>
#include <utility>

namespace curia {

std::string tag_text(const Tag& tag) {
  return "task " + std::to_string(tag.task) + ", op " + std::to_string(tag.op) + ", step " +
         std::to_string(tag.step);
}

bool Inbox::wants(std::uint64_t task) const {
  if (closed_ || (any_finished_ && task <= finished_)) return false;
  return failed_.empty() || !failed_.contains(task);
}

void Inbox::count(const Entry& entry, std::int64_t sign) {
  const std::int64_t bytes = entry.message.head.size + entry.message.body.size;
  held_.messages += sign;
  held_.bytes += sign * bytes;
  if (entry.expected) held_.expected_bytes += sign * bytes;
}

void Inbox::put(const Tag& tag, Message message, bool expected) {
  count(messages_.emplace(tag, Entry{std::move(message), expected})->second, 1);
}

std::optional<Message> Inbox::take(const Tag& tag) {
  const auto found = messages_.lower_bound(tag);
  if (found == messages_.end() || found->first != tag) {
    check(tag);
    return std::nullopt;
  }
  count(found->second, -1);
  Message message = std::move(found->second.message);
  messages_.erase(found);
  return message;
}

void Inbox::check(const Tag& tag) const {
  if (closed_) throw *ended_;
  if (any_finished_ && tag.task <= finished_) {
    throw Error(Code::kInvalid, "expected a task that is still running, found a receive for " +
                                    tag_text(tag) + ", which is finished");
  }
  if (const auto failed = failed_.find(tag.task); failed != failed_.end()) throw failed->second;
  if (ended_) throw *ended_;
}

void Inbox::drop(Messages::iterator begin, Messages::iterator end) {
  for (auto it = begin; it != end; ++it) count(it->second, -1);
  messages_.erase(begin, end);
}

void Inbox::fail(std::uint64_t task, const Error& error) {
  if (!wants(task)) return;
  failed_.emplace(task, error);
  constexpr std::uint32_t kLast = ~std::uint32_t{0};
  drop(messages_.lower_bound({task, 0, 0}), messages_.upper_bound({task, kLast, kLast}));
}

void Inbox::finish(std::uint64_t task) {
  if (any_finished_ && task <= finished_) return;
  any_finished_ = true;
  finished_ = task;
  failed_.erase(failed_.begin(), failed_.upper_bound(task));
  constexpr std::uint32_t kLast = ~std::uint32_t{0};
  drop(messages_.begin(), messages_.upper_bound({task, kLast, kLast}));
}

void Inbox::close(const Error& error) {
  closed_ = true;
  ended_ = error;
  failed_.clear();
  drop(messages_.begin(), messages_.end());
}

void Inbox::end(const Error& error) {
  if (!ended_) ended_ = error;
}

Slice join(std::vector<Slice> parts) {
  if (parts.empty()) return {};
  if (parts.size() == 1) return std::move(parts.front());
  std::int64_t size = 0;
  for (const Slice& part : parts) size += part.size;
  auto buffer = Buffer::allocate(size);
  std::uint8_t* to = buffer->data();
  for (const Slice& part : parts) {
    if (part.size > 0) std::memcpy(to, part.data, static_cast<std::size_t>(part.size));
    to += part.size;
  }
  return Slice(BufferPtr(std::move(buffer)));
}

std::int64_t check_message(const Slice& head, const std::vector<Slice>& body) {
  expect(head.size <= kMaxHeadBytes, "the head of a message is longer than kMaxHeadBytes");
  std::int64_t size = 0;
  for (const Slice& part : body) {
    expect(part.size >= 0 && part.size <= kMaxBodyBytes - size,
           "the body of a message is longer than kMaxBodyBytes");
    size += part.size;
  }
  return size;
}

void check_body(const Tag& tag, std::int64_t found, std::int64_t max_body) {
  if (found <= max_body) return;
  throw Error(Code::kCorrupt, "expected at most " + std::to_string(max_body) + " bytes for " +
                                  tag_text(tag) + ", found a message of " + std::to_string(found) +
                                  "; the two sides do not run the same program");
}

}  // namespace curia
