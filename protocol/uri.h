// Object names: mem://<uuid>, fs:///<path>, oss://<bucket>/<key>.
//
// Invariant: a Uri came through parse(), so it is ASCII, canonical (one spelling a name) and cannot
// leave the root of its store.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace curia {

inline constexpr std::int64_t kMaxUriBytes = 512;

class Uri {
 public:
  // The only way to make one. Errors: kInvalid, saying which rule was broken at which character.
  //   mem://<32 lower-case hex digits>
  //   fs:///<segment>[/<segment>...]
  //   oss://<bucket>/<segment>[/<segment>...]
  // A segment is 1..255 of [A-Za-z0-9._=+@,~-], not "." or ".."; a bucket is 3..63 of [a-z0-9.-],
  // begins and ends with a letter or digit and has no "..". There is no percent-decoding.
  static Uri parse(std::string_view text);

  // Whether all of these are characters that a URI may have behind its scheme.
  static bool may_hold(std::string_view text);

  // A new mem:// name from 128 random bits.
  static Uri fresh();

  const std::string& str() const { return text_; }
  std::string_view scheme() const { return std::string_view(text_).substr(0, scheme_); }
  // mem: the uuid; fs: the path below the root, without a leading slash; oss: "bucket/key".
  std::string_view rest() const { return std::string_view(text_).substr(rest_); }

  bool operator==(const Uri& other) const { return text_ == other.text_; }
  auto operator<=>(const Uri& other) const { return text_ <=> other.text_; }

 private:
  Uri() = default;

  std::string text_;
  std::size_t scheme_ = 0;
  std::size_t rest_ = 0;
};

}  // namespace curia

template <>
struct std::hash<curia::Uri> {
  std::size_t operator()(const curia::Uri& uri) const noexcept {
    return std::hash<std::string>()(uri.str());
  }
};
