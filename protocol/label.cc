#include "protocol/label.h"

#include <algorithm>

#include "protocol/error.h"

namespace curia {

bool Label::covers(const Label& other) const {
  return std::all_of(other.sources.begin(), other.sources.end(), [this](const auto& entry) {
    const auto found = sources.find(entry.first);
    return found != sources.end() && std::includes(found->second.begin(), found->second.end(),
                                                   entry.second.begin(), entry.second.end());
  });
}

void Label::merge(const Label& other) {
  for (const auto& [source, programs] : other.sources) {
    auto& mine = sources[source];
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

}  // namespace curia
