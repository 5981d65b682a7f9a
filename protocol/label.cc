#include "protocol/label.h"

#include <algorithm>

#include "protocol/error.h"
#include "protocol/interval.h"

namespace curia {

bool Label::covers(const Label& other) const {
  for (const auto& [source, programs] : other.sources) {
    const auto found = sources.find(source);
    if (found == sources.end() || !std::ranges::includes(found->second, programs)) return false;
    if (released.contains(source) && !other.released.contains(source)) return false;
  }
  for (const auto& [source, theirs] : other.charges) {
    const auto found = charges.find(source);
    if (found == charges.end()) return false;
    for (const auto& [id, charge] : theirs) {
      const auto mine = found->second.find(id);
      if (mine == found->second.end() || mine->second.epsilon < charge.epsilon ||
          mine->second.delta < charge.delta) {
        return false;
      }
    }
  }
  return true;
}

void Label::merge(const Label& other) {
  for (const auto& [source, programs] : other.sources) {
    const bool fresh = !sources.contains(source);
    auto& mine = sources[source];
    if (!other.released.contains(source)) {
      released.erase(source);
    } else if (fresh) {
      released.insert(source);
    }
    mine.insert(programs.begin(), programs.end());
    if (static_cast<std::int64_t>(mine.size()) > kMaxLabelPrograms) {
      throw Error(Code::kQuota, "a value derived from " + source.str() +
                                    " went through more than " + std::to_string(kMaxLabelPrograms) +
                                    " different programs");
    }
  }
  if (static_cast<std::int64_t>(sources.size()) > kMaxLabelSources) {
    throw Error(Code::kQuota, "a value is derived from more than " +
                                  std::to_string(kMaxLabelSources) + " sources");
  }
  for (const auto& [source, added] : other.charges) {
    for (const auto& [id, charge] : added) add(source, id, charge);
  }
}

void Label::add(const Source& source, const Digest& id, const Charge& charge) {
  Charges& mine = charges[source];
  // Nobody gives one release two costs; if somebody does, it is none.
  if (const auto [known, fresh] = mine.emplace(id, charge); !fresh && known->second != charge) {
    known->second = {std::max(known->second.epsilon, charge.epsilon),
                     std::max(known->second.delta, charge.delta)};
    released.erase(source);
  }
  if (static_cast<std::int64_t>(mine.size()) > kMaxLabelCharges) {
    throw Error(Code::kQuota, "a value derived from " + source.str() + " depends on more than " +
                                  std::to_string(kMaxLabelCharges) + " private releases of it");
  }
}

void Label::release(const Source& source, const Digest& id, const Charge& charge) {
  released.insert(source);
  add(source, id, charge);
}

void Charge::add(const Charge& other) {
  epsilon += other.epsilon;
  delta += other.delta;
}

std::string Charge::str(bool with_delta) const {
  return "epsilon " + number_text(epsilon) + (with_delta ? " and delta " + number_text(delta) : "");
}

const Charges& Label::cost(const Source& source) const {
  static const Charges none;
  const auto found = charges.find(source);
  return released.contains(source) && found != charges.end() ? found->second : none;
}

void Label::pass(const Digest& program) {
  for (auto& [source, programs] : sources) programs.insert(program);
}

std::string Label::str() const {
  std::string text = "{";
  for (const auto& [source, programs] : sources) {
    text += (text.size() == 1 ? "" : ", ") + source.str();
  }
  return text + "}";
}

Digest charge_id(const Digest& program, const Digest& run, std::uint32_t op) {
  Hasher hasher("curia charge 1");
  hasher.add(program);
  hasher.add(run);
  hasher.add(std::uint64_t{op});
  return hasher.finish();
}

}  // namespace curia
