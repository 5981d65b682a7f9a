#include "protocol/secret.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "tests/mpc/rig.h"

namespace curia {
namespace {

SecretType fixed(int fraction_bits, Shape shape) {
  return {SecretKind::kFixed, fraction_bits, std::move(shape)};
}

std::array<Share, 3> shares_of(const Tensor& clear, const SecretType& type) {
  const auto parts = split_secret(encode_secret(clear, type), type);
  std::array<Share, 3> shares;
  for (std::size_t i = 0; i < 3; ++i) shares[i] = {type, {}, parts[i], parts[(i + 1) % 3]};
  return shares;
}

}  // namespace

TEST_CASE("secret: numbers of every dtype come back, rounded to the nearest") {
  test::Numbers numbers(1);
  std::vector<double> reals = {0, -0.0, 1, -1, 0.1, 1e-9, 12345.678, -98765.4321};
  for (int i = 0; i < 100; ++i) reals.push_back(numbers.real(-1e6, 1e6));
  const auto count = static_cast<std::int64_t>(reals.size());
  for (const int f : {1, 18, 30}) {
    const SecretType type = fixed(f, {count});
    const Tensor back = reconstruct(shares_of(Tensor::of({count}, reals), type));
    REQUIRE(back.type() == clear_type(type));
    for (std::size_t i = 0; i < reals.size(); ++i) {
      CHECK(std::fabs(back.as<double>()[i] - reals[i]) <= std::ldexp(0.5, -f));
    }
  }
  const std::vector<std::int64_t> ints = {0, 1, -1, (1ll << 62) - 1, -(1ll << 62) + 1};
  const SecretType type{SecretKind::kInt, 0, {5}};
  const Tensor back = reconstruct(shares_of(Tensor::of({5}, ints), type));
  CHECK(std::equal(ints.begin(), ints.end(), back.as<std::int64_t>().begin()));
  const Tensor bytes = Tensor::of<std::uint8_t>({2}, std::vector<std::uint8_t>{0, 255});
  CHECK(reconstruct(shares_of(bytes, fixed(18, {2}))).as<double>()[1] == 255);
}

TEST_CASE("secret: bits are packed, in any number") {
  for (const std::int64_t count : {0, 1, 63, 64, 65, 511, 512, 513, 2000}) {
    test::Numbers numbers(2);
    std::vector<std::uint8_t> bytes;
    for (std::int64_t i = 0; i < count; ++i) {
      bytes.push_back(static_cast<std::uint8_t>(numbers.next() & 1));
    }
    const Tensor clear{DType::kBool, {count}, Slice::copy_of(bytes)};
    const SecretType type{SecretKind::kBool, 0, {count}};
    CHECK(encode_secret(clear, type).size == part_bytes(type));
    const Tensor back = reconstruct(shares_of(clear, type));
    REQUIRE(back.dtype == DType::kBool);
    CHECK(std::equal(bytes.begin(), bytes.end(), back.data.data));
  }
}

TEST_CASE("secret: what does not fit is refused, without a word about the value") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double x : {nan, infinity, -infinity, std::ldexp(1.0, 44), -std::ldexp(1.0, 44),
                         123456789012345678.0}) {
    try {
      encode_secret(Tensor::scalar(x), fixed(18, {}));
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == Code::kInvalid);
      CHECK(error.message().find("1234567") == std::string::npos);
      CHECK(error.message().find("2^44") != std::string::npos);
    }
  }
  encode_secret(Tensor::scalar(std::ldexp(1.0, 44) - 1), fixed(18, {}));
  const auto refuse = [](const Tensor& clear, const SecretType& type) {
    CHECK_THROWS_AS(encode_secret(clear, type), Error);
  };
  refuse(Tensor::scalar(std::int64_t{1} << 62), {SecretKind::kInt, 0, {}});
  refuse(Tensor::scalar(~std::uint64_t{0}), {SecretKind::kInt, 0, {}});
  refuse(Tensor::scalar(std::numeric_limits<std::int64_t>::min()), {SecretKind::kInt, 0, {}});
  refuse(Tensor::scalar(1.0), {SecretKind::kInt, 0, {}});
  refuse(Tensor::scalar(std::int64_t{1}), {SecretKind::kBool, 0, {}});
  refuse(Tensor::scalar(1.0), fixed(18, {1}));
}

TEST_CASE("secret: reconstruct() takes three shares that fit together, and no others") {
  const SecretType type = fixed(18, {3});
  const auto good = shares_of(Tensor::of<double>({3}, {1, 2, 3}), type);
  const auto code_of = [](std::span<const Share> shares) {
    try {
      reconstruct(shares);
    } catch (const Error& error) {
      return error.code();
    }
    return Code::kFailed;
  };
  CHECK(reconstruct(good).as<double>()[2] == 3);
  CHECK(code_of(std::span(good).first(2)) == Code::kInvalid);
  auto bad = good;
  bad[1].instance.bytes[0] = 1;
  CHECK(code_of(bad) == Code::kInvalid);
  bad = good;
  bad[2].type = fixed(17, {3});
  CHECK(code_of(bad) == Code::kInvalid);
  for (std::size_t member = 0; member < 3; ++member) {
    bad = good;
    auto bytes = std::vector<std::uint8_t>(bad[member].second.data,
                                           bad[member].second.data + bad[member].second.size);
    bytes[5] ^= 1;
    bad[member].second = Slice::copy_of(bytes);
    CHECK(code_of(bad) == Code::kCorrupt);
    bad[member].second = good[member].second.part(0, 8);
    CHECK(code_of(bad) == Code::kCorrupt);
  }
  bad = {good[1], good[0], good[2]};
  CHECK(code_of(bad) == Code::kCorrupt);
}

TEST_CASE("secret: bits behind the last one do not have to agree") {
  const SecretType type{SecretKind::kBool, 0, {3}};
  auto shares =
      shares_of({DType::kBool, {3}, Slice::copy_of(std::vector<std::uint8_t>{1, 0, 1})}, type);
  auto bytes = std::vector<std::uint8_t>(shares[0].second.data, shares[0].second.data + 64);
  bytes[1] ^= 0xff;
  bytes[0] ^= 0x08;
  shares[0].second = Slice::copy_of(bytes);
  const Tensor back = reconstruct(shares);
  CHECK(back.data.data[0] == 1);
  CHECK(back.data.data[1] == 0);
  bytes[0] ^= 0x04;
  shares[0].second = Slice::copy_of(bytes);
  CHECK_THROWS_AS(reconstruct(shares), Error);
}

TEST_CASE("secret: two parts of a split are random") {
  const SecretType type = fixed(18, {4});
  const Slice ring = encode_secret(Tensor::of<double>({4}, {0, 0, 0, 0}), type);
  const auto a = split_secret(ring, type), b = split_secret(ring, type);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(!std::equal(a[i].data, a[i].data + 32, b[i].data));
  }
}

}  // namespace curia
