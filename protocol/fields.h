// Strict reading of JSON configuration: every error names the file, the field and what is expected;
// a field nobody asked for is an error too (it is a typing mistake more often than not).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/interval.h"

namespace curia {

// The text of a file. Errors: kInvalid, with the path and the system's reason.
std::string read_file(const std::string& path);

// `path` made relative to the folder of `file`, unless it is absolute.
std::string beside(const std::string& file, const std::string& path);

class Fields {
 public:
  // Errors: kInvalid with line and column when it is not JSON, or no object.
  static Fields of_file(const std::string& path);
  // The same for a text that `file` names in errors.
  static Fields of_text(std::string_view text, const std::string& file);
  Fields(nlohmann::json json, std::string file, std::string where);

  const std::string& file() const { return file_; }
  bool has(std::string_view name) const { return json_.contains(name); }
  std::string text(const std::string& name);
  std::string text_or(const std::string& name, const std::string& fallback);
  std::int64_t number(const std::string& name, std::int64_t least, std::int64_t most);
  std::int64_t number_or(const std::string& name, std::int64_t fallback, std::int64_t least,
                         std::int64_t most);
  double real(const std::string& name);
  Digest digest(const std::string& name);
  bool flag_or(const std::string& name, bool fallback);
  std::vector<std::string> texts_or_none(const std::string& name);
  // [low, high], or {"column": [low, high], ...}.
  Ranges ranges_or_none(const std::string& name);
  Fields object(const std::string& name);
  // Empty where absent.
  std::vector<std::pair<std::string, Fields>> objects_or_none(
      const std::string& name);                               // {a: {}, b: {}}
  std::vector<Fields> list_or_none(const std::string& name);  // [{}, {}]
  std::vector<std::pair<std::string, std::string>> pairs_or_none(
      const std::string& name);  // {a: "", ..}

  // Call last. Errors: kInvalid, naming the first field that nothing above asked for.
  void finish() const;
  // For checks of the caller: "<file>: <where>.<name>: <message>".
  [[noreturn]] void fail(std::string_view name, const std::string& message) const;
  // What `read` makes; an error of it is told as one of this field.
  template <class Read>
  auto checked(std::string_view name, const Read& read) const {
    try {
      return read();
    } catch (const Error& error) {
      fail(name, error.message());
    }
  }

 private:
  const nlohmann::json& get(const std::string& name);
  const nlohmann::json* find(const std::string& name);

  nlohmann::json json_;
  std::string file_;
  std::string where_;
  std::set<std::string> known_;
};

}  // namespace curia
