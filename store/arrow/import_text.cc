#include "store/arrow/import_text.h"

#include <type_traits>

#include "protocol/utf8.h"

namespace curia {
namespace {

constexpr std::int64_t kViewBytes = 16;    // length; then the text, or its begin, buffer and offset
constexpr std::int64_t kInlineBytes = 12;  // the longest text within a view

std::string_view text_in(const Slice& slice, std::int64_t begin, std::int64_t bytes) {
  return {reinterpret_cast<const char*>(slice.data) + begin, static_cast<std::size_t>(bytes)};
}

template <class T>
T read_at(const Slice& slice, std::int64_t offset) {
  T value;
  std::memcpy(&value, slice.data + offset, sizeof(T));
  return value;
}

}  // namespace

TextBuffers::TextBuffers(std::int64_t rows, std::int64_t bytes, ImportBudget& budget)
    : offsets_(budget.allocate(arrow_product(arrow_sum(rows, 1), sizeof(std::int64_t)))),
      text_(budget.allocate(bytes)) {
  std::memset(offsets_->data(), 0, sizeof(std::int64_t));
}

void TextBuffers::add(std::string_view text) {
  if (!valid_utf8(text)) corrupt_arrow("a string is no UTF-8");
  if (!text.empty()) std::memcpy(text_->data() + end_, text.data(), text.size());
  end_ += std::ssize(text);
  ++row_;
  std::memcpy(offsets_->data() + row_ * static_cast<int>(sizeof(end_)), &end_, sizeof(end_));
}

StringColumn TextBuffers::finish() const { return {Slice(offsets_), Slice(text_)}; }

template <class Offset>
StringColumn read_text(ImportWalk& walk, const ImportWalk::Nulls& nulls, ImportBudget& budget) {
  static constexpr auto kSize = static_cast<std::int64_t>(sizeof(Offset));
  const std::int64_t rows = walk.rows();
  // A column without rows may leave out its only offset.
  const Slice offsets =
      rows == 0 ? walk.buffer() : walk.buffer(arrow_product(arrow_sum(rows, 1), kSize));
  const Slice text = walk.buffer();
  if (rows == 0) return collect_text(0, budget, [](std::int64_t) { return std::string_view(); });
  const auto offset = [&](std::int64_t row) -> std::int64_t {
    return read_at<Offset>(offsets, row * kSize);
  };
  std::int64_t last = offset(0);
  bool good = last >= 0;
  for (std::int64_t row = 1; good && row <= rows; ++row) {
    const std::int64_t next = offset(row);
    good = next >= last;
    last = next;
  }
  if (!good || last > text.size) corrupt_arrow("offsets of strings reach beyond their text");
  const auto at = [&](std::int64_t row) {
    if (nulls.at(row)) return std::string_view();
    return text_in(text, offset(row), offset(row + 1) - offset(row));
  };
  const bool shared = std::is_same_v<Offset, std::int64_t> && nulls.count == 0 && offset(0) == 0;
  if (!shared || reinterpret_cast<std::uintptr_t>(offsets.data) % kAlignment != 0) {
    return collect_text(rows, budget, at);
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    if (!valid_utf8(at(row))) corrupt_arrow("a string is no UTF-8");
  }
  return {offsets, text.part(0, last)};
}

template StringColumn read_text<std::int32_t>(ImportWalk&, const ImportWalk::Nulls&, ImportBudget&);
template StringColumn read_text<std::int64_t>(ImportWalk&, const ImportWalk::Nulls&, ImportBudget&);

StringColumn read_text_views(ImportWalk& walk, const ImportWalk::Nulls& nulls,
                             ImportBudget& budget) {
  const Slice views = walk.buffer(arrow_product(walk.rows(), kViewBytes));
  std::vector<Slice> texts;
  for (std::int64_t left = walk.text_buffers(); left > 0; --left) texts.push_back(walk.buffer());
  return collect_text(walk.rows(), budget, [&](std::int64_t row) {
    if (nulls.at(row)) return std::string_view();
    const std::int64_t view = row * kViewBytes;
    const std::int64_t bytes = read_at<std::int32_t>(views, view);
    if (bytes < 0) corrupt_arrow("a string of a negative length");
    if (bytes <= kInlineBytes) return text_in(views, view + 4, bytes);
    const std::int64_t buffer = read_at<std::int32_t>(views, view + 8);
    const std::int64_t offset = read_at<std::int32_t>(views, view + 12);
    if (buffer < 0 || buffer >= std::ssize(texts)) {
      corrupt_arrow("a string names a buffer that there is not");
    }
    const Slice& text = texts[static_cast<std::size_t>(buffer)];
    if (offset < 0 || offset > text.size || bytes > text.size - offset) {
      corrupt_arrow("a string reaches beyond its buffer");
    }
    return text_in(text, offset, bytes);
  });
}

StringColumn joined_text(const std::vector<StringColumn>& parts, ImportBudget& budget) {
  std::int64_t rows = 0, bytes = 0;
  for (const StringColumn& part : parts) {
    rows += part.rows();
    bytes += part.text.size;
  }
  TextBuffers joined(rows, bytes, budget);
  for (const StringColumn& part : parts) {
    for (std::int64_t row = 0; row < part.rows(); ++row) joined.add(part.at(row));
  }
  return joined.finish();
}

}  // namespace curia
