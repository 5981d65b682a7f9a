// The contract of one kind of storage. tests/store/backend_contract.h holds every backend to it.
//
// Keys are what follows the scheme in a URI. A put is atomic: a reader sees the old object or the
// new one, and keeps the one it got even if it is erased meanwhile. Thread: any thread may call any
// method.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/device.h"
#include "protocol/digest.h"
#include "protocol/interval.h"
#include "protocol/label.h"
#include "protocol/lineage.h"
#include "protocol/session_id.h"
#include "protocol/type.h"
#include "protocol/value.h"

namespace curia {

// Whose objects. Of those that outlast sessions all of the principal, whatever session made them.
struct Owner {
  std::string principal;
  SessionId session{};
  auto operator<=>(const Owner&) const = default;
};

// What a worker knows of an object besides its data.
struct ObjectMeta {
  Type type;       // as declared by the program: may hold `?`
  LabelPtr label;  // never null
  Lineage lineage;
  std::string principal;  // whose session made it
  SessionId session{};
  std::uint64_t task = 0;  // 0: a put
  Digest program;          // all zero for puts and datasets
  std::string output;      // name of the program's output
  SecureDevice device{};   // that a secret is on; no members for every other value
  bool hidden = false;     // only the owners of the data may know its size
  Ranges ranges{};         // of a secret, as its program allows; empty: unknown
};

inline Owner owner_of(const ObjectMeta& meta) { return {meta.principal, meta.session}; }

// Where memory is counted: sizes that everybody knows from types in the open account, those that
// depend on the data (`?` rows, texts of results) in a hidden one. There is one of these for each
// label and use, with a quota that depends on nobody's data: so whether there is room for a value
// depends on values of its own label and use alone, never on data that others were not shown.
struct Account {
  LabelPtr label;   // of what is counted; none: the open account
  std::string use;  // what may be released alone counts alone: the output's name, say
  // In whose share of the open account it counts; without a principal: nobody's. Accounts are the
  // same whoever that is.
  Owner owner{};

  static Account open() { return {}; }
  static Account open_of(Owner owner) { return {nullptr, {}, std::move(owner)}; }
  bool is_open() const { return label == nullptr; }
  bool operator==(const Account& other) const { return !(*this < other) && !(other < *this); }
  bool operator<(const Account& other) const;
};

// What every object counts in the open account beyond its bytes, so that empty ones and failures
// have a limit too.
inline constexpr std::int64_t kObjectOverhead = 512;

struct Object {
  ValuePtr value;
  std::shared_ptr<const ObjectMeta> meta;
  std::int64_t version = 0;  // 1 for the first put under a key, then one more each
  // Keeps its memory counted for as long as somebody may use it, also when it is erased meanwhile.
  std::shared_ptr<const void> charge;
  std::uint64_t number = 0;  // of the put; no other object of this process has it
};

struct Entry {
  std::string key;
  std::shared_ptr<const ObjectMeta> meta;
  std::int64_t bytes = 0;
  std::int64_t version = 0;
  std::uint64_t number = 0;  // of the put: versions begin at 1 again, numbers never do
};

// What a put expects to find under its key.
struct Expected {
  std::int64_t version = 0;  // 0: nothing
  std::uint64_t number = 0;  // of the one object that it may be; 0: any of that version

  Expected(std::int64_t of_version) : version(of_version) {}  // NOLINT: a version is expected
  // What describe() told: this object and none that took its place since.
  static Expected exactly(const std::optional<Entry>& known) {
    Expected expected(known ? known->version : 0);
    if (known) expected.number = known->number;
    return expected;
  }
  // Errors: kImmutable. `same_owner`: whether the object that was found is the putter's own.
  void check(std::int64_t found_version, std::uint64_t found_number, bool same_owner) const;
};

// kImmutable, whatever it is that has a name already or is in its way: others need not know.
Error name_taken();

struct AccountStats {
  std::int64_t bytes = 0;           // of the objects, and of erased ones that are in use
  std::int64_t objects = 0;         // that have these bytes
  std::int64_t overhead_bytes = 0;  // what they count beyond them
  std::int64_t reserved_bytes = 0;  // promised, not yet put
  std::int64_t quota_bytes = 0;     // 0: no quota

  std::int64_t left() const { return quota_bytes - bytes - overhead_bytes - reserved_bytes; }
};

struct BackendStats {
  std::int64_t objects = 0;
  AccountStats open;
  AccountStats hidden;               // all of them together
  std::int64_t spilled_objects = 0;  // of `objects`; on disk, since memory had no room
  std::int64_t spilled_bytes = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // The URI scheme it serves: "mem", "fs", "oss".
  virtual std::string_view scheme() const = 0;

  // Stores under a key. expected: 0 for a key that must not exist yet, n for the version to
  // replace, or exactly one object. Errors: kImmutable when another is found (nothing is changed);
  // kQuota when the quota would be passed (nothing is changed). Returns the new version.
  virtual std::int64_t put(const std::string& key, ValuePtr value,
                           std::shared_ptr<const ObjectMeta> meta, const Expected& expected) = 0;

  // Makes a key the second name of an object of `owner`. Each name has a version and a number of
  // its own; value, meta and memory are the object's, which lives until its last name is erased, in
  // whatever order. A put that replaces one name leaves the others. The alias of an alias is one of
  // the object itself. It counts kObjectOverhead. Errors: kImmutable for a key that is taken;
  // kNotFound where the object is not there any more, or another one is; kInvalid for another
  // owner's; kQuota; kUnimplemented where each object has one name.
  virtual void alias(const std::string& key, const Owner& owner, const Entry& object);

  virtual std::optional<Object> get(const std::string& key) const = 0;
  virtual bool exists(const std::string& key) const = 0;
  // Whether get() finds it without reading anything, so that it may be called where nobody can
  // wait.
  virtual bool at_hand(const std::string& /*key*/) const { return false; }
  // Without touching the data.
  virtual std::optional<Entry> describe(const std::string& key) const = 0;

  // False where there was none.
  virtual bool erase(const std::string& key) = 0;
  // Erases what describe() told of, and nothing that took its place since.
  virtual bool erase_exactly(const Entry& entry) = 0;
  // Erases those of these keys that are the owner's. Returns how many.
  virtual std::int64_t erase_own(const Owner& owner, std::span<const std::string_view> keys);
  // Erases all of an owner; returns how many. What is put meanwhile may stay.
  virtual std::int64_t erase_all(const Owner& owner) = 0;

  // In order of keys: at most `limit` of the owner's that begin with `prefix` and come after
  // `after`. Takes time for those it returns, however many there are.
  virtual std::vector<Entry> list(const Owner& owner, std::string_view prefix,
                                  std::string_view after, std::int64_t limit) const = 0;

  // Sets memory aside before it is allocated. Errors: kQuota. Every reserve() is followed by one
  // unreserve() of the same size, when the value was put or given up. REQUIRES of these and left():
  // a hidden account is kept there by a hold().
  virtual void reserve(const Account& account, std::int64_t bytes) = 0;
  virtual void unreserve(const Account& account, std::int64_t bytes) = 0;
  // Sets memory aside for as long as the result lives, which may be longer than the backend does.
  // 0 bytes keep a hidden account and its quota there. Errors: kQuota.
  virtual std::shared_ptr<const void> hold(const Account& account, std::int64_t bytes) = 0;
  // Bytes that could be reserved now.
  virtual std::int64_t left(const Account& account) const = 0;

  virtual BackendStats stats() const = 0;
};

// Holds a reservation in the open account, and its owner's share of it, until it goes out of scope.
class Reservation {
 public:
  Reservation(Backend& backend, std::int64_t bytes, Owner owner = {})
      : backend_(backend), bytes_(bytes), account_(Account::open_of(std::move(owner))) {
    if (bytes_ > 0) backend_.reserve(account_, bytes_);
  }
  ~Reservation() { release(); }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  // Gives part of it back, all where that is less.
  void reduce(std::int64_t bytes) {
    bytes = bytes < bytes_ ? bytes : bytes_;
    if (bytes > 0) backend_.unreserve(account_, bytes);
    bytes_ -= bytes;
  }
  void release() { reduce(bytes_); }

 private:
  Backend& backend_;
  std::int64_t bytes_;
  const Account account_;
};

}  // namespace curia
