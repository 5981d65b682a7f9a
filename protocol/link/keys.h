// CURVE key pairs and the file that keeps one. Keys are Z85 text of 40 characters.
//
// Invariant: no error message holds a secret key.
#pragma once

#include <string>
#include <string_view>

namespace curia {

struct KeyPair {
  std::string public_key;
  std::string secret_key;
};

KeyPair generate_keys();

// The public half. Errors: kInvalid when `secret` is not a key.
std::string public_key(const std::string& secret);

// Errors: kInvalid, naming `what` ("public key of alice"), when this is not a Z85 key.
void check_key(std::string_view key, std::string_view what);

// Writes a new file of mode 0600. Errors: kInvalid when `path` exists (a key is never overwritten)
// or cannot be written.
void save_keys(const std::string& path, const KeyPair& keys);

// Errors: kNotFound without such a file; kInvalid when others than its owner may read or change it,
// or when its content is not a key pair.
KeyPair load_keys(const std::string& path);

// The text of a file that holds a secret. Errors: kNotFound without such a file; kInvalid when
// others than its owner may read or change it, or it has more than 4096 bytes.
std::string read_private_file(const std::string& path);

}  // namespace curia
