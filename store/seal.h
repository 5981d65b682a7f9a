// What makes a stored file the worker's own: GMAC (NIST SP 800-38D, AES-256) over each MiB up to
// the footer, and HMAC-SHA256 over the footer that holds those. Both under keys that belong to one
// file, derived from the worker's key and the file's random salt, so that no nonce is ever used
// twice.
//
// Invariant: no error message holds a key. Thread: a FileSeal belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "protocol/digest.h"

namespace curia {

using StoreKey = std::array<std::uint8_t, 32>;
using Checksum = std::array<std::uint8_t, 16>;

inline constexpr std::int64_t kChecksumBytes = std::int64_t{1} << 20;  // that one checksum covers

// The key of a worker's store, from the secret half of its own key pair.
StoreKey store_key(std::span<const std::uint8_t> worker_key);

Digest hmac_sha256(std::span<const std::uint8_t> key, std::span<const std::uint8_t> data);

class FileSeal {
 public:
  FileSeal(const StoreKey& key, const Digest& salt);
  ~FileSeal();
  FileSeal(const FileSeal&) = delete;
  FileSeal& operator=(const FileSeal&) = delete;

  // REQUIRES: each number once, when writing.
  Checksum checksum(std::uint32_t number, std::span<const std::uint8_t> data);
  Digest footer(std::span<const std::uint8_t> data) const;

 private:
  struct Cipher;
  std::array<std::uint8_t, 32> footer_key_{};
  std::unique_ptr<Cipher> cipher_;
};

}  // namespace curia
