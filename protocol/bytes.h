// A bounded little-endian writer and reader of bytes with exactly one spelling for every value.
//
// Invariant: a ByteReader never reads outside its data and never lets a length through that the
// bytes left could not hold, so a short input cannot cause a large allocation.
// Thread: any, one at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace curia {

class ByteWriter {
 public:
  void u8(std::uint8_t value);
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void u64(std::uint64_t value);
  void boolean(bool value);
  void f64(double value);  // the bits, so that NaNs keep their payload
  // 7 bits a byte, lowest first, high bit set on all but the last byte; no leading zero groups.
  void varint(std::uint64_t value);
  // A signed number as varint: 0, -1, 1, -2, ... become 0, 1, 2, 3, ...
  void svarint(std::int64_t value);
  void text(std::string_view value);  // varint length, then the bytes
  void raw(std::span<const std::uint8_t> value);

  std::int64_t size() const { return static_cast<std::int64_t>(bytes_.size()); }
  const std::string& bytes() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// The inverse of ByteWriter. Every error is kInvalid and names `what` and the byte.
class ByteReader {
 public:
  // `data` and `what` outlive the reader. `what` is the thing read, such as "graph bytes".
  ByteReader(std::string_view data, std::string_view what) : data_(data), what_(what) {}

  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  std::uint64_t u64();
  bool boolean();  // 0 or 1, nothing else
  double f64();
  std::uint64_t varint();  // refuses forms longer than needed
  std::int64_t svarint();
  // A varint that is at most `max`; `name` says what it counts.
  std::uint64_t varint_up_to(std::uint64_t max, std::string_view name);
  // The number of elements that follow, each of at least `min_bytes_each` (>= 1) bytes.
  std::int64_t count(std::int64_t min_bytes_each, std::int64_t max, std::string_view name);
  std::string text(std::int64_t max_bytes, std::string_view name);
  std::span<const std::uint8_t> raw(std::int64_t bytes);

  std::int64_t left() const { return static_cast<std::int64_t>(data_.size() - at_); }
  std::int64_t at() const { return static_cast<std::int64_t>(at_); }
  void finish() const;  // refuses bytes that are left over
  [[noreturn]] void fail(std::string_view why) const;

 private:
  template <class T>
  T fixed();

  std::string_view data_;
  std::string_view what_;
  std::size_t at_ = 0;
};

}  // namespace curia
