// SHA-256 and its 32-byte result, used for program digests, lineages and snapshots.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace curia {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  std::string hex() const;  // 64 lower-case digits
  bool empty() const { return *this == Digest{}; }

  // The inverse of hex(). Errors: kInvalid unless exactly 64 lower-case hex digits.
  static Digest parse(std::string_view hex);
};

Digest sha256(std::span<const std::uint8_t> data);

// SHA-256 over several pieces. Every add() is preceded by its length, so pieces cannot run
// together.
class Hasher {
 public:
  explicit Hasher(std::string_view domain);
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void add(std::span<const std::uint8_t> data);
  void add(std::string_view text);
  void add(std::uint64_t number);
  void add(const Digest& digest);
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// HKDF with SHA-256 (RFC 5869), extract and expand. Errors: kFailed when OpenSSL refuses.
void hkdf_sha256(std::string_view salt, std::span<const std::uint8_t> key, std::string_view info,
                 std::span<std::uint8_t> out);

// `size` bytes of the operating system's randomness as lower-case hex (2 digits a byte).
std::string random_hex(int size);
void random_bytes(std::span<std::uint8_t> out);
Digest random_digest();

}  // namespace curia

template <>
struct std::hash<curia::Digest> {
  std::size_t operator()(const curia::Digest& digest) const noexcept {
    std::size_t word;
    static_assert(sizeof(word) <= sizeof(digest.bytes));
    __builtin_memcpy(&word, digest.bytes.data(), sizeof(word));
    return word;
  }
};
