// Secure devices: groups of parties that compute together on secret shares (DESIGN section 11).
//
// A device belongs to one program: it is named there, with the protocol its members run and who
// they are. Thread: immutable once built.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace curia {

// Replicated secret sharing among three parties, semi-honest, honest majority (Araki et al., CCS
// 2016): one member alone learns nothing, any two together could.
inline constexpr std::string_view kReplicated3 = "replicated3";

inline constexpr std::int64_t kMaxDevices = 16;  // of one program

struct SecureDevice {
  std::string name;                  // as ops and types name it; not a party's name
  std::string protocol;              // kReplicated3
  std::vector<std::string> members;  // parties; their order gives the ranks, from 0

  bool operator==(const SecureDevice&) const = default;
  // -1 where the party is no member.
  int rank_of(std::string_view party) const;
  bool has(std::string_view party) const { return rank_of(party) >= 0; }
  // "replicated3(alice, bob, carol)"
  std::string str() const;
};

// nullptr where there is none of that name: then it is a party's.
const SecureDevice* find_device(std::span<const SecureDevice> devices, std::string_view name);

// Who holds a value placed there: the members of the device, or the party itself.
std::vector<std::string> holders(std::span<const SecureDevice> devices, const std::string& place);

// Errors: kInvalid for more than kMaxDevices, two of one name, a device as a member of another, and
// as check_device().
void check_devices(std::span<const SecureDevice> devices);

// Errors: kInvalid for a bad name, an unknown protocol, or another number of members than it has,
// a member twice, or one with the device's own name.
void check_device(const SecureDevice& device);

}  // namespace curia
