// Ops of a task on secure devices: moves onto them and off them, and what members compute there.
#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <utility>

#include "protocol/memory.h"
#include "protocol/secret.h"
#include "worker/task.h"

namespace curia {
namespace {

ValuePtr as_value(auto value) { return std::make_shared<const Value>(std::move(value)); }

// The largest number below 2^exponent.
template <class T>
T largest(int exponent) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::nextafter(std::ldexp(T{1}, exponent), T{0});
  } else {
    return static_cast<T>((T{1} << exponent) - 1);
  }
}

// The same tensor where every cell is within -most .. most, else a copy in which it is; `changed`:
// how many were not.
template <class T>
ValuePtr clamped(const ValuePtr& value, T most, std::int64_t& changed) {
  const Tensor& x = value->tensor();
  const T least = std::is_signed_v<T> ? static_cast<T>(-most) : T{0};
  const auto good = [=](T v) { return v >= least && v <= most; };  // not for NaN
  changed = x.elements() - std::ranges::count_if(x.as<T>(), good);
  if (changed == 0) return value;
  auto buffer = Buffer::allocate(x.data.size);
  std::ranges::transform(x.as<T>(), reinterpret_cast<T*>(buffer->data()), [=](T v) {
    return good(v) ? v : v > most ? most : v < least ? least : T{0};
  });
  return as_value(Tensor{x.dtype, x.shape, Slice(BufferPtr(std::move(buffer)))});
}

// Like every kernel, share is total: whether a cell is out of range must not show in whether the
// run ends well, or a driver could read data off it. So cells saturate, and NaN becomes 0, as in
// `cast`; only the owner is told.
ValuePtr in_range(const ValuePtr& value, const SecretType& type, std::int64_t& changed) {
  const int exponent = kSecretRangeBits - type.fraction_bits;
  switch (value->tensor().dtype) {
    case DType::kF64:
      return clamped(value, largest<double>(exponent), changed);
    case DType::kF32:
      return clamped(value, largest<float>(exponent), changed);
    case DType::kI64:
      return clamped(value, largest<std::int64_t>(exponent), changed);
    case DType::kU64:
      return clamped(value, largest<std::uint64_t>(exponent), changed);
    default:  // within 2^32, which every kind of number can hold
      return value;
  }
}

}  // namespace

std::vector<MpcUse> Task::mpc_uses() const {
  std::vector<MpcUse> all;
  for (const auto& [name, member] : members_) {
    for (const auto& [number, use] : member->uses()) all.push_back(use);
  }
  for (const auto& [number, use] : moves_) all.push_back(use);
  std::ranges::sort(all, {}, &MpcUse::op);
  return all;
}

void Task::note_move(const TypedOp& typed, std::int64_t bytes_sent) {
  MpcUse& use = moves_[typed.number];
  use.op = typed.number;
  ++use.runs;
  ++use.rounds;
  use.bytes += static_cast<std::uint64_t>(bytes_sent);
}

// Members cannot compute on a failure, and that there is one may tell something about the data, to
// a driver that was granted no more than the sharing. So zeros are shared, and the owner is told.
ValuePtr Task::in_place_of_failure(const Op& op, const Type& type, const TypedOp& typed) {
  for (const ReleasePoint& release : flow_->releases) {
    if (release.op != typed.number) continue;
    const auto& sources = release.label->sources;
    if (sources.size() == sources.count({info_.driver, ""})) {
      throw Error(Code::kFailed, "the value that was to be shared could not be computed");
    }
  }
  if (told_.insert(typed.number).second) {
    parts_.log("share for " + info_.driver + " (" + plan_.graph.site_of(op).str() +
               "): the value could not be computed; zeros were shared, so results are wrong");
  }
  auto zeros = Buffer::allocate(byte_count(type.tensor()));
  std::fill_n(zeros->data(), zeros->size(), std::uint8_t{0});
  return as_value(
      Tensor{type.tensor().dtype, type.tensor().shape, Slice(BufferPtr(std::move(zeros)))});
}

Task::Values Task::share(const Op& op, const TypedRegion& around, const TypedOp& typed,
                         const Values& values) {
  const std::string& owner = around.types[op.operands[0]].device;
  const SecureDevice& device = *find_device(plan_.graph.devices, op.device);
  const SecretType& type = around.types[typed.first_result].secret();
  ValuePtr clear;
  if (owner == parts_.party) {
    ValuePtr given = values[op.operands[0]];
    if (given->is_error()) given = in_place_of_failure(op, around.types[op.operands[0]], typed);
    std::int64_t changed = 0;
    clear = in_range(given, type, changed);
    if (changed > 0 && told_.insert(typed.number).second) {
      parts_.log("share for " + info_.driver + " (" + plan_.graph.site_of(op).str() + "): " +
                 std::to_string(changed) + " of " + std::to_string(clear->tensor().elements()) +
                 " cells are not below 2^" + std::to_string(kSecretRangeBits - type.fraction_bits) +
                 " in magnitude and were shared as the limit (NaN as 0), so results are wrong; "
                 "declare ranges, or share fewer fraction bits");
    }
  }
  if (const int owner_rank = device.rank_of(owner); owner_rank >= 0) {
    return run_kernel(op, around, typed, {clear}, device.name, owner_rank, -1);
  }
  const Tag tag = next_tag(typed);
  note_move(typed, owner == parts_.party ? 6 * part_bytes(type) : 0);
  if (owner == parts_.party) {
    const std::array<Slice, 3> parts = split_secret(encode_secret(clear->tensor(), type), type);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      send(device.members[i], tag, Slice(), {parts[i], parts[(i + 1) % parts.size()]});
    }
    return {};
  }
  const std::int64_t bytes = part_bytes(type);
  const Message message = recv(owner, tag, 2 * bytes, "share", &op);
  if (message.body.size != 2 * bytes) {
    throw Error(Code::kCorrupt, "expected a share of " + std::to_string(2 * bytes) +
                                    " bytes from " + owner + ", found " +
                                    std::to_string(message.body.size));
  }
  return {as_value(
      Share{type, instance_, message.body.part(0, bytes), message.body.part(bytes, bytes)})};
}

Task::Values Task::reveal(const Op& op, const TypedRegion& around, const TypedOp& typed,
                          const Values& values) {
  const Type& from = around.types[op.operands[0]];
  const SecureDevice& device = *find_device(plan_.graph.devices, from.device);
  if (const int to_rank = device.rank_of(op.device); to_rank >= 0) {
    return run_kernel(op, around, typed, {values[op.operands[0]]}, device.name, -1, to_rank);
  }
  // Each member sends one part, and all three are needed.
  const Tag tag = next_tag(typed);
  note_move(typed, op.device == parts_.party ? 0 : part_bytes(from.secret()));
  if (op.device != parts_.party) {
    send(op.device, tag, Slice(), {values[op.operands[0]]->share().first});
    return {};
  }
  std::array<Slice, 3> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::int64_t bytes = part_bytes(from.secret());
    parts[i] = recv(device.members[i], tag, bytes, "reveal", &op).body;
  }
  return {as_value(decode_secret(join_parts(parts, from.secret()), from.secret()))};
}

Task::Values Task::on_device(const Op& op, const TypedRegion& around, const TypedOp& typed,
                             const Values& values) {
  Values operands;
  for (const ValueId operand : op.operands) operands.push_back(values[operand]);
  return run_kernel(op, around, typed, std::move(operands), op.device, -1, -1);
}

Task::Values Task::run_kernel(const Op& op, const TypedRegion& around, const TypedOp& typed,
                              Values operands, const std::string& device, int owner_rank,
                              int to_rank) {
  const Type& result = around.types[typed.first_result];
  std::int64_t weight = held_bytes(result);
  std::vector<Type> types;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    types.push_back(around.types[op.operands[i]]);
    weight += held_bytes(types.back());
    // Shares of an input come from an earlier task; the preflight has found them to be of one
    // instance among the members, so from here on they are this task's.
    if (operands[i] == nullptr || !operands[i]->is_share()) continue;
    if (operands[i]->share().instance == instance_) continue;
    Share renewed = operands[i]->share();
    renewed.instance = instance_;
    operands[i] = as_value(std::move(renewed));
  }
  const auto kernel = [&](MpcProtocol& protocol, std::uint32_t number, std::uint32_t step) {
    MpcContext context{op,         number,  step,      operands, types,      result,
                       owner_rank, to_rank, instance_, protocol, &cancelled_};
    return run_mpc(context);
  };
  return members_.at(device)->run(op, typed.number, weight, kernel);
}

}  // namespace curia
