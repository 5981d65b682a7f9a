#include "store/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>

#include "protocol/error.h"

namespace curia {
namespace {

constexpr int kNonceBytes = 12;

[[noreturn]] void refused() { throw Error(Code::kFailed, "OpenSSL refused a checksum"); }

}  // namespace

StoreKey store_key(std::span<const std::uint8_t> worker_key) {
  StoreKey key{};
  hkdf_sha256("curia store 1", worker_key, "store", key);
  return key;
}

Digest hmac_sha256(std::span<const std::uint8_t> key, std::span<const std::uint8_t> data) {
  Digest digest;
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data.data(), data.size(),
           digest.bytes.data(), &size) == nullptr) {
    refused();
  }
  return digest;
}

Digest footer_seal(const StoreKey& key, std::span<const std::uint8_t> footer) {
  std::array<std::uint8_t, 32> footer_key{};
  hkdf_sha256("curia footer 1", key, "footer", footer_key);
  const Digest seal = hmac_sha256(footer_key, footer);
  OPENSSL_cleanse(footer_key.data(), footer_key.size());
  return seal;
}

struct FileSeal::Cipher {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  ~Cipher() { EVP_CIPHER_CTX_free(context); }
};

FileSeal::FileSeal(const StoreKey& key, const Digest& salt) : cipher_(std::make_unique<Cipher>()) {
  std::array<std::uint8_t, 32> file_key{};
  const std::string_view text(reinterpret_cast<const char*>(salt.bytes.data()), salt.bytes.size());
  hkdf_sha256(text, key, "curia file 1", file_key);
  const bool good =
      cipher_->context != nullptr && EVP_EncryptInit_ex(cipher_->context, EVP_aes_256_gcm(),
                                                        nullptr, file_key.data(), nullptr) == 1;
  OPENSSL_cleanse(file_key.data(), file_key.size());
  if (!good) refused();
}

FileSeal::~FileSeal() = default;

Checksum FileSeal::checksum(std::uint32_t number, std::span<const std::uint8_t> data) {
  std::array<std::uint8_t, kNonceBytes> nonce{};
  std::memcpy(nonce.data(), &number, sizeof(number));
  Checksum sum{};
  int size = 0;
  EVP_CIPHER_CTX* context = cipher_->context;
  if (EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) != 1 ||
      EVP_EncryptUpdate(context, nullptr, &size, data.data(), static_cast<int>(data.size())) != 1 ||
      EVP_EncryptFinal_ex(context, sum.data(), &size) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, static_cast<int>(sum.size()),
                          sum.data()) != 1) {
    refused();
  }
  return sum;
}

}  // namespace curia
