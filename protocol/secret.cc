#include "protocol/secret.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "protocol/error.h"

namespace curia {
namespace {

std::uint64_t* words_of(Buffer& buffer) { return reinterpret_cast<std::uint64_t*>(buffer.data()); }

const std::uint64_t* words_of(const Slice& slice) {
  return reinterpret_cast<const std::uint64_t*>(slice.data);
}

void check_size(const Slice& part, const SecretType& type) {
  if (part.size == part_bytes(type)) return;
  throw Error(Code::kCorrupt, "expected " + std::to_string(part_bytes(type)) +
                                  " bytes as a part of " + type_text(type) + ", found " +
                                  std::to_string(part.size));
}

// Whether the number can be encoded; writes it.
template <class T>
bool encode_number(T x, int fraction_bits, std::uint64_t& out) {
  if constexpr (std::is_floating_point_v<T>) {
    const double scaled = std::ldexp(static_cast<double>(x), fraction_bits);
    if (!(std::fabs(scaled) < std::ldexp(1.0, kSecretRangeBits))) return false;  // NaN too
    out = static_cast<std::uint64_t>(std::llrint(scaled));
  } else {
    const auto most = std::int64_t{1} << (kSecretRangeBits - fraction_bits);
    if (std::cmp_greater_equal(x, most) || std::cmp_less_equal(x, -most)) return false;
    out = static_cast<std::uint64_t>(x) << fraction_bits;
  }
  return true;
}

template <class T>
void encode_all(const Tensor& clear, const SecretType& type, std::uint64_t* out) {
  const T* from = reinterpret_cast<const T*>(clear.data.data);
  const std::int64_t count = clear.elements();
  bool good = true;
  for (std::int64_t i = 0; i < count; ++i) {
    good &= encode_number<T>(from[i], type.fraction_bits, out[i]);
  }
  if (good) return;
  throw Error(Code::kInvalid, "a number is not finite, or too large for " + type_text(type) +
                                  ": the absolute value has to be below 2^" +
                                  std::to_string(kSecretRangeBits - type.fraction_bits) +
                                  "; clip or scale the data first, or use fewer fraction bits");
}

// Bits are drawn from a byte for each: 0 is false.
void pack_bits(const std::uint8_t* from, std::int64_t count, std::uint64_t* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    out[i / 64] |= std::uint64_t{from[i] != 0} << (i % 64);
  }
}

bool fits(DType dtype, SecretKind kind) {
  if (kind == SecretKind::kBool) return dtype == DType::kBool;
  if (kind == SecretKind::kInt) return dtype == DType::kBool || is_int(dtype);
  return dtype == DType::kBool || is_number(dtype);
}

}  // namespace

Slice encode_secret(const Tensor& clear, const SecretType& type) {
  if (clear.shape != type.shape || !fits(clear.dtype, type.kind)) {
    throw Error(Code::kInvalid, "expected a tensor that can be shared as " + type_text(type) +
                                    ", found " + type_text(clear.type()));
  }
  expect(clear.data.size == byte_count(clear.type()), "a tensor's memory does not fit its type");
  auto buffer = Buffer::allocate(part_bytes(type));
  std::uint64_t* out = words_of(*buffer);
  if (type.kind == SecretKind::kBool) {
    std::fill_n(buffer->data(), buffer->size(), std::uint8_t{0});
    pack_bits(clear.data.data, clear.elements(), out);
    return Slice(BufferPtr(std::move(buffer)));
  }
  switch (clear.dtype) {
    case DType::kBool:
    case DType::kU8:
      encode_all<std::uint8_t>(clear, type, out);
      break;
    case DType::kI8:
      encode_all<std::int8_t>(clear, type, out);
      break;
    case DType::kI16:
      encode_all<std::int16_t>(clear, type, out);
      break;
    case DType::kI32:
      encode_all<std::int32_t>(clear, type, out);
      break;
    case DType::kI64:
      encode_all<std::int64_t>(clear, type, out);
      break;
    case DType::kU16:
      encode_all<std::uint16_t>(clear, type, out);
      break;
    case DType::kU32:
      encode_all<std::uint32_t>(clear, type, out);
      break;
    case DType::kU64:
      encode_all<std::uint64_t>(clear, type, out);
      break;
    case DType::kF32:
      encode_all<float>(clear, type, out);
      break;
    case DType::kF64:
      encode_all<double>(clear, type, out);
      break;
    case DType::kString:
      break;  // refused above
  }
  return Slice(BufferPtr(std::move(buffer)));
}

Tensor decode_secret(const Slice& ring, const SecretType& type) {
  check_size(ring, type);
  const TensorType clear = clear_type(type);
  const std::int64_t count = element_count(type.shape);
  auto buffer = Buffer::allocate(byte_count(clear));
  const std::uint64_t* from = words_of(ring);
  if (type.kind == SecretKind::kBool) {
    for (std::int64_t i = 0; i < count; ++i) {
      buffer->data()[i] = static_cast<std::uint8_t>(from[i / 64] >> (i % 64) & 1);
    }
  } else if (type.kind == SecretKind::kInt) {
    if (count > 0) std::memcpy(buffer->data(), ring.data, static_cast<std::size_t>(ring.size));
  } else {
    const double unit = std::ldexp(1.0, -type.fraction_bits);
    auto* out = reinterpret_cast<double*>(buffer->data());
    for (std::int64_t i = 0; i < count; ++i) {
      out[i] = static_cast<double>(static_cast<std::int64_t>(from[i])) * unit;
    }
  }
  return {clear.dtype, clear.shape, Slice(BufferPtr(std::move(buffer)))};
}

std::array<Slice, 3> split_secret(const Slice& ring, const SecretType& type,
                                  const RandomFill& random) {
  check_size(ring, type);
  std::array<std::shared_ptr<Buffer>, 3> parts;
  for (auto& part : parts) part = Buffer::allocate(ring.size);
  for (const std::size_t i : {0, 1}) {
    random({parts[i]->data(), static_cast<std::size_t>(ring.size)});
  }
  const std::uint64_t *secret = words_of(ring), *a = words_of(*parts[0]), *b = words_of(*parts[1]);
  std::uint64_t* c = words_of(*parts[2]);
  const bool bits = type.kind == SecretKind::kBool;
  for (std::int64_t i = 0; i < ring.size / 8; ++i) {
    c[i] = bits ? secret[i] ^ a[i] ^ b[i] : secret[i] - a[i] - b[i];
  }
  std::array<Slice, 3> slices;
  for (std::size_t i = 0; i < 3; ++i) slices[i] = Slice(BufferPtr(std::move(parts[i])));
  return slices;
}

Slice join_parts(std::span<const Slice, 3> parts, const SecretType& type) {
  for (const Slice& part : parts) check_size(part, type);
  auto buffer = Buffer::allocate(part_bytes(type));
  std::uint64_t* out = words_of(*buffer);
  const std::uint64_t *a = words_of(parts[0]), *b = words_of(parts[1]), *c = words_of(parts[2]);
  const bool bits = type.kind == SecretKind::kBool;
  for (std::int64_t i = 0; i < buffer->size() / 8; ++i) {
    out[i] = bits ? a[i] ^ b[i] ^ c[i] : a[i] + b[i] + c[i];
  }
  return Slice(BufferPtr(std::move(buffer)));
}

Tensor reconstruct(std::span<const Share> shares) {
  expect(shares.size() == 3, "a secret is put together from the shares of all three members");
  for (const Share& share : shares) {
    if (share.type != shares[0].type) {
      throw Error(Code::kInvalid, "expected three shares of " + type_text(shares[0].type) +
                                      ", found one of " + type_text(share.type));
    }
    expect(share.instance == shares[0].instance,
           "the shares come from different runs of a task, so they do not fit together; fetch "
           "all three again");
    check_size(share.first, share.type);
    check_size(share.second, share.type);
  }
  const SecretType& type = shares[0].type;
  const std::int64_t count = element_count(type.shape);
  const bool bits = type.kind == SecretKind::kBool;
  const std::int64_t whole = bits ? count / 64 : count;  // words; behind them, count % 64 bits
  for (std::size_t i = 0; i < 3; ++i) {
    const std::uint64_t *mine = words_of(shares[i].second),
                        *theirs = words_of(shares[(i + 1) % 3].first);
    bool equal = std::equal(mine, mine + whole, theirs);
    if (bits && count % 64 != 0) {
      equal = equal && (mine[whole] ^ theirs[whole]) << (64 - count % 64) == 0;
    }
    if (!equal) {
      throw Error(Code::kCorrupt, "the shares of members " + std::to_string(i) + " and " +
                                      std::to_string((i + 1) % 3) +
                                      " differ in the part that both hold");
    }
  }
  const std::array<Slice, 3> parts = {shares[0].first, shares[1].first, shares[2].first};
  return decode_secret(join_parts(parts, type), type);
}

}  // namespace curia
