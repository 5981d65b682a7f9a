#include "protocol/error.h"

#include <array>
#include <utility>

namespace curia {

std::string code_name(Code code) {
  static constexpr std::array<std::string_view, 17> kNames = {
      "",        "FAILED",    "INVALID",     "NOT_FOUND",     "DENIED",      "IMMUTABLE",
      "QUOTA",   "CORRUPT",   "STALE_EPOCH", "SESSION_OVER",  "WORKER_LOST", "PEER_LOST",
      "TIMEOUT", "CANCELLED", "OVERLOADED",  "UNIMPLEMENTED", "VERSION"};
  const auto number = static_cast<std::size_t>(code);
  if (number == 0 || number >= kNames.size()) return "CODE_" + std::to_string(number);
  return std::string(kNames[number]);
}

std::string Site::str() const {
  if (file.empty()) return "";
  const auto slash = file.find_last_of('/');
  const std::string name = slash == std::string::npos ? file : file.substr(slash + 1);
  return line == 0 ? name : name + ":" + std::to_string(line);
}

Error::Error(Code code, std::string message) : code_(code), message_(std::move(message)) {
  format();
}

Error Error::at_party(std::string_view party) const {
  Error copy = *this;
  if (copy.party_.empty()) copy.party_ = party;
  copy.format();
  return copy;
}

Error Error::at_op(std::string_view op, const Site& site) const {
  Error copy = *this;
  if (copy.op_.empty()) {
    copy.op_ = op;
    copy.site_ = site;
  }
  copy.format();
  return copy;
}

void Error::format() {
  what_ = code_name(code_);
  if (!party_.empty()) what_ += " at " + party_;
  if (!op_.empty()) what_ += (party_.empty() ? " at op " : ", op ") + op_;
  if (const std::string line = site_.str(); !line.empty()) what_ += " (" + line + ")";
  what_ += ": " + message_;
}

}  // namespace curia
