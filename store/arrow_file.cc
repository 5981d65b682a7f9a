#include "store/arrow_file.h"

#include "store/arrow/writer.h"
#include "store/file_bytes.h"

namespace curia {

Value read_arrow(const std::string& path, const ArrowOptions& options) {
  return parse_arrow(read_file(path, options.max_bytes), path, options);
}

std::string write_arrow(const Value& value) {
  value.check();
  if (value.is_share()) {
    throw Error(Code::kInvalid, "expected a tensor or a table, found a share of a secret");
  }
  const ArrowImage image =
      arrow_image(value, {{"curia.type", value.type().str()}}, ArrowBools::kBits);
  std::string file;
  file.reserve(static_cast<std::size_t>(image.bytes));
  for (const Slice& piece : image.pieces) {
    file.append(reinterpret_cast<const char*>(piece.data), static_cast<std::size_t>(piece.size));
  }
  return file + arrow_footer(image, {});
}

}  // namespace curia
