// Encryption of an object's file where others keep it: AES-256-GCM (NIST SP 800-38D) in chunks.
//
//   file   := "CURIAEN1"; 32 bytes salt; chunks
//   chunk  := up to 1 MiB, encrypted; 16 bytes tag
//
// The key of a file is HKDF(salt, the worker's key for this, "curia oss 1"), so that no nonce is
// used twice; the nonce is the chunk's number. Each chunk is bound to the object's URI, its number
// and whether it is the last, so that none can be moved, left out or taken from elsewhere.
//
// Invariant: no error message holds a key. Thread: one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "protocol/digest.h"
#include "store/seal.h"

namespace curia {

inline constexpr std::int64_t kCipherChunk = std::int64_t{1} << 20;
inline constexpr std::int64_t kCipherTag = 16;
inline constexpr std::int64_t kCipherHeader = 8 + 32;

// Bytes of the encrypted file, and back. Errors of the second: kCorrupt where no file has so many.
std::int64_t encrypted_bytes(std::int64_t plain);
std::int64_t decrypted_bytes(std::int64_t encrypted);

class ChunkCipher {
 public:
  ChunkCipher(const StoreKey& key, std::string_view uri, const Digest& salt);
  // For a file that is there, from its header. Errors: kCorrupt where it is none.
  static ChunkCipher of_header(const StoreKey& key, std::string_view uri,
                               std::span<const std::uint8_t> header);
  ~ChunkCipher();
  ChunkCipher(ChunkCipher&&) noexcept;
  ChunkCipher& operator=(ChunkCipher&&) = delete;

  // The beginning of a file with this salt.
  static std::string header(const Digest& salt);

  // `out` has room for the chunk and its tag. REQUIRES: each number once.
  void encrypt(std::uint64_t number, bool last, std::span<const std::uint8_t> chunk,
               std::uint8_t* out);
  // `chunk` with its tag. Errors: kCorrupt; then nothing of `out` may be used.
  void decrypt(std::uint64_t number, bool last, std::span<const std::uint8_t> chunk,
               std::uint8_t* out);

 private:
  struct Context;
  void begin(std::uint64_t number, bool last, bool encrypts);

  std::unique_ptr<Context> context_;
  std::string uri_;
};

}  // namespace curia
