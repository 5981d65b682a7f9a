// Lineage: what a value is, whatever its URI (DESIGN section 5). Two values of one lineage are
// equal, and an owner can agree to a value by its lineage before it exists.
//
// The lineage of a run's result is a hash over the program, the place in it, and the lineages of
// all that comes into it, down to datasets and puts. Their lineages are drawn at random, or commit
// to a content under a salt, so that lineages tell nothing about small values.
// Thread: values, so any.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/digest.h"

namespace curia {

inline constexpr std::int64_t kMaxDraws = 256;

struct Lineage {
  // What it is exactly. A program that draws random numbers adds the instance of its run.
  Digest id;
  // The same with a variable in the place of each instance, so it is known before any run.
  Digest pattern;
  // The instance that each variable stands for.
  std::map<Digest, Digest> draws;
  // False where one variable stands for several instances, or there were more than kMaxDraws: then
  // the pattern does not say what the value is. `draws` is empty.
  bool bound = true;

  bool operator==(const Lineage&) const = default;
};

// Of an owner's dataset; `snapshot`: the random id of its content.
Lineage dataset_lineage(const std::string& owner, const std::string& name, const Digest& snapshot);
// Of what a principal put. It is nobody's but this principal's claim what that is.
Lineage put_lineage(const std::string& principal, const Digest& id);
// The id of a put that commits to its content (content_digest() in value_bytes.h) under a secret
// salt, so that the same put is the same value each time.
Digest put_commitment(const Digest& salt, const Digest& content);

// What one run of a program makes.
class RunLineage {
 public:
  // inputs: of all externals of the program, in order (flow.h). instance: of the run where the
  // program draws random numbers; else null.
  RunLineage(const Digest& program, std::vector<Lineage> inputs, const Digest* instance);

  Lineage output(std::uint32_t number) const;
  // What op `op` moves to another principal, in all its rounds.
  Lineage move(std::uint32_t op) const;
  // What op `op` saves, the `time`-th time in this run, from 0.
  Lineage save(std::uint32_t op, std::uint64_t time) const;

 private:
  Lineage make(std::string_view what, std::uint64_t number, std::uint64_t time) const;

  const Digest program_;
  const std::vector<Lineage> inputs_;
  const Digest* const instance_;
  std::map<Digest, Digest> draws_;
  bool bound_ = true;
};

}  // namespace curia
