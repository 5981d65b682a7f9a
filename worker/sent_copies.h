// Copies in memory of stored objects that leave the worker: a link reads them after their op or
// fetch has ended, when nobody can ask any more whether their file was cut.
//
// A copy counts in the quota of mem:// until its last byte has left, and all who send the same
// bytes in the same account meanwhile share it. Thread: any (a mutex of its own, not held while
// bytes are copied).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "protocol/value.h"
#include "store/backend.h"

namespace curia {

class SentCopies {
 public:
  SentCopies();
  // The value itself where no part of it is in a file. `account`: where its type tells its size the
  // open one.
  // Errors: kQuota, saying what to do; kCorrupt where the file was cut meanwhile.
  ValuePtr of(const ValuePtr& value, Backend& memory, const Account& account);

 private:
  // Begin and size in a mapping, and where the copy counts: one that is there for another account
  // must not make room in this one.
  using Place = std::tuple<const std::uint8_t*, std::int64_t, Account>;
  struct Copy;
  struct Board {
    std::mutex mutex;
    std::map<Place, std::weak_ptr<const Copy>> copies;
  };
  // What owns the memory of one slice. Keeps the value too, so that the place in its mapping stays
  // its own, and a later get() of the object finds the same one.
  struct Copy {
    Copy(std::shared_ptr<Board> on, ValuePtr of, Slice from, Account counted,
         std::shared_ptr<const void> reserved);
    ~Copy();
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;
    Place place() const { return {original.data, original.size, account}; }

    const std::shared_ptr<Board> board;
    const ValuePtr value;
    const Slice original;
    const Account account;
    const std::shared_ptr<const void> reservation;
    const Slice bytes;
  };

  static Slice slice_of(const std::shared_ptr<const Copy>& copy);
  Slice copied(const ValuePtr& value, const Slice& slice, Backend& memory, const Account& account);

  const std::shared_ptr<Board> board_;
};

}  // namespace curia
