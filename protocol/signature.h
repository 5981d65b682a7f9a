// Ed25519 signatures (RFC 8032), by OpenSSL. Keys of connections (link/keys.h) are not for signing.
//
// Invariant: no error message holds a secret. Thread: immutable, any.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "protocol/digest.h"

namespace curia {

using Signature = std::array<std::uint8_t, 64>;

std::string signature_hex(const Signature& signature);
// The inverse. Errors: kInvalid unless exactly 128 lower-case hex digits.
Signature parse_signature(std::string_view hex);

class SigningKey {
 public:
  static SigningKey generate();
  // From the 32 secret bytes.
  explicit SigningKey(const Digest& secret);

  const Digest& public_key() const { return public_; }
  const Digest& secret() const { return secret_; }
  // Of a digest, which binds what is signed and for which purpose (Hasher's domain).
  // Errors: kFailed when OpenSSL refuses.
  Signature sign(const Digest& digest) const;

 private:
  Digest secret_;
  Digest public_;
  std::shared_ptr<void> key_;
};

// False also for a key that is none.
bool verify_signature(const Digest& public_key, const Digest& digest, const Signature& signature);

}  // namespace curia
