#include "worker/seeds.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace curia {

std::array<std::uint8_t, 32> pair_seed(const SeedTask& task, const SecureDevice& device, int rank,
                                       const SeedPart& first, const SeedPart& second) {
  std::array<std::uint8_t, 64> key{};
  std::copy(first.secret.bytes.begin(), first.secret.bytes.end(), key.begin());
  std::copy(second.secret.bytes.begin(), second.secret.bytes.end(), key.begin() + 32);
  Hasher info("curia mpc seed 1");
  info.add(task.driver);
  info.add(task.session);
  info.add(task.task);
  info.add(task.program);
  info.add(task.instance);
  info.add(std::uint64_t{task.lineages.size()});
  for (const Digest& lineage : task.lineages) info.add(lineage);
  info.add(device.name);
  info.add(device.str());
  info.add(static_cast<std::uint64_t>(rank));
  for (const SeedPart* part : {&first, &second}) {
    info.add(part->nonce);
    info.add(part->epoch);
  }
  const Digest bound = info.finish();
  std::array<std::uint8_t, 32> seed{};
  hkdf_sha256("curia mpc pair 1", key,
              {reinterpret_cast<const char*>(bound.bytes.data()), bound.bytes.size()}, seed);
  OPENSSL_cleanse(key.data(), key.size());
  return seed;
}

}  // namespace curia
