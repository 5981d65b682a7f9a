#include "worker/mpc/stream.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/simd.h"

namespace curia {
namespace {

constexpr std::int64_t kBlock = 16;  // bytes
constexpr std::int64_t kBlocksAtOnce = 32;
constexpr std::int64_t kMostWords = std::int64_t{1} << 33;

struct Counter {
  std::uint32_t block, use, step, op;  // the counter block, in this order
};
static_assert(sizeof(Counter) == kBlock);

#if CURIA_SIMD_LEVELS
// 2: VAES with 512-bit vectors, 1: AES-NI, 0: neither.
int aes_level() {
  static const int level = [] {
    if (simd_level() == 2 && __builtin_cpu_supports("vaes")) return 2;
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("sse2") ? 1 : 0;
  }();
  return level;
}

template <int kRound>
[[gnu::target("aes,sse2")]] inline __m128i next_key(__m128i key) {
  __m128i assist = _mm_aeskeygenassist_si128(key, kRound);
  assist = _mm_shuffle_epi32(assist, 0xff);
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
  return _mm_xor_si128(key, assist);
}

[[gnu::target("aes,sse2")]] void expand_key(const std::uint8_t* key, std::uint8_t* out) {
  __m128i k[11];
  k[0] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key));
  k[1] = next_key<0x01>(k[0]);
  k[2] = next_key<0x02>(k[1]);
  k[3] = next_key<0x04>(k[2]);
  k[4] = next_key<0x08>(k[3]);
  k[5] = next_key<0x10>(k[4]);
  k[6] = next_key<0x20>(k[5]);
  k[7] = next_key<0x40>(k[6]);
  k[8] = next_key<0x80>(k[7]);
  k[9] = next_key<0x1b>(k[8]);
  k[10] = next_key<0x36>(k[9]);
  std::memcpy(out, k, sizeof(k));
}

// (The plain intrinsic reads an undefined register, which GCC 12 warns of.)
[[gnu::target("avx512f")]] inline __m512i wide(__m128i x) {
  return _mm512_maskz_broadcast_i32x4(0xffff, x);
}

// kBlocksAtOnce blocks an iteration, in eight registers of four: enough to hide the latency of a
// round.
[[gnu::target("avx512f,avx512bw,vaes")]] void blocks_vaes(const std::uint8_t* keys, Counter counter,
                                                          std::uint8_t* out,
                                                          std::int64_t iterations) {
  __m512i k[11];
  for (int r = 0; r < 11; ++r) {
    k[r] = wide(_mm_load_si128(reinterpret_cast<const __m128i*>(keys + r * kBlock)));
  }
  __m128i first;
  std::memcpy(&first, &counter, sizeof(first));
  __m512i at = _mm512_add_epi32(wide(first),
                                _mm512_set_epi32(0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0));
  const __m512i four = _mm512_set_epi32(0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4);
  for (std::int64_t i = 0; i < iterations; ++i, out += kBlocksAtOnce * kBlock) {
    __m512i x[8];
    for (int j = 0; j < 8; ++j) {
      x[j] = _mm512_xor_si512(at, k[0]);
      at = _mm512_add_epi32(at, four);
    }
    for (int r = 1; r < 10; ++r) {
      for (int j = 0; j < 8; ++j) x[j] = _mm512_aesenc_epi128(x[j], k[r]);
    }
    for (int j = 0; j < 8; ++j) {
      _mm512_storeu_si512(out + j * 64, _mm512_aesenclast_epi128(x[j], k[10]));
    }
  }
}

[[gnu::target("aes,sse2")]] void blocks_aesni(const std::uint8_t* keys, Counter counter,
                                              std::uint8_t* out, std::int64_t iterations) {
  __m128i k[11];
  for (int r = 0; r < 11; ++r) {
    k[r] = _mm_load_si128(reinterpret_cast<const __m128i*>(keys + r * kBlock));
  }
  __m128i at;
  std::memcpy(&at, &counter, sizeof(at));
  const __m128i one = _mm_set_epi32(0, 0, 0, 1);
  for (std::int64_t i = 0; i < iterations * (kBlocksAtOnce / 8); ++i, out += 8 * kBlock) {
    __m128i x[8];
    for (int j = 0; j < 8; ++j) {
      x[j] = _mm_xor_si128(at, k[0]);
      at = _mm_add_epi32(at, one);
    }
    for (int r = 1; r < 10; ++r) {
      for (int j = 0; j < 8; ++j) x[j] = _mm_aesenc_si128(x[j], k[r]);
    }
    for (int j = 0; j < 8; ++j) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out) + j, _mm_aesenclast_si128(x[j], k[10]));
    }
  }
}
#else
int aes_level() { return 0; }
#endif

// For processors without AES instructions, and as the reference of the others.
void blocks_openssl(const std::uint8_t* key, Counter counter, std::uint8_t* out,
                    std::int64_t iterations) {
  const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context(EVP_CIPHER_CTX_new(),
                                                                           EVP_CIPHER_CTX_free);
  bool good = context != nullptr &&
              EVP_EncryptInit_ex(context.get(), EVP_aes_128_ecb(), nullptr, key, nullptr) == 1 &&
              EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1;
  std::array<Counter, kBlocksAtOnce> plain;
  for (std::int64_t i = 0; good && i < iterations; ++i, out += sizeof(plain)) {
    for (Counter& block : plain) {
      block = counter;
      ++counter.block;
    }
    int done = 0;
    good = EVP_EncryptUpdate(context.get(), out, &done,
                             reinterpret_cast<const std::uint8_t*>(plain.data()),
                             static_cast<int>(sizeof(plain))) == 1;
  }
  if (!good) throw Error(Code::kFailed, "OpenSSL's AES-128 does not work");
}

}  // namespace

MaskStream::MaskStream(const std::array<std::uint8_t, 32>& seed, int level)
    : level_(std::min(level, aes_level())) {
  Hasher hasher("curia mpc mask stream");
  hasher.add(std::span<const std::uint8_t>(seed));
  const Digest digest = hasher.finish();
  std::copy_n(digest.bytes.begin(), key_.size(), key_.begin());
#if CURIA_SIMD_LEVELS
  if (level_ > 0) expand_key(key_.data(), round_keys_.data());
#endif
}

MaskStream::~MaskStream() {
  OPENSSL_cleanse(key_.data(), key_.size());
  OPENSSL_cleanse(round_keys_.data(), round_keys_.size());
}

void MaskStream::fill(StreamPlace place, std::int64_t first, std::uint64_t* out,
                      std::int64_t words) const {
  expect(first >= 0 && first % 8 == 0 && first + words <= kMostWords,
         "an op draws more random numbers than a stream has");
  const auto blocks = [&](std::int64_t at, std::uint8_t* to, std::int64_t iterations) {
    const Counter counter{static_cast<std::uint32_t>(at / 2), place.use, place.step, place.op};
#if CURIA_SIMD_LEVELS
    if (level_ == 2) return blocks_vaes(round_keys_.data(), counter, to, iterations);
    if (level_ == 1) return blocks_aesni(round_keys_.data(), counter, to, iterations);
#endif
    blocks_openssl(key_.data(), counter, to, iterations);
  };
  constexpr std::int64_t kWordsAtOnce = kBlocksAtOnce * 2;
  const std::int64_t whole = words / kWordsAtOnce;
  if (whole > 0) blocks(first, reinterpret_cast<std::uint8_t*>(out), whole);
  const std::int64_t done = whole * kWordsAtOnce;
  if (done == words) return;
  std::array<std::uint64_t, kWordsAtOnce> rest;
  blocks(first + done, reinterpret_cast<std::uint8_t*>(rest.data()), 1);
  std::memcpy(out + done, rest.data(), static_cast<std::size_t>(words - done) * 8);
}

}  // namespace curia
