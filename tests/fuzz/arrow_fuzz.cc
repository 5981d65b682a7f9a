// Arrow files as anybody may write them: read or refused, and nothing outside of the file is
// touched.
#include <numeric>
#include <span>

#include "protocol/error.h"
#include "store/arrow/import.h"
#include "store/arrow/reader.h"
#include "tests/fuzz/fuzz.h"

using namespace curia;

namespace {

void touch(const Slice& slice) {
  volatile int sum = std::accumulate(slice.data, slice.data + slice.size, 0);
  static_cast<void>(sum);
}

// As a file of another program: what comes out is what a value may be.
void import(const Slice& file) {
  ArrowOptions options;
  options.max_bytes = 1 << 20;
  try {
    const Value value = parse_arrow(file, "fuzz", options);
    fuzz::must(value.bytes() <= file.size + options.max_bytes, "more than was allowed");
    if (value.is_tensor()) return touch(value.tensor().data);
    for (const Column& column : value.table().columns) {
      fuzz::must(column.rows() == value.table().rows, "a column has other rows");
      if (const auto* tensor = std::get_if<Tensor>(&column.data)) {
        fuzz::must(tensor->data.size == byte_count(tensor->type()), "a column has other bytes");
        touch(tensor->data);
        continue;
      }
      const auto& text = std::get<StringColumn>(column.data);
      std::int64_t bytes = 0;
      for (std::int64_t row = 0; row < column.rows(); ++row) bytes += std::ssize(text.at(row));
      fuzz::must(bytes == text.text.size, "a column has other text");
      touch(text.text);
    }
  } catch (const Error& error) {
    fuzz::must(error.code() == Code::kCorrupt || error.code() == Code::kUnimplemented ||
                   error.code() == Code::kInvalid || error.code() == Code::kQuota,
               "a file was refused with another code");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span all(data, size);
  import(Slice::copy_of(all));
  if (all.size() < static_cast<std::size_t>(kArrowTailBytes)) return 0;
  try {
    const Slice file = Slice::copy_of(all);  // its own memory, so that a sanitizer knows its end
    const std::span whole(file.data, size);
    const std::int64_t bytes = arrow_footer_bytes(whole.last(kArrowTailBytes), file.size);
    const ArrowFooter footer = parse_arrow_footer(
        whole.first(size - kArrowTailBytes).last(static_cast<std::size_t>(bytes)));
    for (std::size_t i = 0; i < footer.batches.size(); ++i) {
      const ArrowBatch batch = read_arrow_batch(file, footer, i);
      fuzz::must(batch.columns.size() == footer.fields.size(), "a batch has other columns");
      for (const ArrowColumn& column : batch.columns) {
        touch(column.data);
        touch(column.offsets);
      }
    }
  } catch (const Error& error) {
    fuzz::must(error.code() == Code::kCorrupt || error.code() == Code::kUnimplemented,
               "a file was refused with another code");
  }
  return 0;
}
