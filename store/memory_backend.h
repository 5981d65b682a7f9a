// mem://: objects in memory, with quotas that are enforced before anything is allocated.
//
// With a place to spill to, objects that nobody uses go there when the open account is full, the
// one first that was not used for the longest time. Where a session's share of it is full, that is
// one of its own. They are found as before: mapped, and in memory
// again where there is room. What is hidden never spills: how much memory it takes is not to be
// seen (decision 0017).
//
// An object that gets a second name moves to a key that no URI has, its body's; what is found under
// its names from then on says no more than that. An object with one name knows nothing of that.
// Thread: any (one mutex for the objects, one for what they count; values are shared, never
// copied).
#pragma once

#include <mutex>
#include <unordered_map>

#include "store/counted_backend.h"
#include "store/name_table.h"
#include "store/owned_keys.h"
#include "store/spill.h"
#include "store/turn_queue.h"

namespace curia {

class MemoryBackend : public CountedBackend {
 public:
  // Smaller objects stay: what a file takes beside its value would be more than is won.
  static constexpr std::int64_t kLeastSpilled = 16 << 10;

  // Quotas of the open account, of all hidden ones together, and of each session in the open one;
  // 0: none. spill: null for none.
  MemoryBackend(std::int64_t open_quota, std::int64_t hidden_quota,
                std::unique_ptr<Spill> spill = nullptr, std::int64_t session_quota = 0);
  ~MemoryBackend() override;

  std::string_view scheme() const override { return "mem"; }
  // Errors: also those of Spill::write(), where that is why there is no room.
  std::int64_t put(const std::string& key, ValuePtr value, std::shared_ptr<const ObjectMeta> meta,
                   const Expected& expected) override;
  void alias(const std::string& key, const Owner& owner, const Entry& object) override;
  // Errors: kCorrupt for a spilled object that cannot be read back.
  std::optional<Object> get(const std::string& key) const override;
  bool exists(const std::string& key) const override;
  bool at_hand(const std::string& key) const override;
  std::optional<Entry> describe(const std::string& key) const override;
  bool erase(const std::string& key) override;
  bool erase_exactly(const Entry& entry) override;
  std::int64_t erase_own(const Owner& owner, std::span<const std::string_view> keys) override;
  std::int64_t erase_all(const Owner& owner) override;
  std::vector<Entry> list(const Owner& owner, std::string_view prefix, std::string_view after,
                          std::int64_t limit) const override;
  void reserve(const Account& account, std::int64_t bytes) override;
  std::shared_ptr<const void> hold(const Account& account, std::int64_t bytes) override;
  BackendStats stats() const override;

 private:
  // Of an object that can be spilled, or was.
  struct Turn {
    std::int64_t bytes = 0;                   // that the value counts
    TurnQueue::Place place;                   // in turns_, where it is in memory
    std::shared_ptr<const Spill::File> file;  // else
    std::weak_ptr<const Value> mapped;        // of the file, while somebody uses it
  };
  // Small, since there may be millions.
  struct Kept {
    Object object;  // on the disk: its value is null, its charge that of an empty one
    std::unique_ptr<Turn> turn;

    bool on_disk() const { return turn != nullptr && turn->file != nullptr; }
    // One of several of a body, which has value and charge.
    bool is_name() const { return object.value == nullptr && turn == nullptr; }
  };
  // Finds views of keys without a copy. Not noexcept, so that a hash is kept with each key.
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const {
      return std::hash<std::string_view>()(key);
    }
  };
  using Objects = std::unordered_map<std::string, Kept, KeyHash, std::equal_to<>>;
  // Of what was erased, freed after the lock.
  struct Gone {
    Objects::node_type object;
    Objects::node_type body;  // that it was the last name of
    NameTable::ChargePtr charge;
  };

  std::int64_t put_now(const std::string& key, const ValuePtr& value,
                       const std::shared_ptr<const ObjectMeta>& meta, const Expected& expected);
  void alias_now(const std::string& key, const Owner& owner, const Entry& object);
  // number: of the object that it must be; 0: any.
  bool erase_if(const std::string& key, std::uint64_t number);
  std::optional<Object> read_back(const std::string& key, Object object,
                                  const std::shared_ptr<const Spill::File>& file,
                                  std::int64_t bytes) const;
  // What `action` returns; while the open account, or the owner's share of it, has no room for
  // `wanted` bytes, objects go to the disk and it is tried again.
  template <class Action>
  auto with_room(const Owner& owner, std::int64_t wanted, const Action& action) const;
  // of: whose; null for any. False where there is nothing to spill. REQUIRES: spilling_ held.
  bool spill_one(const Owner* of) const;

  // REQUIRES for these: mutex_ held.
  Gone take(Objects::iterator at);
  // Ends its turn, or its being a name.
  void leave(Objects::iterator at, Gone& gone);
  // Where the object of a key is: there, or in the body that it is a name of.
  Objects::iterator resolve(Objects::iterator at) const;
  // What is freed with a key; null for what somebody uses.
  const Charge* freed_with(Objects::iterator at) const;
  void make_body(Objects::iterator at);
  Entry entry_of(Objects::iterator at) const;
  void enqueue(const std::string& key, Kept& kept, std::int64_t bytes) const;
  void dequeue(Kept& kept) const;

  const std::unique_ptr<Spill> spill_;
  mutable std::mutex spilling_;  // before mutex_, where both are held
  mutable std::mutex mutex_;
  // Mutable, since where a value is changes nothing for who reads it.
  mutable Objects objects_;
  mutable TurnQueue turns_;
  std::uint64_t last_number_ = 0;
  OwnedKeys keys_;   // of objects_, without bodies
  NameTable names_;  // of bodies
};

}  // namespace curia
