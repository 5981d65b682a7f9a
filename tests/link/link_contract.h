// What every Link promises, run on each implementation.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "protocol/link/link.h"

namespace curia::test {

// Three parties ("alice", "bob", "carol") whose links reach one another.
class LinkWorld {
 public:
  virtual ~LinkWorld() = default;
  virtual Link& link(const std::string& party) = 0;
};

// Bytes that one lane may hold unreceived in the worlds made for the contract, where there is a
// limit.
inline constexpr std::int64_t kContractCredits = 256 << 10;

// Runs the subcases of the contract; a fresh world for each.
void link_contract(const std::function<std::unique_ptr<LinkWorld>()>& make_world);

// Helpers shared with the tests of one implementation.
SessionId session_id(int number);
SteadyTime soon();  // a deadline that is only there so that a broken link does not hang the test
Slice pattern(std::int64_t bytes, std::uint32_t seed);  // reproducible bytes
bool same_bytes(const Slice& a, const Slice& b);
std::string text(const Slice& slice);
// The code of the Error that `call` throws; kFailed - 1 (0) when it throws nothing.
Code code_of(const std::function<void()>& call);

}  // namespace curia::test
