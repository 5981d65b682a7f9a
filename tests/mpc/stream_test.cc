#include "worker/mpc/stream.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>

#include <memory>
#include <set>
#include <vector>

#include "protocol/digest.h"
#include "protocol/error.h"

namespace curia {
namespace {

// The definition: AES-128 of the counter block, key from the seed.
std::vector<std::uint64_t> reference(const std::array<std::uint8_t, 32>& seed, StreamPlace place,
                                     std::uint32_t block, int blocks) {
  Hasher hasher("curia mpc mask stream");
  hasher.add(std::span<const std::uint8_t>(seed));
  const Digest key = hasher.finish();
  const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context(EVP_CIPHER_CTX_new(),
                                                                           EVP_CIPHER_CTX_free);
  EVP_EncryptInit_ex(context.get(), EVP_aes_128_ecb(), nullptr, key.bytes.data(), nullptr);
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  std::vector<std::uint64_t> out;
  for (int i = 0; i < blocks; ++i) {
    const std::uint32_t counter[4] = {block + static_cast<std::uint32_t>(i), place.use, place.step,
                                      place.op};
    std::uint64_t sealed[2];
    int done = 0;
    EVP_EncryptUpdate(context.get(), reinterpret_cast<std::uint8_t*>(sealed), &done,
                      reinterpret_cast<const std::uint8_t*>(counter), sizeof(counter));
    out.insert(out.end(), sealed, sealed + 2);
  }
  return out;
}

}  // namespace

TEST_CASE("MaskStream: is AES-128 in counter mode over (op, step, use, block), from any place on") {
  const std::array<std::uint8_t, 32> seed = {1, 2, 3};
  std::vector<std::pair<int, std::int64_t>> cases;  // instruction sets and sizes
  for (const int level : {0, 1, 2}) {
    for (const std::int64_t words : {0, 1, 2, 63, 64, 65, 500}) cases.emplace_back(level, words);
  }
  const StreamPlace place{7, 8, 9};
  for (const std::int64_t first : {0, 8, 64, 512, 1000}) {
    for (const auto& [level, words] : cases) {
      const MaskStream stream(seed, level);
      CAPTURE(level);
      CAPTURE(first);
      CAPTURE(words);
      std::vector<std::uint64_t> found(static_cast<std::size_t>(words));
      stream.fill(place, first, found.data(), words);
      auto wanted = reference(seed, place, static_cast<std::uint32_t>(first / 2), 260);
      wanted.resize(found.size());
      CHECK(found == wanted);
    }
  }
}

TEST_CASE("MaskStream: another seed, op, step or use gives other numbers") {
  std::set<std::uint64_t> seen;
  for (const std::uint8_t seed : {1, 2}) {
    const MaskStream stream({seed});
    for (const StreamPlace place :
         {StreamPlace{1, 1, 1}, {2, 1, 1}, {1, 2, 1}, {1, 1, 2}, {2, 2, 2}}) {
      std::uint64_t numbers[64];
      stream.fill(place, 0, numbers, 64);
      seen.insert(numbers, numbers + 64);
    }
  }
  CHECK(seen.size() == 2 * 5 * 64);
}

TEST_CASE("MaskStream: the end of a place is an error, never the start of another") {
  const MaskStream stream({1});
  std::uint64_t numbers[8];
  const std::int64_t end = std::int64_t{1} << 33;
  stream.fill({}, end - 8, numbers, 8);
  CHECK_THROWS_AS(stream.fill({}, end, numbers, 1), Error);
  CHECK_THROWS_AS(stream.fill({}, 4, numbers, 1), Error);
}

}  // namespace curia
