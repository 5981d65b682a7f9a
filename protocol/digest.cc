#include "protocol/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "protocol/error.h"

namespace curia {
namespace {

std::string to_hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string Digest::hex() const { return to_hex(bytes); }

Digest Digest::parse(std::string_view hex) {
  Digest digest;
  bool good = hex.size() == 64;
  for (std::size_t i = 0; good && i < 32; ++i) {
    const int high = hex_digit(hex[2 * i]);
    const int low = hex_digit(hex[2 * i + 1]);
    good = high >= 0 && low >= 0;
    digest.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  if (!good) {
    throw Error(Code::kInvalid, "expected a digest of 64 lower-case hex digits, found " +
                                    std::to_string(hex.size()) + " characters");
  }
  return digest;
}

Digest sha256(std::span<const std::uint8_t> data) {
  Digest digest;
  SHA256(data.data(), data.size(), digest.bytes.data());
  return digest;
}

// The one-shot SHA256_* calls are deprecated in OpenSSL 3 for their ENGINE hooks only; EVP costs a
// heap allocation per hash, which the run path pays per output, so the context is kept inline.
struct Hasher::State {
  SHA256_CTX context;
};

Hasher::Hasher(std::string_view domain) : state_(std::make_unique<State>()) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  SHA256_Init(&state_->context);
#pragma GCC diagnostic pop
  add(domain);
}

Hasher::~Hasher() = default;

void Hasher::add(std::span<const std::uint8_t> data) {
  const std::uint64_t size = data.size();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  SHA256_Update(&state_->context, &size, sizeof(size));
  SHA256_Update(&state_->context, data.data(), data.size());
#pragma GCC diagnostic pop
}

void Hasher::add(std::string_view text) {
  add(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

void Hasher::add(std::uint64_t number) {
  add(std::span(reinterpret_cast<const std::uint8_t*>(&number), sizeof(number)));
}

void Hasher::add(const Digest& digest) { add(std::span(digest.bytes)); }

Digest Hasher::finish() {
  Digest digest;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  SHA256_Final(digest.bytes.data(), &state_->context);
#pragma GCC diagnostic pop
  return digest;
}

void hkdf_sha256(std::string_view salt, std::span<const std::uint8_t> key, std::string_view info,
                 std::span<std::uint8_t> out) {
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(
      EVP_KDF_fetch(nullptr, "HKDF", nullptr), EVP_KDF_free);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
      EVP_KDF_CTX_new(kdf.get()), EVP_KDF_CTX_free);
  char hash[] = "SHA256";
  const auto octets = [](const char* name, std::string_view bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(bytes.data()), bytes.size());
  };
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<std::uint8_t*>(key.data()),
                                        key.size()),
      octets(OSSL_KDF_PARAM_SALT, salt), octets(OSSL_KDF_PARAM_INFO, info),
      OSSL_PARAM_construct_end()};
  if (!context || EVP_KDF_derive(context.get(), out.data(), out.size(), params) <= 0) {
    throw Error(Code::kFailed, "OpenSSL refused HKDF");
  }
}

void random_bytes(std::span<std::uint8_t> out) {
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) {
    throw Error(Code::kFailed, "the operating system gave no randomness");
  }
}

std::string random_hex(int size) {
  std::string raw(static_cast<std::size_t>(size), '\0');
  const std::span bytes(reinterpret_cast<std::uint8_t*>(raw.data()), raw.size());
  random_bytes(bytes);
  return to_hex(bytes);
}

Digest random_digest() {
  Digest digest;
  random_bytes(digest.bytes);
  return digest;
}

}  // namespace curia
