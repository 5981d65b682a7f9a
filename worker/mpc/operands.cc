#include "worker/mpc/operands.h"

#include <algorithm>
#include <string>

#include "protocol/error.h"
#include "protocol/secret.h"
#include "protocol/simd.h"
#include "worker/mpc/bit_planes.h"

namespace curia::mpc {
namespace {

using Words = std::uint64_t;

const Type& type_of(const MpcContext& ctx, std::size_t i) {
  expect(i < ctx.operand_types.size(), "the op has fewer operands than it needs");
  return ctx.operand_types[i];
}

const Words* words_of(const Slice& slice) { return reinterpret_cast<const Words*>(slice.data); }

RingShare without_data(MpcProtocol& p, std::int64_t count) { return p.map({}, count, {}); }

// A public operand encoded as ring elements, in its own shape.
Slice encoded(const MpcContext& ctx, std::size_t i, Scale scale) {
  const Tensor& tensor = ctx.operands[i]->tensor();
  return encode_secret(tensor, {scale.kind, scale.fraction_bits, tensor.shape});
}

}  // namespace

bool is_secret(const MpcContext& ctx, std::size_t i) { return type_of(ctx, i).is_secret(); }

const Shape& shape_of(const MpcContext& ctx, std::size_t i) {
  const Type& type = type_of(ctx, i);
  return type.is_secret() ? type.secret().shape : type.tensor().shape;
}

std::int64_t count_of(const MpcContext& ctx, std::size_t i) {
  return element_count(shape_of(ctx, i));
}

Scale scale_of(const MpcContext& ctx, std::size_t i) {
  const SecretType& type = type_of(ctx, i).secret();
  return {type.kind, type.fraction_bits};
}

Scale common_scale(const MpcContext& ctx, std::size_t first) {
  bool found = false;
  Scale scale;
  for (std::size_t i = first; i < ctx.operand_types.size(); ++i) {
    if (!is_secret(ctx, i)) continue;
    expect(!found || scale_of(ctx, i) == scale,
           "expected secret operands of one kind and number of fraction bits; cast one of them");
    scale = scale_of(ctx, i);
    found = true;
  }
  expect(found, "expected at least one secret operand");
  return scale;
}

bool is_whole(const MpcContext& ctx, std::size_t i) {
  return !is_float(type_of(ctx, i).tensor().dtype);
}

RingShare ring_operand(const MpcContext& ctx, std::size_t i) {
  expect(scale_of(ctx, i).ring(), "expected secret numbers, found secret bits; cast them first");
  const std::int64_t count = count_of(ctx, i);
  if (ctx.counting) return without_data(ctx.protocol, count);
  const Share& share = ctx.operands[i]->share();
  return {count, share.first, share.second};
}

BitShare bit_operand(const MpcContext& ctx, std::size_t i) {
  expect(!scale_of(ctx, i).ring(), "expected secret bits, found secret numbers; compare first");
  const std::int64_t count = count_of(ctx, i);
  if (ctx.counting) return ctx.protocol.map_bits({}, count, {});
  const Share& share = ctx.operands[i]->share();
  return {count, share.first, share.second};
}

PublicRing public_ring(const MpcContext& ctx, std::size_t i, Scale scale, const Shape& shape) {
  const View view = View::of(shape_of(ctx, i)).broadcast(shape);
  return ctx.protocol.public_ring(element_count(shape), [&](Words* out) {
    copy_view(view, words_of(encoded(ctx, i, scale)), out);
  });
}

PublicRing public_flags(const MpcContext& ctx, std::size_t i, const Shape& shape) {
  expect(type_of(ctx, i).tensor().dtype == DType::kBool, "expected public bools");
  return public_ring(ctx, i, {SecretKind::kInt, 0}, shape);
}

RingShare ring_operand(const MpcContext& ctx, std::size_t i, Scale scale, const Shape& shape) {
  if (!is_secret(ctx, i)) return constant(ctx.protocol, public_ring(ctx, i, scale, shape));
  return seen(ctx.protocol, ring_operand(ctx, i), View::of(shape_of(ctx, i)).broadcast(shape));
}

BitShare bit_operand(const MpcContext& ctx, std::size_t i, const Shape& shape) {
  if (is_secret(ctx, i)) {
    return seen(ctx.protocol, bit_operand(ctx, i), View::of(shape_of(ctx, i)).broadcast(shape));
  }
  const PublicRing flags = public_flags(ctx, i, shape);
  return ctx.protocol.map_bits({}, flags.count,
                               [&](const Words* const*, Words* out, bool is_constant) {
                                 if (is_constant)
                                   return pack_bits(words_of(flags.data), flags.count, out);
                                 std::fill_n(out, bit_words(flags.count), Words{0});
                               });
}

const Shape& result_shape(const MpcContext& ctx) { return ctx.result.secret().shape; }

namespace {

std::vector<ValuePtr> result_of(const MpcContext& ctx, std::int64_t count, bool ring,
                                const Slice& first, const Slice& second) {
  const SecretType& type = ctx.result.secret();
  const bool wants_ring = type.kind != SecretKind::kBool;
  expect(count == element_count(type.shape) && ring == wants_ring,
         "the op's result does not have the type that the graph gives it");
  Share share{type, ctx.instance, first, second};
  std::vector<ValuePtr> results;
  results.push_back(std::make_shared<const Value>(std::move(share)));
  return results;
}

}  // namespace

std::vector<ValuePtr> done(const MpcContext& ctx, const RingShare& x) {
  return result_of(ctx, x.count, true, x.first, x.second);
}

std::vector<ValuePtr> done(const MpcContext& ctx, const BitShare& x) {
  return result_of(ctx, x.count, false, x.first, x.second);
}

namespace {

template <class T>
const T* find_attr(const MpcContext& ctx, std::string_view key, std::string_view kind) {
  const auto found = ctx.op.attrs.find(std::string(key));
  if (found == ctx.op.attrs.end()) return nullptr;
  const T* value = std::get_if<T>(&found->second);
  if (value == nullptr) {
    throw Error(Code::kInvalid,
                "expected attribute " + std::string(key) + " to hold " + std::string(kind));
  }
  return value;
}

template <class T>
const T& attr(const MpcContext& ctx, std::string_view key, std::string_view kind) {
  const T* value = find_attr<T>(ctx, key, kind);
  if (value == nullptr) throw Error(Code::kInvalid, "expected attribute " + std::string(key));
  return *value;
}

}  // namespace

bool has_attr(const MpcContext& ctx, std::string_view key) {
  return ctx.op.attrs.contains(std::string(key));
}

std::int64_t int_attr(const MpcContext& ctx, std::string_view key) {
  return attr<std::int64_t>(ctx, key, "an int");
}

std::int64_t int_attr_or(const MpcContext& ctx, std::string_view key, std::int64_t fallback) {
  const auto* value = find_attr<std::int64_t>(ctx, key, "an int");
  return value == nullptr ? fallback : *value;
}

bool bool_attr_or(const MpcContext& ctx, std::string_view key, bool fallback) {
  const auto* value = find_attr<bool>(ctx, key, "a bool");
  return value == nullptr ? fallback : *value;
}

const std::vector<std::int64_t>& ints_attr(const MpcContext& ctx, std::string_view key) {
  return attr<std::vector<std::int64_t>>(ctx, key, "ints");
}

RingShare constant(MpcProtocol& p, const PublicRing& x) {
  return p.map({}, x.count, [&](const Words* const*, Words* out, bool is_constant) {
    if (is_constant) {
      std::copy_n(words_of(x.data), x.count, out);
    } else {
      std::fill_n(out, x.count, Words{0});
    }
  });
}

RingShare constant(MpcProtocol& p, std::int64_t count, Words value) {
  return p.map({}, count, [&](const Words* const*, Words* out, bool is_constant) {
    std::fill_n(out, count, is_constant ? value : 0);
  });
}

RingShare add(MpcProtocol& p, const RingShare& a, const RingShare& b) {
  return p.map({&a, &b}, a.count, [&](const Words* const* in, Words* out, bool) {
    const auto body = [](const Words* x, const Words* y, Words* z, std::int64_t n) CURIA_INLINE {
      for (std::int64_t i = 0; i < n; ++i) z[i] = x[i] + y[i];
    };
    with_simd(body, in[0], in[1], out, a.count);
  });
}

RingShare subtract(MpcProtocol& p, const RingShare& a, const RingShare& b) {
  return p.map({&a, &b}, a.count, [&](const Words* const* in, Words* out, bool) {
    const auto body = [](const Words* x, const Words* y, Words* z, std::int64_t n) CURIA_INLINE {
      for (std::int64_t i = 0; i < n; ++i) z[i] = x[i] - y[i];
    };
    with_simd(body, in[0], in[1], out, a.count);
  });
}

RingShare add_constant(MpcProtocol& p, const RingShare& a, Words value) {
  return p.map({&a}, a.count, [&](const Words* const* in, Words* out, bool is_constant) {
    const Words added = is_constant ? value : 0;
    for (std::int64_t i = 0; i < a.count; ++i) out[i] = in[0][i] + added;
  });
}

RingShare times(MpcProtocol& p, const RingShare& a, Words factor) {
  return p.map({&a}, a.count, [&](const Words* const* in, Words* out, bool) {
    const auto body = [](const Words* x, Words c, Words* z, std::int64_t n) CURIA_INLINE {
      for (std::int64_t i = 0; i < n; ++i) z[i] = x[i] * c;
    };
    with_wide_simd(body, in[0], factor, out, a.count);
  });
}

RingShare times(MpcProtocol& p, const RingShare& a, const PublicRing& factor) {
  return p.map({&a}, a.count, [&](const Words* const* in, Words* out, bool) {
    const auto body = [](const Words* x, const Words* y, Words* z, std::int64_t n) CURIA_INLINE {
      for (std::int64_t i = 0; i < n; ++i) z[i] = x[i] * y[i];
    };
    with_wide_simd(body, in[0], words_of(factor.data), out, a.count);
  });
}

BitShare exclusive_or(MpcProtocol& p, const BitShare& a, const BitShare& b) {
  return p.map_bits({&a, &b}, a.count, [&](const Words* const* in, Words* out, bool) {
    for (std::int64_t i = 0; i < bit_words(a.count); ++i) out[i] = in[0][i] ^ in[1][i];
  });
}

BitShare negation(MpcProtocol& p, const BitShare& a) {
  return p.map_bits({&a}, a.count, [&](const Words* const* in, Words* out, bool is_constant) {
    const Words ones = is_constant ? ~Words{0} : 0;
    for (std::int64_t i = 0; i < bit_words(a.count); ++i) out[i] = in[0][i] ^ ones;
  });
}

RingShare choose(MpcProtocol& p, const RingShare& bit, const RingShare& a, const RingShare& b) {
  return add(p, a, p.multiply(bit, subtract(p, b, a)));
}

BitShare less(MpcProtocol& p, const RingShare& a, const RingShare& b) {
  return p.sign(subtract(p, a, b));
}

MpcCost counted(const MpcCostContext& ctx) { return mpc_cost(ctx); }

}  // namespace curia::mpc
