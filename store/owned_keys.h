// The keys of a backend's objects in order, by owner. Views, as in OrderedKeys. Thread: none of its
// own.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "store/backend.h"
#include "store/ordered_keys.h"

namespace curia {

class OwnedKeys {
 public:
  // REQUIRES: it is not among the owner's.
  void insert(const Owner& owner, std::string_view key) { keys_[owner].insert(key); }
  // REQUIRES: it is among the owner's.
  void erase(const Owner& owner, std::string_view key) {
    const auto keys = keys_.find(owner);
    keys->second.erase(key);
    if (keys->second.empty()) keys_.erase(keys);
  }

  // The first key of an owner; "" where it has none.
  std::string first(const Owner& owner) const {
    const auto keys = keys_.find(owner);
    return keys == keys_.end() || keys->second.empty() ? "" : std::string(keys->second.first());
  }
  // As Backend::list(); entry_of(key) gives the entry of a key.
  template <class EntryOf>
  std::vector<Entry> list(const Owner& owner, std::string_view prefix, std::string_view after,
                          std::int64_t limit, const EntryOf& entry_of) const {
    std::vector<Entry> entries;
    const auto keys = keys_.find(owner);
    if (keys == keys_.end()) return entries;
    const bool begin = after < prefix;
    keys->second.visit(begin ? prefix : after, !begin, [&](std::string_view key) {
      if (!key.starts_with(prefix) || std::ssize(entries) >= limit) return false;
      entries.push_back(entry_of(std::string(key)));
      return true;
    });
    return entries;
  }

 private:
  std::map<Owner, OrderedKeys> keys_;
};

}  // namespace curia
