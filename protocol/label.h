// Labels: which sources may have influenced a value, and through which programs.
//
// A label is a set of sources. Each source carries the digests of the programs that its data went
// through on the way, so that a grant narrowed to some programs cannot be used for a value that a
// driver first cut to size with another program. A release never removes a source from a label.
//
// A source may also carry charges: of the dp_ ops that a value depends on. Where it depends on the
// source through these alone, it is private for it, at the sum of their cost for whoever learns it.
// Thread: immutable once shared.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "protocol/digest.h"

namespace curia {

// A dataset "iris" of owner "alice" is alice/iris; what the driver "dora" puts is dora, without
// name.
struct Source {
  std::string owner;
  std::string name;
  auto operator<=>(const Source&) const = default;
  std::string str() const { return name.empty() ? owner : owner + "/" + name; }
};

inline constexpr std::int64_t kMaxLabelSources = 256;
inline constexpr std::int64_t kMaxLabelPrograms = 256;  // a source
inline constexpr std::int64_t kMaxLabelCharges = 256;   // a source

// What a release with differential privacy costs whoever learns it.
struct Charge {
  double epsilon = 0;
  double delta = 0;
  bool operator==(const Charge&) const = default;
  void add(const Charge& other);
  // "epsilon 0.5 and delta 1e-06".
  std::string str(bool with_delta) const;
};
// By what tells releases apart: charge_id().
using Charges = std::map<Digest, Charge>;

struct Label {
  std::map<Source, std::set<Digest>> sources;
  // Of sources above. Kept where a value depends on the rows themselves as well, since a release of
  // such a value depends on the earlier ones.
  std::map<Source, Charges> charges;
  // Sources on which the value depends through charges alone.
  std::set<Source> released;

  bool operator==(const Label&) const = default;
  // Every source, program and charge of `other` is in this one, which claims no more privacy.
  bool covers(const Label& other) const;
  // The least label that covers both. Errors: kQuota above kMaxLabelSources, kMaxLabelPrograms or
  // kMaxLabelCharges.
  void merge(const Label& other);
  // What depends on the source does so through this release, and those before it, alone. Errors:
  // kQuota above kMaxLabelCharges.
  void release(const Source& source, const Digest& id, const Charge& charge);
  // What it costs to learn the value, as far as the source is concerned; none where it depends on
  // rows without a release in between.
  const Charges& cost(const Source& source) const;
  // Adds `program` to the way of every source.
  void pass(const Digest& program);
  // "{alice/iris, dora}"
  std::string str() const;

 private:
  void add(const Source& source, const Digest& id, const Charge& charge);
};

using LabelPtr = std::shared_ptr<const Label>;

// Of what op `op` releases in one run of a program. `run`: its instance.
Digest charge_id(const Digest& program, const Digest& run, std::uint32_t op);

}  // namespace curia
