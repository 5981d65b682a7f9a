// Little-endian numbers in byte buffers, as the data plane writes them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace curia {

static_assert(std::endian::native == std::endian::little, "Curia runs on little-endian machines");

inline void put_u16(std::uint8_t* to, std::uint16_t value) { std::memcpy(to, &value, 2); }
inline void put_u32(std::uint8_t* to, std::uint32_t value) { std::memcpy(to, &value, 4); }
inline void put_u64(std::uint8_t* to, std::uint64_t value) { std::memcpy(to, &value, 8); }

inline std::uint16_t get_u16(const std::uint8_t* from) {
  std::uint16_t value;
  std::memcpy(&value, from, 2);
  return value;
}
inline std::uint32_t get_u32(const std::uint8_t* from) {
  std::uint32_t value;
  std::memcpy(&value, from, 4);
  return value;
}
inline std::uint64_t get_u64(const std::uint8_t* from) {
  std::uint64_t value;
  std::memcpy(&value, from, 8);
  return value;
}

}  // namespace curia
