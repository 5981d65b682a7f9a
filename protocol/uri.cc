#include "protocol/uri.h"

#include "protocol/digest.h"
#include "protocol/error.h"

namespace curia {
namespace {

constexpr std::string_view kMem = "mem://";
constexpr std::string_view kFs = "fs:///";
constexpr std::string_view kOss = "oss://";

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool in_segment(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') ||
         (c != '\0' && std::string_view("._=+@,~-").find(c) != std::string_view::npos);
}

// The offending text is shown only where it is printable, so that a log line stays one line.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) out.push_back(c >= 0x20 && c < 0x7f ? c : '?');
  return "\"" + out + (text.size() > 80 ? "...\"" : "\"");
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(Code::kInvalid, "bad URI " + shown(text) + ": " + why);
}

void check_segments(std::string_view text, std::size_t begin) {
  std::size_t start = begin;
  for (std::size_t i = begin; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != '/') {
      if (!in_segment(text[i])) {
        refuse(text, "character " + std::to_string(i) +
                         " is not allowed; a path has letters, digits and ._=+@,~-");
      }
      continue;
    }
    const std::string_view segment = text.substr(start, i - start);
    if (segment.empty()) refuse(text, "empty path segment at character " + std::to_string(start));
    if (segment == "." || segment == "..") refuse(text, "\".\" and \"..\" are not allowed");
    if (segment.size() > 255) refuse(text, "a path segment has more than 255 characters");
    start = i + 1;
  }
}

}  // namespace

Uri Uri::parse(std::string_view text) {
  if (static_cast<std::int64_t>(text.size()) > kMaxUriBytes) {
    refuse(text, "expected at most " + std::to_string(kMaxUriBytes) + " bytes, found " +
                     std::to_string(text.size()));
  }
  Uri uri;
  if (text.starts_with(kMem)) {
    uri.scheme_ = 3;
    uri.rest_ = kMem.size();
    const std::string_view uuid = text.substr(kMem.size());
    bool good = uuid.size() == 32;
    for (const char c : uuid) good = good && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
    if (!good) refuse(text, "expected mem:// and 32 lower-case hex digits");
  } else if (text.starts_with(kFs)) {
    uri.scheme_ = 2;
    uri.rest_ = kFs.size();
    check_segments(text, uri.rest_);
  } else if (text.starts_with(kOss)) {
    uri.scheme_ = 3;
    uri.rest_ = kOss.size();
    const std::size_t slash = text.find('/', uri.rest_);
    if (slash == std::string_view::npos) refuse(text, "expected oss://<bucket>/<key>");
    const std::string_view bucket = text.substr(uri.rest_, slash - uri.rest_);
    bool good = bucket.size() >= 3 && bucket.size() <= 63 && is_lower_or_digit(bucket.front()) &&
                is_lower_or_digit(bucket.back()) && bucket.find("..") == std::string_view::npos;
    for (const char c : bucket) good = good && (is_lower_or_digit(c) || c == '.' || c == '-');
    if (!good) refuse(text, "a bucket has 3 to 63 of [a-z0-9.-], a letter or digit at both ends");
    check_segments(text, slash + 1);
  } else {
    refuse(text, "expected it to begin with mem://, fs:/// or oss://");
  }
  uri.text_ = text;
  return uri;
}

bool Uri::may_hold(std::string_view text) {
  for (const char c : text) {
    if (c != '/' && !in_segment(c)) return false;
  }
  return true;
}

Uri Uri::fresh() {
  Uri uri;
  uri.text_ = std::string(kMem) + random_hex(16);
  uri.scheme_ = 3;
  uri.rest_ = kMem.size();
  return uri;
}

}  // namespace curia
