#include "store/csv_scanner.h"

#include <cstring>

#include "protocol/error.h"

namespace curia {

void CsvScanner::fail(const std::string& why) const {
  throw Error(Code::kInvalid,
              std::string(name_) + ", line " + std::to_string(record_line_) + ": " + why);
}

void CsvScanner::skip_blank_lines() {
  while (at_ != end_) {
    const bool crlf = *at_ == '\r' && at_ + 1 != end_ && at_[1] == '\n';
    if (*at_ != '\n' && !crlf) break;
    at_ += crlf ? 2 : 1;
    record_ = at_;
    record_line_ = ++line_;
  }
}

// Passes what ends a field; returns whether the record ends, too.
bool CsvScanner::end_field() {
  if (at_ - record_ > max_record_) {
    fail("a record is longer than " + std::to_string(max_record_) + " bytes");
  }
  if (at_ != end_ && *at_ == ',') {
    ++at_;
    return false;
  }
  if (at_ != end_) {
    at_ += *at_ == '\r' ? 2 : 1;
    ++line_;
  }
  record_ = at_;
  return true;
}

std::string_view CsvScanner::field(bool* last) {
  if (at_ == record_) record_line_ = line_;
  std::string_view found;
  if (at_ != end_ && *at_ == '"') {
    found = quoted();
    if (at_ != end_ && *at_ == '\r' && (at_ + 1 == end_ || at_[1] != '\n')) {
      fail("text after a closing quote");
    }
  } else {
    const char* begin = at_;
    while (at_ != end_ && *at_ != ',' && *at_ != '\n') {
      if (*at_ == '"') fail("a quote inside a field that is not quoted");
      ++at_;
    }
    const bool crlf = at_ != end_ && *at_ == '\n' && at_ != begin && at_[-1] == '\r';
    if (crlf) --at_;
    found = {begin, static_cast<std::size_t>(at_ - begin)};
  }
  *last = end_field();
  return found;
}

std::string_view CsvScanner::quoted() {
  const char* begin = ++at_;
  bool doubled = false;
  while (true) {
    const auto* quote =
        static_cast<const char*>(std::memchr(at_, '"', static_cast<std::size_t>(end_ - at_)));
    if (quote == nullptr) fail("a quoted field never ends");
    for (const char* c = at_; c != quote; ++c) line_ += *c == '\n' ? 1 : 0;
    at_ = quote + 1;
    if (at_ == end_ || *at_ != '"') break;
    doubled = true;
    ++at_;
  }
  if (at_ != end_ && *at_ != ',' && *at_ != '\n' && *at_ != '\r')
    fail("text after a closing quote");
  const std::string_view raw(begin, static_cast<std::size_t>(at_ - 1 - begin));
  if (!doubled) return raw;
  unquoted_.clear();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    unquoted_ += raw[i];
    if (raw[i] == '"') ++i;
  }
  return unquoted_;
}

}  // namespace curia
