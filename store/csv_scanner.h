// Splits CSV text into fields, one at a time, without copying those that need no unquoting.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace curia {

class CsvScanner {
 public:
  // REQUIRES: `text` outlives the scanner and the fields it hands out.
  CsvScanner(std::string_view text, std::string_view name, std::int64_t max_record_bytes)
      : at_(text.data()),
        end_(text.data() + text.size()),
        record_(at_),
        name_(name),
        max_record_(max_record_bytes) {}

  bool done() const { return at_ == end_; }
  // Line of the text, from 1, where the record begins that comes next or is being read.
  std::int64_t line() const { return record_line_; }

  // Skips lines that hold nothing at all. REQUIRES: at the start of a record.
  void skip_blank_lines();

  // The next field of this record; valid until the next call. `last`: the record ends with it.
  // Errors: kInvalid for text after a closing quote, a quote that never closes, a quote inside an
  // unquoted field, a record above the limit.
  std::string_view field(bool* last);

  // "name, line 7: why".
  [[noreturn]] void fail(const std::string& why) const;

 private:
  std::string_view quoted();
  bool end_field();

  const char* at_;
  const char* end_;
  const char* record_;
  std::string_view name_;
  std::int64_t max_record_;
  std::int64_t line_ = 1;
  std::int64_t record_line_ = 1;
  std::string unquoted_;
};

}  // namespace curia
