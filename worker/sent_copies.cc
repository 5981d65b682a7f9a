#include "worker/sent_copies.h"

#include "store/mapping.h"

namespace curia {

SentCopies::Copy::Copy(std::shared_ptr<Board> on, ValuePtr of, Slice from, Account counted,
                       std::shared_ptr<const void> reserved)
    : board(std::move(on)),
      value(std::move(of)),
      original(std::move(from)),
      account(std::move(counted)),
      reservation(std::move(reserved)),
      bytes(slice_in_memory(original)) {}

SentCopies::Copy::~Copy() {
  const std::lock_guard lock(board->mutex);
  const auto at = board->copies.find(place());
  if (at != board->copies.end() && at->second.expired()) board->copies.erase(at);
}

SentCopies::SentCopies() : board_(std::make_shared<Board>()) {}

Slice SentCopies::slice_of(const std::shared_ptr<const Copy>& copy) {
  return {std::shared_ptr<const void>(copy, copy->bytes.data), copy->bytes.data, copy->bytes.size};
}

Slice SentCopies::copied(const ValuePtr& value, const Slice& slice, Backend& memory,
                         const Account& account) {
  {
    const std::lock_guard lock(board_->mutex);
    const auto at = board_->copies.find({slice.data, slice.size, account});
    if (at != board_->copies.end()) {
      if (const auto copy = at->second.lock()) return slice_of(copy);
    }
  }
  std::shared_ptr<const void> reserved;
  try {
    reserved = memory.hold(account, slice.size + kObjectOverhead);
  } catch (const Error& error) {
    throw Error(error.code(), error.message() +
                                  "; what leaves a stored object is in memory until it is "
                                  "delivered, so receive what was asked for first");
  }
  const auto fresh =
      std::make_shared<const Copy>(board_, value, slice, account, std::move(reserved));
  std::shared_ptr<const Copy> first;  // of another thread, if one was faster
  {
    const std::lock_guard lock(board_->mutex);
    std::weak_ptr<const Copy>& known = board_->copies[fresh->place()];
    first = known.lock();
    if (first == nullptr) known = fresh;
  }
  return slice_of(first == nullptr ? fresh : first);
}

ValuePtr SentCopies::of(const ValuePtr& value, Backend& memory, const Account& account) {
  return unmapped(value, [&](const Slice& slice) { return copied(value, slice, memory, account); });
}

}  // namespace curia
