#include "protocol/bytes.h"

#include <bit>

#include "protocol/error.h"

namespace curia {
namespace {

template <class T>
void append(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out.push_back(static_cast<char>(static_cast<std::uint8_t>(value >> (8 * i))));
  }
}

}  // namespace

void ByteWriter::u8(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
void ByteWriter::u16(std::uint16_t value) { append(bytes_, value); }
void ByteWriter::u32(std::uint32_t value) { append(bytes_, value); }
void ByteWriter::u64(std::uint64_t value) { append(bytes_, value); }
void ByteWriter::boolean(bool value) { u8(value ? 1 : 0); }
void ByteWriter::f64(double value) { u64(std::bit_cast<std::uint64_t>(value)); }

void ByteWriter::varint(std::uint64_t value) {
  while (value >= 0x80) {
    u8(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  u8(static_cast<std::uint8_t>(value));
}

void ByteWriter::svarint(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  varint(value < 0 ? ~(bits << 1) : bits << 1);
}

void ByteWriter::text(std::string_view value) {
  varint(value.size());
  bytes_.append(value);
}

void ByteWriter::raw(std::span<const std::uint8_t> value) {
  bytes_.append(value.begin(), value.end());
}

template <class T>
T ByteReader::fixed() {
  const auto bytes = raw(sizeof(T));
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(static_cast<T>(bytes[i]) << (8 * i)));
  }
  return value;
}

std::uint8_t ByteReader::u8() { return fixed<std::uint8_t>(); }
std::uint16_t ByteReader::u16() { return fixed<std::uint16_t>(); }
std::uint32_t ByteReader::u32() { return fixed<std::uint32_t>(); }
std::uint64_t ByteReader::u64() { return fixed<std::uint64_t>(); }
double ByteReader::f64() { return std::bit_cast<double>(u64()); }

bool ByteReader::boolean() {
  const std::uint8_t value = u8();
  if (value > 1) fail("expected a boolean of 0 or 1, found " + std::to_string(value));
  return value == 1;
}

std::uint64_t ByteReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const std::uint8_t byte = u8();
    if (shift == 63 && byte > 1) fail("a number does not fit 64 bits");
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift > 0) fail("a number is longer than needed");
      return value;
    }
  }
}

std::int64_t ByteReader::svarint() {
  const std::uint64_t bits = varint();
  return static_cast<std::int64_t>((bits & 1) != 0 ? ~(bits >> 1) : bits >> 1);
}

std::uint64_t ByteReader::varint_up_to(std::uint64_t max, std::string_view name) {
  const std::uint64_t value = varint();
  if (value > max) {
    fail("expected " + std::string(name) + " of at most " + std::to_string(max) + ", found " +
         std::to_string(value));
  }
  return value;
}

std::int64_t ByteReader::count(std::int64_t min_bytes_each, std::int64_t max,
                               std::string_view name) {
  const auto value = static_cast<std::int64_t>(
      varint_up_to(static_cast<std::uint64_t>(max), "a number of " + std::string(name)));
  if (value > left() / min_bytes_each) {
    fail(std::to_string(value) + " " + std::string(name) + " announced, but only " +
         std::to_string(left()) + " bytes are left");
  }
  return value;
}

std::string ByteReader::text(std::int64_t max_bytes, std::string_view name) {
  const std::int64_t size = count(1, max_bytes, "bytes of " + std::string(name));
  const auto bytes = raw(size);
  return std::string(bytes.begin(), bytes.end());
}

std::span<const std::uint8_t> ByteReader::raw(std::int64_t bytes) {
  if (bytes < 0 || bytes > left()) {
    fail("expected " + std::to_string(bytes) + " more bytes, found " + std::to_string(left()));
  }
  const auto* begin = reinterpret_cast<const std::uint8_t*>(data_.data()) + at_;
  at_ += static_cast<std::size_t>(bytes);
  return {begin, static_cast<std::size_t>(bytes)};
}

void ByteReader::finish() const {
  if (left() != 0) fail("expected the end, found " + std::to_string(left()) + " more bytes");
}

void ByteReader::fail(std::string_view why) const {
  throw Error(Code::kInvalid, "bad " + std::string(what_) + " at byte " + std::to_string(at_) +
                                  ": " + std::string(why));
}

}  // namespace curia
