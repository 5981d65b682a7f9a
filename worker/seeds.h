// The seeds that two members of a secure device have in common for one run of a task.
//
// Each member draws a nonce and, for every other member, a secret of 32 bytes, fresh for every run
// and sent in the preflight over the lane between the two, which is sealed and authenticated. Both
// secrets together are the pair key; the seed is HKDF of it over everything the two agreed on. So
// nobody chooses a seed alone, neither the driver nor a member; a repeated, aborted or replayed
// task gets other seeds; and whoever takes a worker's keys later finds no seed of an earlier run.
// Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/device.h"
#include "protocol/digest.h"

namespace curia {

// What one member brings.
struct SeedPart {
  Digest secret;  // for the other member only
  Digest nonce;   // for all parties of the task
  std::uint64_t epoch = 0;
};

// What the task is, the same at both.
struct SeedTask {
  std::string driver;
  std::string session;  // hex
  std::uint64_t task = 0;
  Digest program;
  Digest instance;
  std::vector<Digest> lineages;  // of the program's inputs, in their order
};

// `rank` is that of the first of the two; the other one's is rank + 1 mod 3.
std::array<std::uint8_t, 32> pair_seed(const SeedTask& task, const SecureDevice& device, int rank,
                                       const SeedPart& first, const SeedPart& second);

}  // namespace curia
