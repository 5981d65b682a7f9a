// What there should be: objects that handles keep, and saved ones, at each party. Thread: one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "protocol/value.h"

namespace curia {

// A tensor whose element i is base + slope * i, modulo 2^64.
struct Numbers {
  static constexpr std::int64_t kCount = 4096;

  std::uint64_t base = 0;
  std::uint64_t slope = 0;

  Numbers times(std::uint64_t factor) const { return {base * factor, slope * factor}; }
  Numbers plus(const Numbers& other) const { return {base + other.base, slope + other.slope}; }
  Tensor tensor() const;
  bool is(const Value& value) const;
};

class Model {
 public:
  struct Object {
    std::string party;
    Numbers numbers;
    bool failed = false;
    int handles = 1;
    // Its session was resumed by another process, whose handles release nothing.
    bool weak = false;
  };

  int add(int session, const std::string& party, const Numbers& numbers, bool failed);
  const Object& object(int id) const { return objects_.at(id).second; }
  void copy(int id) { ++objects_.at(id).second.handles; }
  void drop(int id);
  void weaken(int session);
  void end_session(int session);
  // That a worker holds in memory.
  std::int64_t count(const std::string& party) const;

  // By party and name.
  std::map<std::pair<std::string, std::string>, Numbers> saved;

 private:
  std::map<int, std::pair<int, Object>> objects_;  // with their sessions
  int last_ = 0;
};

}  // namespace curia
