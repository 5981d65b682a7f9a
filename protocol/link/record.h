// Sealed records: how the bytes of one data connection are protected. FORMAT.md has the exact
// bytes.
//
// A record is header (8 bytes, associated data), AES-256-GCM ciphertext, tag (16 bytes). Each
// direction has its own key; the nonce is the number of the record in its direction, counted by
// both sides and never sent, so a replayed, reordered, missing or altered record fails its tag.
// After a number of records or bytes both sides move to the next key by an HKDF ratchet.
//
// Thread: a Sealer or Opener belongs to whoever holds the write or read role of its connection.
// Invariant: no nonce is used twice with one key; an Opener that failed once fails for ever.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "protocol/error.h"

namespace curia {

using Secret = std::array<std::uint8_t, 32>;
using ConnectionToken = std::array<std::uint8_t, 16>;

inline constexpr std::int64_t kRecordHeader = 8;
inline constexpr std::int64_t kRecordTag = 16;
inline constexpr std::int64_t kRecordOverhead = kRecordHeader + kRecordTag;
inline constexpr std::int64_t kMaxRecord = 1 << 20;  // header and tag included
inline constexpr std::int64_t kMaxRecordPayload = kMaxRecord - kRecordOverhead;

// A key is replaced before it has sealed more than either. Part of the format: both ends agree.
// 2^36 bytes are 2^32 blocks, where the advantage against GCM is below 2^-60.
struct RecordLimits {
  std::uint64_t records = std::uint64_t{1} << 24;
  std::uint64_t bytes = std::uint64_t{1} << 36;
};

// What the two ends agreed on over the control plane.
struct KeyInputs {
  Secret dialer_secret{};
  Secret responder_secret{};
  ConnectionToken token{};
  std::string dialer;  // names of the two ends
  std::string responder;
};

enum class Direction : std::uint8_t { kFromDialer = 1, kFromResponder = 2 };

// The first secret of a direction's key chain.
Secret direction_secret(const KeyInputs& inputs, Direction direction);

class RecordCipher;  // EVP context, key chain and counter of one direction

class Sealer {
 public:
  explicit Sealer(const Secret& chain, const RecordLimits& limits = {});
  ~Sealer();
  Sealer(Sealer&&) noexcept;

  // Writes one record holding the parts one after the other to `out` and returns its size.
  // REQUIRES: the parts have at most kMaxRecordPayload bytes; `out` has kRecordOverhead more.
  std::int64_t seal(std::span<const std::span<const std::uint8_t>> parts, std::uint8_t* out);
  std::int64_t seal(std::span<const std::uint8_t> payload, std::uint8_t* out);

 private:
  std::unique_ptr<RecordCipher> cipher_;
};

// Opens records in order, in three steps so that the caller can choose where the bytes go:
// begin(), any number of decrypt() that take the payload exactly once, finish().
// Nothing decrypted may be used or shown before finish() returned.
class Opener {
 public:
  explicit Opener(const Secret& chain, const RecordLimits& limits = {});
  ~Opener();
  Opener(Opener&&) noexcept;

  // The payload bytes a header announces. Errors: kCorrupt when it cannot be the next record's.
  std::int64_t payload_size(const std::uint8_t* header) const;

  void begin(const std::uint8_t* header);
  void decrypt(const std::uint8_t* in, std::uint8_t* out, std::int64_t bytes);
  // Errors: kCorrupt when the tag does not fit; the connection must be dropped.
  void finish(const std::uint8_t* tag);

 private:
  std::unique_ptr<RecordCipher> cipher_;
};

}  // namespace curia
