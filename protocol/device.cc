#include "protocol/device.h"

#include <algorithm>

#include "protocol/error.h"
#include "protocol/list_text.h"
#include "protocol/type.h"

namespace curia {

int SecureDevice::rank_of(std::string_view party) const {
  const auto at = std::ranges::find(members, party);
  return at == members.end() ? -1 : static_cast<int>(at - members.begin());
}

std::string SecureDevice::str() const { return protocol + "(" + list_text(members) + ")"; }

const SecureDevice* find_device(std::span<const SecureDevice> devices, std::string_view name) {
  const auto at = std::ranges::find(devices, name, &SecureDevice::name);
  return at == devices.end() ? nullptr : &*at;
}

std::vector<std::string> holders(std::span<const SecureDevice> devices, const std::string& place) {
  const SecureDevice* device = find_device(devices, place);
  return device == nullptr ? std::vector<std::string>{place} : device->members;
}

void check_device(const SecureDevice& device) {
  check_name(device.name, "device");
  const auto refuse = [&device](const std::string& why) {
    throw Error(Code::kInvalid, "device \"" + device.name + "\": " + why);
  };
  if (device.protocol != kReplicated3) {
    refuse("expected protocol \"" + std::string(kReplicated3) + "\", found \"" +
           device.protocol.substr(0, 32) + "\"");
  }
  if (device.members.size() != 3) {
    refuse("expected three members for " + device.protocol + ", found " +
           std::to_string(device.members.size()));
  }
  for (std::size_t i = 0; i < device.members.size(); ++i) {
    const std::string& member = device.members[i];
    check_name(member, "party");
    if (device.rank_of(member) != static_cast<int>(i)) {
      refuse("expected three distinct members, found " + member + " twice");
    }
    if (member == device.name) {
      refuse("a member has the name of the device itself; give the device a name of its own");
    }
  }
}

void check_devices(std::span<const SecureDevice> devices) {
  if (std::ssize(devices) > kMaxDevices) {
    throw Error(Code::kInvalid, "expected at most " + std::to_string(kMaxDevices) +
                                    " devices, found " + std::to_string(devices.size()));
  }
  for (const SecureDevice& device : devices) {
    check_device(device);
    if (find_device(devices, device.name) != &device) {
      throw Error(Code::kInvalid, "two devices are called \"" + device.name + "\"");
    }
    for (const std::string& member : device.members) {
      if (find_device(devices, member) == nullptr) continue;
      throw Error(Code::kInvalid, "device \"" + device.name +
                                      "\": expected parties as members, found device \"" + member +
                                      "\"; give devices names that no party has");
    }
  }
}

}  // namespace curia
