// The bytes that members send for each op, on fixed seeds and shares, are those of the protocol's
// version: members of different builds understand each other, and a change of a mask, of an order
// or of a length does not slip in. A line of tests/golden/mpc.sha256 changes only together with
// kOpSetVersion.
#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <string>

#include "tests/mpc/ops_rig.h"

namespace curia::test {
namespace {

using Sums = std::map<std::string, std::string>;

void add(Sums& sums, const std::string& name, const std::vector<Operand>& operands,
         const SecretType& result, const Attrs& attrs = {}, const std::string& variant = "") {
  INFO(name << variant);
  sums[name + variant] = transcript(name, operands, result, attrs).hex();
}

void add_elementwise(Sums& sums) {
  const Operand a = ints({5}, {3, -7, 0, 1 << 20, 9}), b = ints({5}, {2, 7, 0, -5, 9});
  const Operand x = reals({5}, {3.5, -7.25, 0.125, 100, 9}), y = reals({5}, {2, 7, 0.5, -5, 9});
  const Operand p = bools({5}, {true, false, true, true, false});
  const Operand q = bools({5}, {true, true, false, true, false});
  for (const char* name : {"add", "sub", "minimum", "maximum", "mul"}) {
    add(sums, name, {a, b}, int_type({5}), {}, " int");
    add(sums, name, {x, y}, fixed_type({5}), {}, " fixed");
  }
  add(sums, "mul", {x, known(y)}, fixed_type({5}), {}, " public");
  for (const char* name : {"neg", "abs", "relu"}) add(sums, name, {x}, fixed_type({5}));
  for (const char* name : {"eq", "ne", "lt", "le", "gt", "ge"}) {
    add(sums, name, {a, b}, bool_type({5}));
  }
  for (const char* name : {"and", "or", "xor"}) add(sums, name, {p, q}, bool_type({5}));
  add(sums, "not", {p}, bool_type({5}));
  add(sums, "select", {p, x, y}, fixed_type({5}));
  const Attrs to_bool{{"dtype", std::string("bool")}}, to_int{{"dtype", std::string("i64")}};
  add(sums, "cast", {a}, bool_type({5}), to_bool, " to bool");
  add(sums, "cast", {x}, int_type({5}), to_int, " to int");
  for (const char* name : {"exp", "log", "reciprocal", "sigmoid", "sqrt"}) {
    add(sums, name, {reals({5}, {3.5, 7.25, 0.125, 10, 9})}, fixed_type({5}));
  }
  add(sums, "sigmoid", {x}, fixed_type({5}), {{"pieces", std::int64_t{3}}}, " 3 pieces");
}

void add_shapes(Sums& sums) {
  const Operand m = reals({2, 3}, {1, 2, 3, 4, 5, 6});
  const Attrs rows{{"axes", std::vector<std::int64_t>{0}}};
  add(sums, "matmul", {m, reals({3, 2}, {1, 0, 2, -1, 0.5, 3})}, fixed_type({2, 2}));
  for (const char* name : {"sum", "mean", "variance", "min", "max"}) {
    add(sums, name, {m}, fixed_type({3}), rows);
  }
  for (const char* name : {"argmin", "argmax"}) {
    add(sums, name, {m}, int_type({3}), {{"axis", std::int64_t{0}}});
  }
  add(sums, "sort", {m}, fixed_type({2, 3}), {{"key", std::int64_t{1}}});
  add(sums, "shuffle", {m}, fixed_type({2, 3}));
  add(sums, "broadcast", {m}, fixed_type({2, 2, 3}),
      {{"shape", std::vector<std::int64_t>{2, 2, 3}}});
  add(sums, "reshape", {m}, fixed_type({6}), {{"shape", std::vector<std::int64_t>{6}}});
  add(sums, "transpose", {m}, fixed_type({3, 2}));
  add(sums, "concat", {m, m}, fixed_type({4, 3}), {{"axis", std::int64_t{0}}});
  add(sums, "gather", {m, known(ints({2}, {1, 1}))}, fixed_type({2, 3}),
      {{"axis", std::int64_t{0}}});
  add(sums, "slice", {m}, fixed_type({1, 3}),
      {{"starts", std::vector<std::int64_t>{1, 0}}, {"ends", std::vector<std::int64_t>{2, 3}}});
}

// Where many elements go another way than few.
void add_many(Sums& sums) {
  const std::int64_t n = std::int64_t{1} << 17;
  Numbers numbers(3);
  std::vector<std::int64_t> values(static_cast<std::size_t>(n));
  for (auto& value : values) value = numbers.between(-1'000'000, 1'000'000);
  const Operand a = ints({n}, values);
  add(sums, "lt", {a, ints({n}, {values.rbegin(), values.rend()})}, bool_type({n}), {}, " many");
  add(sums, "mul", {a, a}, int_type({n}), {}, " many");
}

void add_movement(Sums& sums) {
  const std::vector<std::uint64_t> words = {1, 2, 3};
  for (int member = 0; member < 3; ++member) {
    const std::string which = ", member " + std::to_string(member);
    Hub hub;
    std::array<RingShare, 3> rings;
    std::array<BitShare, 3> bits;
    const Recording sharing(hub);
    simulate<int>(hub, 5, [&](int rank, MpcProtocol& protocol) {
      const auto i = static_cast<std::size_t>(rank);
      rings[i] = protocol.share(rank == member ? slice_of(words) : Slice(), 3, member);
      bits[i] = protocol.share_bits(
          rank == member ? slice_of(Numbers(6).words(bit_words(3))) : Slice(), 3, member);
      return 0;
    });
    sums["share" + which] = sharing.digest().hex();
    const Recording revealing(hub);
    simulate<int>(hub, 5, [&](int rank, MpcProtocol& protocol) {
      const auto i = static_cast<std::size_t>(rank);
      protocol.reveal(rings[i], member);
      protocol.reveal_bits(bits[i], member);
      return 0;
    });
    sums["reveal" + which] = revealing.digest().hex();
  }
}

}  // namespace

TEST_CASE("Golden: the bytes that members send for each op are those of the version") {
  Sums found;
  add_elementwise(found);
  add_shapes(found);
  add_many(found);
  add_movement(found);
  std::ifstream file(CURIA_GOLDEN "/mpc.sha256");
  Sums golden;
  for (std::string sum, name; file >> sum && std::getline(file >> std::ws, name);) {
    golden[name] = sum;
  }
  CHECK(golden.size() == found.size());
  for (const auto& [name, sum] : found) {
    INFO(sum << "  " << name);
    CHECK(golden[name] == sum);
  }
}

TEST_CASE("Golden: no op is without its line") {
  std::ifstream file(CURIA_GOLDEN "/mpc.sha256");
  std::string all;
  for (std::string line; std::getline(file, line);) all += line + "\n";
  for (const MpcEntry& entry : mpc_table()) {
    INFO(entry.name);
    CHECK(all.find("  " + std::string(entry.name)) != std::string::npos);
  }
}

}  // namespace curia::test
