#include "store/chunk_cipher.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "protocol/error.h"

namespace curia {
namespace {

constexpr std::string_view kMark = "CURIAEN1";
constexpr std::size_t kNonceBytes = 12;

[[noreturn]] void refused() { throw Error(Code::kFailed, "OpenSSL refused a cipher"); }

}  // namespace

std::int64_t encrypted_bytes(std::int64_t plain) {
  const std::int64_t chunks = std::max<std::int64_t>(1, (plain + kCipherChunk - 1) / kCipherChunk);
  return kCipherHeader + plain + chunks * kCipherTag;
}

std::int64_t decrypted_bytes(std::int64_t encrypted) {
  const std::int64_t body = encrypted - kCipherHeader;
  const std::int64_t whole = kCipherChunk + kCipherTag;
  const std::int64_t chunks = (body + whole - 1) / whole;
  const std::int64_t plain = body - chunks * kCipherTag;
  if (body < kCipherTag || plain < 0 || encrypted_bytes(plain) != encrypted) {
    throw Error(Code::kCorrupt, "the encrypted file was cut");
  }
  return plain;
}

struct ChunkCipher::Context {
  EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
  std::array<std::uint8_t, 32> key{};
  ~Context() {
    EVP_CIPHER_CTX_free(cipher);
    OPENSSL_cleanse(key.data(), key.size());
  }
};

ChunkCipher::ChunkCipher(const StoreKey& key, std::string_view uri, const Digest& salt)
    : context_(std::make_unique<Context>()), uri_(uri) {
  const std::string_view text(reinterpret_cast<const char*>(salt.bytes.data()), salt.bytes.size());
  hkdf_sha256(text, key, "curia oss 1", context_->key);
  if (context_->cipher == nullptr) refused();
}

ChunkCipher::~ChunkCipher() = default;
ChunkCipher::ChunkCipher(ChunkCipher&&) noexcept = default;

ChunkCipher ChunkCipher::of_header(const StoreKey& key, std::string_view uri,
                                   std::span<const std::uint8_t> header) {
  if (std::ssize(header) != kCipherHeader ||
      std::memcmp(header.data(), kMark.data(), kMark.size()) != 0) {
    throw Error(Code::kCorrupt, "the file is not an encrypted one");
  }
  Digest salt;
  std::memcpy(salt.bytes.data(), header.data() + kMark.size(), salt.bytes.size());
  return {key, uri, salt};
}

std::string ChunkCipher::header(const Digest& salt) {
  return std::string(kMark) +
         std::string(reinterpret_cast<const char*>(salt.bytes.data()), salt.bytes.size());
}

void ChunkCipher::begin(std::uint64_t number, bool last, bool encrypts) {
  std::array<std::uint8_t, kNonceBytes> nonce{};
  std::memcpy(nonce.data(), &number, sizeof(number));
  std::string bound = uri_;
  bound.push_back('\0');
  bound.append(reinterpret_cast<const char*>(&number), sizeof(number));
  bound.push_back(last ? '\1' : '\0');
  EVP_CIPHER_CTX* cipher = context_->cipher;
  int size = 0;
  if (EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), nullptr, context_->key.data(), nonce.data(),
                        encrypts ? 1 : 0) != 1 ||
      EVP_CipherUpdate(cipher, nullptr, &size, reinterpret_cast<const std::uint8_t*>(bound.data()),
                       static_cast<int>(bound.size())) != 1) {
    refused();
  }
}

void ChunkCipher::encrypt(std::uint64_t number, bool last, std::span<const std::uint8_t> chunk,
                          std::uint8_t* out) {
  begin(number, last, true);
  EVP_CIPHER_CTX* cipher = context_->cipher;
  int size = 0;
  int rest = 0;
  if (EVP_CipherUpdate(cipher, out, &size, chunk.data(), static_cast<int>(chunk.size())) != 1 ||
      EVP_CipherFinal_ex(cipher, out + size, &rest) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, kCipherTag, out + chunk.size()) != 1) {
    refused();
  }
}

void ChunkCipher::decrypt(std::uint64_t number, bool last, std::span<const std::uint8_t> chunk,
                          std::uint8_t* out) {
  if (std::ssize(chunk) < kCipherTag) throw Error(Code::kCorrupt, "an encrypted chunk was cut");
  begin(number, last, false);
  EVP_CIPHER_CTX* cipher = context_->cipher;
  const auto text = chunk.first(chunk.size() - kCipherTag);
  std::array<std::uint8_t, kCipherTag> tag{};
  std::memcpy(tag.data(), chunk.data() + text.size(), tag.size());
  int size = 0;
  int rest = 0;
  if (EVP_CipherUpdate(cipher, out, &size, text.data(), static_cast<int>(text.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, kCipherTag, tag.data()) != 1) {
    refused();
  }
  if (EVP_CipherFinal_ex(cipher, out + size, &rest) != 1) {
    throw Error(Code::kCorrupt, "its bytes are not what was encrypted under this name, in chunk " +
                                    std::to_string(number));
  }
}

}  // namespace curia
