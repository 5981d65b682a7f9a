#include "protocol/signature.h"

#include <openssl/evp.h>

#include <algorithm>
#include <string_view>

#include "protocol/error.h"

namespace curia {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

[[noreturn]] void refused() { throw Error(Code::kFailed, "OpenSSL cannot use Ed25519"); }

}  // namespace

std::string signature_hex(const Signature& signature) {
  Digest half;
  std::copy_n(signature.begin(), 32, half.bytes.begin());
  std::string text = half.hex();
  std::copy_n(signature.begin() + 32, 32, half.bytes.begin());
  return text + half.hex();
}

Signature parse_signature(std::string_view hex) {
  if (hex.size() != 128) {
    throw Error(Code::kInvalid, "expected a signature of 128 lower-case hex digits, found " +
                                    std::to_string(hex.size()) + " characters");
  }
  Signature signature{};
  const Digest first = Digest::parse(hex.substr(0, 64));
  const Digest second = Digest::parse(hex.substr(64));
  std::ranges::copy(first.bytes, signature.begin());
  std::ranges::copy(second.bytes, signature.begin() + 32);
  return signature;
}

SigningKey SigningKey::generate() { return SigningKey(random_digest()); }

SigningKey::SigningKey(const Digest& secret) : secret_(secret) {
  EVP_PKEY* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.bytes.data(),
                                               secret.bytes.size());
  if (key == nullptr) refused();
  key_ = std::shared_ptr<void>(key, [](void* old) { EVP_PKEY_free(static_cast<EVP_PKEY*>(old)); });
  std::size_t size = public_.bytes.size();
  if (EVP_PKEY_get_raw_public_key(key, public_.bytes.data(), &size) != 1) refused();
}

Signature SigningKey::sign(const Digest& digest) const {
  Signature signature{};
  std::size_t size = signature.size();
  const Context context(EVP_MD_CTX_new());
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr,
                         static_cast<EVP_PKEY*>(key_.get())) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, digest.bytes.data(),
                     digest.bytes.size()) != 1 ||
      size != signature.size()) {
    refused();
  }
  return signature;
}

bool verify_signature(const Digest& public_key, const Digest& digest, const Signature& signature) {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key.bytes.data(),
                                  public_key.bytes.size()),
      EVP_PKEY_free);
  const Context context(EVP_MD_CTX_new());
  return key != nullptr && context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), digest.bytes.data(),
                          digest.bytes.size()) == 1;
}

}  // namespace curia
