// What arrived on one lane and was not yet received, and which tasks are over.
//
// Shared by all implementations of Lane, so that order, cancel, abort, finish and close mean the
// same everywhere. Knows nothing of threads or sockets.
//
// Thread: none of its own; the owner's mutex guards it.
// Invariant: no message is held for a task that failed, was finished, or after close().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "protocol/link/link.h"

namespace curia {

// "task 3, op 5, step 0", for messages to people.
std::string tag_text(const Tag& tag);

// The tasks a peer may have aborted without our finishing them. More is a peer out of order.
inline constexpr std::size_t kMaxFailedTasks = 4096;

class Inbox {
 public:
  // Would a message of this task be kept? False: it is to be dropped as it comes.
  bool wants(std::uint64_t task) const;

  // REQUIRES: wants(tag.task). Messages with equal tags are taken in the order they were put.
  // expected: recv() waited for it when it began, so its size was agreed to; see held().
  void put(const Tag& tag, Message message, bool expected = false);

  // The oldest message with this tag, nullopt when there is none yet.
  // Errors: the task's failure; kInvalid when the task is finished; what end() or close() gave,
  // when no message is left.
  std::optional<Message> take(const Tag& tag);

  // These drop messages.
  void fail(std::uint64_t task, const Error& error);  // the first error given stays
  void finish(std::uint64_t task);
  void close(const Error& error);

  // The messages that are here, and the bytes of their heads and bodies.
  struct Held {
    std::int64_t messages = 0;
    std::int64_t bytes = 0;
    std::int64_t expected_bytes = 0;  // of those that were put as expected
  };
  const Held& held() const { return held_; }

  // Nothing more will come; what is here can still be taken. The first error given stays.
  void end(const Error& error);
  const std::optional<Error>& ended() const { return ended_; }
  bool closed() const { return closed_; }
  bool full_of_failures() const { return failed_.size() >= kMaxFailedTasks; }

 private:
  void check(const Tag& tag) const;

  struct Entry {
    Message message;
    bool expected = false;
  };
  using Messages = std::multimap<Tag, Entry>;
  void count(const Entry& entry, std::int64_t sign);
  void drop(Messages::iterator begin, Messages::iterator end);

  Messages messages_;
  Held held_;
  std::map<std::uint64_t, Error> failed_;
  bool any_finished_ = false;
  std::uint64_t finished_ = 0;  // all tasks up to here, where any_finished_
  bool closed_ = false;
  std::optional<Error> ended_;
};

// The parts one after the other in one buffer; a single part is passed on as it is.
Slice join(std::vector<Slice> parts);

// Checks of every send(). Returns the size of the body. Errors: kInvalid beyond the limits.
std::int64_t check_message(const Slice& head, const std::vector<Slice>& body);

// The check of every recv(). Errors: kCorrupt when the body is longer than what the types allow.
void check_body(const Tag& tag, std::int64_t found, std::int64_t max_body);

}  // namespace curia
