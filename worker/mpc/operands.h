// What kernels share: operands as shares of one kind and shape, attributes, results.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "worker/mpc/kernel.h"
#include "worker/mpc/views.h"

namespace curia::mpc {

// Kind and fraction bits; the shape does not matter here.
struct Scale {
  SecretKind kind = SecretKind::kInt;
  int fraction_bits = 0;

  bool ring() const { return kind != SecretKind::kBool; }
  bool operator==(const Scale&) const = default;
};

bool is_secret(const MpcContext& ctx, std::size_t i);
const Shape& shape_of(const MpcContext& ctx, std::size_t i);
std::int64_t count_of(const MpcContext& ctx, std::size_t i);
Scale scale_of(const MpcContext& ctx, std::size_t i);  // REQUIRES: a secret operand
// Of all secret operands from number `first` on. Errors: kInvalid when they differ or there is
// none.
Scale common_scale(const MpcContext& ctx, std::size_t first = 0);
// Whether a public operand holds whole numbers, which need no fraction bits.
bool is_whole(const MpcContext& ctx, std::size_t i);

// Operand i, a secret of numbers or bits. Errors: kInvalid for the other kind or a public one.
RingShare ring_operand(const MpcContext& ctx, std::size_t i);
BitShare bit_operand(const MpcContext& ctx, std::size_t i);
// Operand i, secret or public, broadcast to `shape`.
RingShare ring_operand(const MpcContext& ctx, std::size_t i, Scale scale, const Shape& shape);
BitShare bit_operand(const MpcContext& ctx, std::size_t i, const Shape& shape);
// A public operand, encoded and broadcast. Errors: kInvalid for what cannot be encoded.
PublicRing public_ring(const MpcContext& ctx, std::size_t i, Scale scale, const Shape& shape);
// Bits as numbers 0 and 1.
PublicRing public_flags(const MpcContext& ctx, std::size_t i, const Shape& shape);

// The result, which has the shape of ctx.result.
const Shape& result_shape(const MpcContext& ctx);
std::vector<ValuePtr> done(const MpcContext& ctx, const RingShare& x);
std::vector<ValuePtr> done(const MpcContext& ctx, const BitShare& x);

// Attributes. Errors: kInvalid, with what was expected.
bool has_attr(const MpcContext& ctx, std::string_view key);
std::int64_t int_attr(const MpcContext& ctx, std::string_view key);
std::int64_t int_attr_or(const MpcContext& ctx, std::string_view key, std::int64_t fallback);
bool bool_attr_or(const MpcContext& ctx, std::string_view key, bool fallback);
const std::vector<std::int64_t>& ints_attr(const MpcContext& ctx, std::string_view key);

// --- local arithmetic, elementwise
RingShare constant(MpcProtocol& p, const PublicRing& x);
RingShare constant(MpcProtocol& p, std::int64_t count, std::uint64_t value);
RingShare add(MpcProtocol& p, const RingShare& a, const RingShare& b);
RingShare subtract(MpcProtocol& p, const RingShare& a, const RingShare& b);
RingShare add_constant(MpcProtocol& p, const RingShare& a, std::uint64_t value);
RingShare times(MpcProtocol& p, const RingShare& a, std::uint64_t factor);
RingShare times(MpcProtocol& p, const RingShare& a, const PublicRing& factor);
BitShare exclusive_or(MpcProtocol& p, const BitShare& a, const BitShare& b);
BitShare negation(MpcProtocol& p, const BitShare& a);

// --- with messages
// a where `bit` (numbers 0 and 1) is 0, else b.
RingShare choose(MpcProtocol& p, const RingShare& bit, const RingShare& a, const RingShare& b);
// Whether a < b. REQUIRES: |a - b| < 2^63.
BitShare less(MpcProtocol& p, const RingShare& a, const RingShare& b);

// The cost rule of every row: the kernel run by the counting protocol.
MpcCost counted(const MpcCostContext& ctx);

}  // namespace curia::mpc
