// Whose turn it is to make room: keys, the one first that was not used for the longest time, of all
// owners and of each. Views of strings that the owner keeps. Thread: none of its own.
#pragma once

#include <list>
#include <map>
#include <string_view>

#include "store/backend.h"

namespace curia {

class TurnQueue {
 public:
  using Keys = std::list<std::string_view>;
  struct Place {
    Keys::iterator of_all{};
    Keys::iterator of_owner{};  // where each owner has a queue
  };

  // by_owner: whether each owner has a queue, too.
  explicit TurnQueue(bool by_owner) : by_owner_(by_owner) {}

  Place add(const Owner& owner, std::string_view key) {
    Place place{all_.insert(all_.end(), key), {}};
    if (!by_owner_) return place;
    try {
      Keys& own = owners_[owner];
      place.of_owner = own.insert(own.end(), key);
    } catch (...) {
      all_.erase(place.of_all);
      throw;
    }
    return place;
  }
  // It was used.
  void touch(const Owner& owner, const Place& place) {
    all_.splice(all_.end(), all_, place.of_all);
    if (!by_owner_) return;
    Keys& own = owners_.find(owner)->second;
    own.splice(own.end(), own, place.of_owner);
  }
  void rename(const Place& place, std::string_view key) {
    *place.of_all = key;
    if (by_owner_) *place.of_owner = key;
  }
  void remove(const Owner& owner, const Place& place) {
    all_.erase(place.of_all);
    if (!by_owner_) return;
    const auto own = owners_.find(owner);
    own->second.erase(place.of_owner);
    if (own->second.empty()) owners_.erase(own);
  }

  // owner: null for all. REQUIRES: each owner has a queue, or it is null.
  const Keys& of(const Owner* owner) const {
    if (owner == nullptr) return all_;
    const auto own = owners_.find(*owner);
    return own == owners_.end() ? none_ : own->second;
  }

 private:
  const bool by_owner_;
  Keys all_;
  std::map<Owner, Keys> owners_;
  const Keys none_;
};

}  // namespace curia
