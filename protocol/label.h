// Labels: which sources may have influenced a value, and through which programs.
//
// A label is a set of sources. Each source carries the digests of the programs that its data went
// through on the way, so that a grant narrowed to some programs cannot be used for a value that a
// driver first cut to size with another program. A release never removes a source from a label.
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

struct Label {
  std::map<Source, std::set<Digest>> sources;

  bool operator==(const Label&) const = default;
  bool covers(const Label& other) const;  // every source and program of `other` is in this one
  // Errors: kQuota above kMaxLabelSources or kMaxLabelPrograms.
  void merge(const Label& other);
  // Adds `program` to the way of every source.
  void pass(const Digest& program);
  // "{alice/iris, dora}"
  std::string str() const;
};

using LabelPtr = std::shared_ptr<const Label>;

}  // namespace curia
