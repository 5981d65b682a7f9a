// What makes a stored file the worker's own: GMAC (NIST SP 800-38D, AES-256) over each MiB up to
// the footer, and HMAC-SHA256 over the footer that holds those. The key of GMAC belongs to one
// file: it is derived from the worker's key and the file's random salt, so that no nonce is ever
// used twice.
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

// The HMAC of a footer, under a key for footers that is derived from the worker's.
Digest footer_seal(const StoreKey& key, std::span<const std::uint8_t> footer);

// The checksums of one file.
class FileSeal {
 public:
  FileSeal(const StoreKey& key, const Digest& salt);
  ~FileSeal();
  FileSeal(const FileSeal&) = delete;
  FileSeal& operator=(const FileSeal&) = delete;

  // REQUIRES: each number once, when writing.
  Checksum checksum(std::uint32_t number, std::span<const std::uint8_t> data);

 private:
  struct Cipher;
  std::unique_ptr<Cipher> cipher_;
};

}  // namespace curia
