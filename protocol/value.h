// The data itself: tensors and tables over 64-byte aligned buffers.
//
// Invariant: a Value is immutable once it is shared (shared_ptr<const Value>); it is passed by
// reference and never copied to be read. Thread: immutable, so any.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/type.h"

namespace curia {

inline constexpr std::int64_t kAlignment = 64;

// Owned, 64-byte aligned memory. Written by the one who allocated it, then shared as const.
// Large buffers are recycled through a process-wide free list (an allocator detail, like malloc's),
// so that a kernel's output does not pay page faults again on every run.
class Buffer {
 public:
  // `bytes` >= 0, contents unspecified. Errors: kQuota when the system has no memory left.
  static std::shared_ptr<Buffer> allocate(std::int64_t bytes);

  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::uint8_t* data() { return data_; }
  const std::uint8_t* data() const { return data_; }
  std::int64_t size() const { return size_; }

 private:
  Buffer(std::uint8_t* data, std::int64_t size, std::int64_t capacity)
      : data_(data), size_(size), capacity_(capacity) {}

  std::uint8_t* data_;
  std::int64_t size_;
  std::int64_t capacity_;
};

using BufferPtr = std::shared_ptr<const Buffer>;

// Bytes inside somebody's memory, kept alive by `owner` (usually a Buffer; a mapping later).
struct Slice {
  std::shared_ptr<const void> owner;
  const std::uint8_t* data = nullptr;
  std::int64_t size = 0;

  Slice() = default;
  Slice(BufferPtr buffer);  // NOLINT: the whole buffer is a slice
  Slice(std::shared_ptr<const void> keep, const std::uint8_t* begin, std::int64_t bytes)
      : owner(std::move(keep)), data(begin), size(bytes) {}
  Slice part(std::int64_t offset, std::int64_t bytes) const;
  static Slice copy_of(std::span<const std::uint8_t> bytes);
  static Slice copy_of(std::string_view text);
};

struct Tensor {
  DType dtype = DType::kF64;
  Shape shape;  // no `?`
  Slice data;   // row-major, element_count(shape) * dtype_bytes(dtype) bytes

  TensorType type() const { return {dtype, shape}; }
  std::int64_t elements() const { return element_count(shape); }
  // REQUIRES: T matches dtype (checked; kInvalid).
  template <class T>
  std::span<const T> as() const;

  template <class T>
  static Tensor of(Shape shape, std::span<const T> values);
  template <class T>
  static Tensor of(Shape shape, const std::vector<T>& values) {
    return of(std::move(shape), std::span<const T>(values));
  }
  template <class T>
  static Tensor scalar(T value) {
    return of(Shape{}, std::span<const T>(&value, 1));
  }
};

// LargeUtf8 of Arrow: row i is text[offsets[i] .. offsets[i + 1]).
struct StringColumn {
  Slice offsets;  // i64[rows + 1], offsets[0] == 0, not decreasing, last <= text.size
  Slice text;     // UTF-8

  std::int64_t rows() const { return offsets.size / 8 - 1; }
  std::string_view at(std::int64_t row) const;
  static StringColumn of(const std::vector<std::string>& rows);
};

struct Column {
  std::string name;
  std::variant<Tensor, StringColumn> data;  // a tensor of shape [rows]

  DType dtype() const;
  std::int64_t rows() const;
};

struct Table {
  std::vector<Column> columns;  // equal lengths, distinct names
  std::int64_t rows = 0;

  TableType type() const;
  // Errors: kInvalid, listing the columns there are.
  const Column& column(std::string_view name) const;
};

// What one member of a secure device holds of a secret: two of the three additive parts (replicated
// secret sharing, Araki et al., CCS 2016, section 2). The member of rank i holds part i in `first`
// and part (i + 1) mod 3 in `second`; the secret is the sum of the three parts, mod 2^64 or, for
// bits, their exclusive or. Bits are packed, the lowest first, in 64-bit words; bits behind the
// last element are unspecified.
struct Share {
  SecretType type;
  Digest instance;  // of the task run that made it: shares of different instances never meet
  Slice first;      // part_bytes(type) each
  Slice second;
};

// A tensor, a table, a share, or the error that stands in the place of an output that failed.
struct Value {
  std::variant<Tensor, Table, Error, Share> form;

  Value(Tensor tensor) : form(std::move(tensor)) {}  // NOLINT: a tensor is a value
  Value(Table table) : form(std::move(table)) {}     // NOLINT: likewise
  Value(Error error) : form(std::move(error)) {}     // NOLINT: likewise
  Value(Share share) : form(std::move(share)) {}     // NOLINT: likewise

  bool is_tensor() const { return std::holds_alternative<Tensor>(form); }
  bool is_table() const { return std::holds_alternative<Table>(form); }
  bool is_error() const { return std::holds_alternative<Error>(form); }
  bool is_share() const { return std::holds_alternative<Share>(form); }
  // These throw the stored error where there is one, else kInvalid on the wrong kind.
  const Tensor& tensor() const;
  const Table& table() const;
  const Share& share() const;
  void check() const;  // throws the stored error, if it is one

  // The exact type (no `?`), without a device. REQUIRES: not an error.
  Type type() const;
  // Bytes of data held, for quotas. An error counts as 0.
  std::int64_t bytes() const;
};

using ValuePtr = std::shared_ptr<const Value>;

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<bool>() {
  return DType::kBool;
}
template <>
constexpr DType dtype_of<std::int8_t>() {
  return DType::kI8;
}
template <>
constexpr DType dtype_of<std::int16_t>() {
  return DType::kI16;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::kI32;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::kI64;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::kU8;
}
template <>
constexpr DType dtype_of<std::uint16_t>() {
  return DType::kU16;
}
template <>
constexpr DType dtype_of<std::uint32_t>() {
  return DType::kU32;
}
template <>
constexpr DType dtype_of<std::uint64_t>() {
  return DType::kU64;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::kF32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::kF64;
}

template <class T>
std::span<const T> Tensor::as() const {
  if (dtype_of<T>() != dtype) {
    throw Error(Code::kInvalid, "expected a tensor of " + std::string(dtype_name(dtype_of<T>())) +
                                    ", found " + type_text(type()));
  }
  return {reinterpret_cast<const T*>(data.data), static_cast<std::size_t>(data.size) / sizeof(T)};
}

template <class T>
Tensor Tensor::of(Shape shape, std::span<const T> values) {
  expect(element_count(shape) == static_cast<std::int64_t>(values.size()),
         "the number of values does not match the shape");
  return {
      dtype_of<T>(), std::move(shape),
      Slice::copy_of({reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()})};
}

}  // namespace curia
