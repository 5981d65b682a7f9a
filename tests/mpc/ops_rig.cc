#include "tests/mpc/ops_rig.h"

#include <doctest/doctest.h>

namespace curia::test {

SecretType int_type(Shape shape) { return {SecretKind::kInt, 0, std::move(shape)}; }
SecretType fixed_type(Shape shape, int fraction_bits) {
  return {SecretKind::kFixed, fraction_bits, std::move(shape)};
}
SecretType bool_type(Shape shape) { return {SecretKind::kBool, 0, std::move(shape)}; }

Tensor bool_tensor(Shape shape, const std::vector<bool>& values) {
  std::vector<std::uint8_t> bytes(values.begin(), values.end());
  return {DType::kBool, std::move(shape), Slice::copy_of(bytes)};
}

Operand ints(Shape shape, const std::vector<std::int64_t>& values) {
  return {Tensor::of(shape, values), int_type(shape)};
}
Operand reals(Shape shape, const std::vector<double>& values, int fraction_bits) {
  return {Tensor::of(shape, values), fixed_type(shape, fraction_bits)};
}
Operand bools(Shape shape, const std::vector<bool>& values) {
  return {bool_tensor(shape, values), bool_type(shape)};
}
Operand known(Operand operand) {
  operand.type.reset();
  return operand;
}

namespace {

Op op_of(const std::string& name, const Attrs& attrs) {
  Op op;
  op.name = name;
  op.device = "abc";
  op.attrs = attrs;
  return op;
}

std::vector<Type> types_of(const std::vector<Operand>& operands) {
  std::vector<Type> types;
  for (const Operand& operand : operands) {
    types.push_back(operand.type ? Type{*operand.type, "abc"} : Type{operand.clear.type(), "abc"});
  }
  return types;
}

}  // namespace

MpcCost cost_of(const std::string& name, const std::vector<Operand>& operands,
                const SecretType& result, const Attrs& attrs) {
  const Op op = op_of(name, attrs);
  const auto types = types_of(operands);
  const Type placed{result, "abc"};
  const MpcEntry* entry = find_mpc(name);
  REQUIRE(entry != nullptr);
  return entry->cost({op, types, placed});
}

namespace {

// Each member's results of the op, on operands split anew.
std::array<std::vector<ValuePtr>, 3> run_on(Hub& hub, const std::string& name,
                                            const std::vector<Operand>& operands,
                                            const SecretType& result, const Attrs& attrs) {
  const Op op = op_of(name, attrs);
  const auto types = types_of(operands);
  const Type placed{result, "abc"};
  const Digest instance = Digest::parse(std::string(64, '7'));
  std::array<std::vector<ValuePtr>, 3> values;
  Numbers numbers(17);
  for (const Operand& operand : operands) {
    if (!operand.type) {
      for (auto& member : values) member.push_back(std::make_shared<const Value>(operand.clear));
      continue;
    }
    const auto parts = split_secret(encode_secret(operand.clear, *operand.type), *operand.type,
                                    [&](std::span<std::uint8_t> out) {
                                      for (auto& byte : out) {
                                        byte = static_cast<std::uint8_t>(numbers.next() >> 56);
                                      }
                                    });
    for (std::size_t i = 0; i < 3; ++i) {
      values[i].push_back(std::make_shared<const Value>(
          Share{*operand.type, instance, parts[i], parts[(i + 1) % 3]}));
    }
  }
  return simulate<std::vector<ValuePtr>>(hub, 5, [&](int rank, MpcProtocol& protocol) {
    MpcContext ctx{.op = op,
                   .number = 3,
                   .step = 1,
                   .operands = values[static_cast<std::size_t>(rank)],
                   .operand_types = types,
                   .result = placed,
                   .instance = instance,
                   .protocol = protocol};
    return run_mpc(ctx);
  });
}

}  // namespace

Tensor run_op(const std::string& name, const std::vector<Operand>& operands,
              const SecretType& result, const Attrs& attrs) {
  Hub hub;
  const auto results = run_on(hub, name, operands, result, attrs);
  const Traffic traffic = hub.traffic();
  const MpcCost cost = cost_of(name, operands, result, attrs);
  CHECK(traffic.rounds == cost.rounds);
  CHECK(traffic.bytes == cost.bytes);
  CHECK(traffic.messages == cost.messages);
  std::vector<Share> shares;
  for (const auto& values : results) {
    shares.push_back(values.at(0)->share());
    REQUIRE(shares.back().type == result);
    REQUIRE(shares.back().instance == Digest::parse(std::string(64, '7')));
  }
  return reconstruct(shares);
}

Digest transcript(const std::string& name, const std::vector<Operand>& operands,
                  const SecretType& result, const Attrs& attrs) {
  Hub hub;
  const Recording recording(hub);
  run_on(hub, name, operands, result, attrs);
  return recording.digest();
}

Recording::Recording(Hub& hub) {
  hub.watch = [this](int from, int to, const Slice& message) {
    std::string& lane = lanes_[from][to];
    lane += std::to_string(message.size) + " bytes\n";
    lane.append(reinterpret_cast<const char*>(message.data),
                static_cast<std::size_t>(message.size));
  };
}

Digest Recording::digest() const {
  std::string all;
  for (const auto& row : lanes_) {
    for (const std::string& lane : row) all += std::to_string(lane.size()) + " in all\n" + lane;
  }
  return sha256({reinterpret_cast<const std::uint8_t*>(all.data()), all.size()});
}

std::vector<double> doubles(const Tensor& tensor) {
  std::vector<double> out;
  if (tensor.dtype == DType::kBool) {
    for (std::int64_t i = 0; i < tensor.elements(); ++i) out.push_back(tensor.data.data[i]);
  } else if (tensor.dtype == DType::kI64) {
    for (const std::int64_t x : tensor.as<std::int64_t>()) out.push_back(static_cast<double>(x));
  } else {
    for (const double x : tensor.as<double>()) out.push_back(x);
  }
  return out;
}

}  // namespace curia::test
