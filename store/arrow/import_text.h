// Strings of foreign Arrow files, in their three layouts, as columns of LargeUtf8. All are UTF-8
// when they come from here; a null is "".
// Thread: any.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "protocol/value.h"
#include "store/arrow/import_batch.h"

namespace curia {

// A column under construction. REQUIRES: add() is called with as many bytes as was said.
class TextBuffers {
 public:
  TextBuffers(std::int64_t rows, std::int64_t bytes, ImportBudget& budget);
  // Errors: kCorrupt where it is no UTF-8.
  void add(std::string_view text);
  StringColumn finish() const;

 private:
  std::shared_ptr<Buffer> offsets_;
  std::shared_ptr<Buffer> text_;
  std::int64_t row_ = 0;
  std::int64_t end_ = 0;
};

// A column of at(row), which is called twice for each.
template <class At>
StringColumn collect_text(std::int64_t rows, ImportBudget& budget, const At& at) {
  std::int64_t bytes = 0;
  for (std::int64_t row = 0; row < rows; ++row) bytes = arrow_sum(bytes, std::ssize(at(row)));
  TextBuffers text(rows, bytes, budget);
  for (std::int64_t row = 0; row < rows; ++row) text.add(at(row));
  return text.finish();
}

// Utf8 (Offset i32) and LargeUtf8 (i64): takes both buffers behind the bitmap.
template <class Offset>
StringColumn read_text(ImportWalk& walk, const ImportWalk::Nulls& nulls, ImportBudget& budget);

// Utf8View: takes the views and the buffers of text.
StringColumn read_text_views(ImportWalk& walk, const ImportWalk::Nulls& nulls,
                             ImportBudget& budget);

StringColumn joined_text(const std::vector<StringColumn>& parts, ImportBudget& budget);

}  // namespace curia
