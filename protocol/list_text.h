// Lists as a reader of messages sees them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace curia {

// "a, b, c": each item as `text` has it.
template <class List, class Text = std::identity>
std::string list_text(const List& list, Text text = {}, std::string_view between = ", ") {
  std::string out;
  bool first = true;
  for (const auto& item : list) {
    if (!first) out += between;
    first = false;
    out += text(item);
  }
  return out;
}

}  // namespace curia
