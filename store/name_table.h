// Which keys of a backend are names of one object, and what they count.
//
// The object is elsewhere, under a key that no URI has: its body's. Chains are flat, since a name
// is always one of a body, however it was made. Names are views of strings that the owner keeps.
// Thread: none of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace curia {

class NameTable {
 public:
  using ChargePtr = std::shared_ptr<const void>;

  // The key for the body of an object that has the number `number`.
  static std::string body_key(std::uint64_t number) { return "#" + std::to_string(number); }

  // Gives a body its first name, which counts what the body does. Changes nothing when there is no
  // memory.
  void begin(std::string_view name, const std::string& body) {
    const auto at = bodies_.try_emplace(body).first;
    try {
      names_.emplace(name, &*at);
    } catch (...) {
      bodies_.erase(at);
      throw;
    }
  }
  // Another name, for one that counts `charge`. REQUIRES: `of` is a name of a body. Changes nothing
  // when there is no memory.
  void add(std::string_view name, std::string_view of, ChargePtr charge) {
    Bodies::value_type* const body = names_.find(of)->second;
    body->second.push_back(std::move(charge));
    try {
      names_.emplace(name, body);
    } catch (...) {
      body->second.pop_back();
      throw;
    }
  }

  // REQUIRES for these: it is a name of a body.
  const std::string& body_of(std::string_view name) const {
    return names_.find(name)->second->first;
  }
  // What goes when the name does; null: what the body counts, since it is the last one.
  const ChargePtr& charge_of(std::string_view name) const {
    const std::vector<ChargePtr>& charges = names_.find(name)->second->second;
    return charges.empty() ? none_ : charges.back();
  }
  // The same, and ends it.
  ChargePtr remove(std::string_view name) {
    const auto at = names_.find(name);
    std::vector<ChargePtr>& charges = at->second->second;
    ChargePtr gone;
    if (charges.empty()) {
      bodies_.erase(bodies_.find(at->second->first));
    } else {
      gone = std::move(charges.back());
      charges.pop_back();
    }
    names_.erase(at);
    return gone;
  }

  std::int64_t bodies() const { return std::ssize(bodies_); }

 private:
  // By key, what its names count, without one that the body counts.
  using Bodies = std::unordered_map<std::string, std::vector<ChargePtr>>;

  Bodies bodies_;
  std::unordered_map<std::string_view, Bodies::value_type*> names_;
  const ChargePtr none_;
};

}  // namespace curia
