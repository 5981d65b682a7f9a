#include "store/npy.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>

#include "store/file_bytes.h"

namespace curia {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "\x93NUMPY";

struct Descr {
  DType dtype;
  std::string_view text;
};

constexpr Descr kDescrs[] = {{DType::kBool, "|b1"}, {DType::kI8, "|i1"},  {DType::kI16, "<i2"},
                             {DType::kI32, "<i4"},  {DType::kI64, "<i8"}, {DType::kU8, "|u1"},
                             {DType::kU16, "<u2"},  {DType::kU32, "<u4"}, {DType::kU64, "<u8"},
                             {DType::kF32, "<f4"},  {DType::kF64, "<f8"}};

// The header: a Python dictionary of exactly the three known keys.
class Header {
 public:
  Header(std::string_view text, std::string_view name) : text_(text), name_(name) { parse(); }

  const TensorType& type() const { return type_; }

 private:
  void parse() {
    std::optional<DType> dtype;
    std::optional<Shape> shape;
    bool order = false;
    want('{');
    while (!take('}')) {
      const std::string_view key = quoted();
      want(':');
      if (key == "descr" && !dtype) {
        dtype = descr();
      } else if (key == "fortran_order" && !order) {
        order = true;
        if (word() != "False") fail("expected C order (fortran_order False)");
      } else if (key == "shape" && !shape) {
        shape = tuple();
      } else {
        fail("expected the keys descr, fortran_order and shape, each once");
      }
      if (!take(',')) {
        want('}');
        break;
      }
    }
    skip_spaces();
    if (at_ < text_.size() && text_[at_] == '\n') ++at_;
    if (at_ != text_.size()) fail("unexpected text after the header");
    if (!dtype || !shape || !order) fail("expected the keys descr, fortran_order and shape");
    type_ = {*dtype, *shape};
  }

  DType descr() {
    const std::string_view text = quoted();
    for (const Descr& known : kDescrs) {
      if (known.text == text) return known.dtype;
    }
    fail("expected a descr of bool, little-endian integers or floats (such as <f8)");
  }

  Shape tuple() {
    Shape shape;
    want('(');
    while (!take(')')) {
      skip_spaces();
      std::int64_t extent = 0;
      const char* begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0)
        fail("expected a shape of extents that are not negative");
      at_ += static_cast<std::size_t>(end - begin);
      shape.push_back(extent);
      if (static_cast<std::int64_t>(shape.size()) > kMaxRank) fail("rank above 8");
      if (!take(',')) {
        if (shape.size() == 1) fail("expected a comma after the only extent");
        want(')');
        break;
      }
    }
    return shape;
  }

  std::string_view quoted() {
    skip_spaces();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail("expected a quoted text");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a quoted text never ends");
    const std::string_view found = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return found;
  }

  std::string_view word() {
    skip_spaces();
    const std::size_t end = std::min(text_.find_first_of(" ,}", at_), text_.size());
    const std::string_view found = text_.substr(at_, end - at_);
    at_ = end;
    return found;
  }

  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void want(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "'");
  }
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(Code::kInvalid,
                std::string(name_) + ": npy header, character " + std::to_string(at_) + ": " + why);
  }

  std::string_view text_;
  std::string_view name_;
  std::size_t at_ = 0;
  TensorType type_;
};

}  // namespace

Tensor parse_npy(const Slice& bytes, std::string_view name) {
  const auto refuse = [&](const std::string& why) -> Error {
    return Error(Code::kInvalid, std::string(name) + ": " + why);
  };
  const std::string_view text(reinterpret_cast<const char*>(bytes.data),
                              static_cast<std::size_t>(bytes.size));
  if (text.size() < 10 || !text.starts_with(kMagic)) throw refuse("expected an npy file");
  const int version = static_cast<unsigned char>(text[6]);
  if ((version != 1 && version != 2) || text[7] != 0) {
    throw refuse("expected npy format version 1.0 or 2.0");
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  std::uint32_t length = 0;
  if (text.size() < 8 + length_bytes) throw refuse("the npy header is cut short");
  std::memcpy(&length, text.data() + 8, length_bytes);
  const std::size_t begin = 8 + length_bytes;
  if (length > kMaxNpyHeader) throw refuse("the npy header is longer than 64 KiB");
  if (text.size() - begin < length) throw refuse("the npy header is cut short");
  const TensorType type = Header(text.substr(begin, length), name).type();
  std::int64_t size = 0;
  try {
    size = byte_count(type);
  } catch (const Error& error) {
    throw refuse(error.message());
  }
  const auto offset = static_cast<std::int64_t>(begin + length);
  if (bytes.size - offset != size) {
    throw refuse("expected " + std::to_string(size) + " bytes of data for " + type_text(type) +
                 ", found " + std::to_string(bytes.size - offset));
  }
  Slice data = bytes.part(offset, size);
  if (reinterpret_cast<std::uintptr_t>(data.data) % kAlignment != 0) {
    data = Slice::copy_of({data.data, static_cast<std::size_t>(data.size)});
  }
  if (type.dtype == DType::kBool &&
      std::any_of(data.data, data.data + data.size, [](std::uint8_t byte) { return byte > 1; })) {
    throw refuse("expected bools of 0 or 1");
  }
  return {type.dtype, type.shape, data};
}

Tensor read_npy(const std::string& path, std::int64_t max_bytes) {
  return parse_npy(read_file(path, max_bytes), path);
}

std::string write_npy(const Tensor& tensor) {
  std::string header = "{'descr': '";
  for (const Descr& known : kDescrs) {
    if (known.dtype == tensor.dtype) header += known.text;
  }
  header += "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    header += (i == 0 ? "" : " ") + std::to_string(tensor.shape[i]) + ",";
  }
  if (tensor.shape.size() > 1) header.pop_back();
  header += "), }";
  const std::size_t lead = kMagic.size() + 4;
  header.append((kAlignment - (lead + header.size() + 1) % kAlignment) % kAlignment, ' ');
  header += '\n';
  std::string file(kMagic);
  file += '\1';
  file += '\0';
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  file += header;
  file.append(reinterpret_cast<const char*>(tensor.data.data),
              static_cast<std::size_t>(tensor.data.size));
  return file;
}

}  // namespace curia
