#include "protocol/link/record.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <cstring>
#include <vector>

#include "protocol/link/bytes.h"

namespace curia {
namespace {

constexpr std::string_view kDirectionInfo = "curia data 1 direction";
constexpr std::string_view kKeyInfo = "curia data 1 key";
constexpr std::string_view kNextInfo = "curia data 1 next";
constexpr std::size_t kNonceBytes = 12;

[[noreturn]] void crypto_failed(const char* what) {
  throw Error(Code::kFailed, std::string("OpenSSL refused ") + what);
}

void hkdf(int mode, std::span<const std::uint8_t> salt, std::span<const std::uint8_t> key,
          std::span<const std::uint8_t> info, std::span<std::uint8_t> out) {
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(
      EVP_KDF_fetch(nullptr, "HKDF", nullptr), EVP_KDF_free);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
      EVP_KDF_CTX_new(kdf.get()), EVP_KDF_CTX_free);
  if (!context) crypto_failed("HKDF");
  char digest[] = "SHA256";
  const auto octets = [](const char* name, std::span<const std::uint8_t> bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()),
                                             bytes.size());
  };
  std::vector<OSSL_PARAM> params = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octets(OSSL_KDF_PARAM_KEY, key), octets(OSSL_KDF_PARAM_INFO, info)};
  if (!salt.empty()) params.push_back(octets(OSSL_KDF_PARAM_SALT, salt));
  params.push_back(OSSL_PARAM_construct_end());
  if (EVP_KDF_derive(context.get(), out.data(), out.size(), params.data()) <= 0) {
    crypto_failed("HKDF");
  }
}

void expand(const Secret& secret, std::string_view info, std::span<std::uint8_t> out) {
  hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, {}, secret,
       {reinterpret_cast<const std::uint8_t*>(info.data()), info.size()}, out);
}

void append_name(std::vector<std::uint8_t>& out, std::string_view name) {
  std::uint8_t length[4];
  put_u32(length, static_cast<std::uint32_t>(name.size()));
  out.insert(out.end(), length, length + 4);
  out.insert(out.end(), name.begin(), name.end());
}

}  // namespace

Secret direction_secret(const KeyInputs& inputs, Direction direction) {
  std::array<std::uint8_t, 64> key;
  std::memcpy(key.data(), inputs.dialer_secret.data(), 32);
  std::memcpy(key.data() + 32, inputs.responder_secret.data(), 32);
  std::vector<std::uint8_t> info(kDirectionInfo.begin(), kDirectionInfo.end());
  append_name(info, inputs.dialer);
  append_name(info, inputs.responder);
  info.push_back(static_cast<std::uint8_t>(direction));
  Secret secret;
  hkdf(EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, inputs.token, key, info, secret);
  OPENSSL_cleanse(key.data(), key.size());
  return secret;
}

class RecordCipher {
 public:
  RecordCipher(const Secret& chain, const RecordLimits& limits, bool encrypt)
      : context_(EVP_CIPHER_CTX_new()), chain_(chain), limits_(limits), encrypt_(encrypt) {
    if (context_ == nullptr ||
        EVP_CipherInit_ex(context_, EVP_aes_256_gcm(), nullptr, nullptr, nullptr, encrypt) != 1) {
      crypto_failed("AES-256-GCM");
    }
    load_key();
  }

  ~RecordCipher() {
    EVP_CIPHER_CTX_free(context_);
    OPENSSL_cleanse(chain_.data(), chain_.size());
    OPENSSL_cleanse(salt_.data(), salt_.size());
  }
  RecordCipher(const RecordCipher&) = delete;
  RecordCipher& operator=(const RecordCipher&) = delete;

  // The generation that the next record belongs to; the ratchet itself happens in begin().
  std::uint32_t next_generation() const { return generation_ + (used_up() ? 1 : 0); }

  void begin(const std::uint8_t* header, std::int64_t payload) {
    if (failed_) throw Error(Code::kCorrupt, "the record layer of this connection had failed");
    failed_ = true;  // until finish
    if (used_up()) ratchet();
    std::array<std::uint8_t, kNonceBytes> nonce = salt_;
    for (int i = 0; i < 8; ++i) {
      nonce[4 + static_cast<std::size_t>(i)] ^=
          static_cast<std::uint8_t>(counter_ >> (8 * (7 - i)));
    }
    int ignored = 0;
    if (EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, nonce.data(), -1) != 1 ||
        EVP_CipherUpdate(context_, nullptr, &ignored, header, kRecordHeader) != 1) {
      crypto_failed("a nonce");
    }
    counter_++;
    records_++;
    bytes_ += static_cast<std::uint64_t>(payload);
  }

  void update(const std::uint8_t* in, std::uint8_t* out, std::int64_t bytes) {
    if (bytes == 0) return;
    int done = 0;
    if (EVP_CipherUpdate(context_, out, &done, in, static_cast<int>(bytes)) != 1 || done != bytes) {
      crypto_failed("a block");
    }
  }

  // `tag` is written when encrypting, and compared when decrypting (false: it differs).
  bool finish(std::uint8_t* tag) {
    std::uint8_t none[16];
    int done = 0;
    if (!encrypt_ && EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, kRecordTag, tag) != 1) {
      crypto_failed("a tag");
    }
    if (EVP_CipherFinal_ex(context_, none, &done) != 1) return false;
    if (encrypt_ && EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, kRecordTag, tag) != 1) {
      crypto_failed("a tag");
    }
    failed_ = false;
    return true;
  }

 private:
  bool used_up() const { return records_ >= limits_.records || bytes_ >= limits_.bytes; }

  void load_key() {
    std::array<std::uint8_t, 32 + kNonceBytes> material;
    expand(chain_, kKeyInfo, material);
    std::memcpy(salt_.data(), material.data() + 32, kNonceBytes);
    const int good =
        EVP_CipherInit_ex(context_, nullptr, nullptr, material.data(), nullptr, encrypt_);
    OPENSSL_cleanse(material.data(), material.size());
    if (good != 1) crypto_failed("a key");
  }

  void ratchet() {
    Secret next;
    expand(chain_, kNextInfo, next);
    chain_ = next;
    OPENSSL_cleanse(next.data(), next.size());
    load_key();
    generation_++;
    records_ = 0;
    bytes_ = 0;
  }

  EVP_CIPHER_CTX* const context_;
  Secret chain_;
  const RecordLimits limits_;
  const bool encrypt_;
  std::array<std::uint8_t, kNonceBytes> salt_{};
  std::uint32_t generation_ = 0;
  std::uint64_t counter_ = 0;  // records of the connection, never reset
  std::uint64_t records_ = 0;  // of this key
  std::uint64_t bytes_ = 0;    // of this key
  bool failed_ = false;
};

Sealer::Sealer(const Secret& chain, const RecordLimits& limits)
    : cipher_(std::make_unique<RecordCipher>(chain, limits, true)) {}
Sealer::~Sealer() = default;
Sealer::Sealer(Sealer&&) noexcept = default;

std::int64_t Sealer::seal(std::span<const std::span<const std::uint8_t>> parts, std::uint8_t* out) {
  std::int64_t payload = 0;
  for (const auto& part : parts) payload += static_cast<std::int64_t>(part.size());
  expect(payload <= kMaxRecordPayload, "a record's payload is longer than kMaxRecordPayload");
  put_u32(out, static_cast<std::uint32_t>(payload));
  put_u32(out + 4, cipher_->next_generation());
  cipher_->begin(out, payload);
  std::uint8_t* to = out + kRecordHeader;
  for (const auto& part : parts) {
    cipher_->update(part.data(), to, static_cast<std::int64_t>(part.size()));
    to += part.size();
  }
  if (!cipher_->finish(to)) crypto_failed("a record");
  return payload + kRecordOverhead;
}

std::int64_t Sealer::seal(std::span<const std::uint8_t> payload, std::uint8_t* out) {
  return seal(std::span(&payload, 1), out);
}

Opener::Opener(const Secret& chain, const RecordLimits& limits)
    : cipher_(std::make_unique<RecordCipher>(chain, limits, false)) {}
Opener::~Opener() = default;
Opener::Opener(Opener&&) noexcept = default;

std::int64_t Opener::payload_size(const std::uint8_t* header) const {
  const std::int64_t payload = get_u32(header);
  const std::uint32_t generation = get_u32(header + 4);
  if (payload > kMaxRecordPayload || generation != cipher_->next_generation()) {
    throw Error(Code::kCorrupt, "expected a record header, found other bytes on a data connection");
  }
  return payload;
}

void Opener::begin(const std::uint8_t* header) { cipher_->begin(header, payload_size(header)); }

void Opener::decrypt(const std::uint8_t* in, std::uint8_t* out, std::int64_t bytes) {
  cipher_->update(in, out, bytes);
}

void Opener::finish(const std::uint8_t* tag) {
  std::uint8_t copy[kRecordTag];
  std::memcpy(copy, tag, kRecordTag);
  if (!cipher_->finish(copy)) {
    throw Error(Code::kCorrupt,
                "expected the next record of a data connection, found one whose tag does not fit: "
                "altered, replayed, reordered, or sealed by somebody else");
  }
}

}  // namespace curia
