#include "store/npy.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>

using namespace curia;

namespace {

Tensor parse(const std::string& bytes) { return parse_npy(Slice::copy_of(bytes), "x.npy"); }

bool same(const Tensor& a, const Tensor& b) {
  return a.dtype == b.dtype && a.shape == b.shape && a.data.size == b.data.size &&
         std::equal(a.data.data, a.data.data + a.data.size, b.data.data);
}

// A file of version 1.0 with this header text and these many zero bytes.
std::string file(const std::string& header, std::size_t data, char version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += version;
  bytes += '\0';
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  if (version == 2) bytes += std::string(2, '\0');
  return bytes + header + std::string(data, '\0');
}

}  // namespace

TEST_CASE("Npy: every dtype and shape comes back") {
  const Tensor tensors[] = {
      Tensor::of<std::int8_t>({2, 2}, std::vector<std::int8_t>{1, -1, 127, -128}),
      Tensor::of<std::int16_t>({1}, std::vector<std::int16_t>{-300}),
      Tensor::of<std::int32_t>({3, 1}, std::vector<std::int32_t>{1, 2, 3}),
      Tensor::of<std::int64_t>({}, std::vector<std::int64_t>{INT64_MIN}),
      Tensor::of<std::uint8_t>({0, 4}, std::vector<std::uint8_t>{}),
      Tensor::of<std::uint16_t>({2}, std::vector<std::uint16_t>{1, 65535}),
      Tensor::of<std::uint32_t>({2}, std::vector<std::uint32_t>{1, UINT32_MAX}),
      Tensor::of<std::uint64_t>({1, 1, 1}, std::vector<std::uint64_t>{UINT64_MAX}),
      Tensor::of<float>({2}, std::vector<float>{1.5F, -0.0F}),
      Tensor::of<double>({2, 1, 3}, std::vector<double>{1, 2, 3, 4, 5, 6}),
      Tensor::of<bool>({2}, std::span<const bool>(std::array{true, false}))};
  for (const Tensor& tensor : tensors) {
    const std::string bytes = write_npy(tensor);
    CHECK((bytes.size() - static_cast<std::size_t>(tensor.data.size)) % 64 == 0);
    CHECK(same(parse(bytes), tensor));
  }
}

TEST_CASE("Npy: the bytes are those numpy writes") {
  const std::string bytes = write_npy(Tensor::of<double>({3, 4}, std::vector<double>(12, 1.0)));
  CHECK(bytes.substr(10, 118) == "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }" +
                                     std::string(58, ' ') + "\n");
  CHECK(write_npy(Tensor::of<float>({5}, std::vector<float>(5))).find("'shape': (5,), }") !=
        std::string::npos);
  CHECK(write_npy(Tensor::scalar<std::int64_t>(1)).find("'shape': (), }") != std::string::npos);
}

TEST_CASE("Npy: aligned data is shared, not copied") {
  const Slice bytes = Slice::copy_of(write_npy(Tensor::of<double>({2}, std::vector<double>{1, 2})));
  const Tensor tensor = parse_npy(bytes, "x");
  CHECK(tensor.data.data == bytes.data + bytes.size - 16);
}

TEST_CASE("Npy: version 2.0 and other spellings of the header are read") {
  CHECK(parse(file("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n", 16, 2)).shape ==
        Shape{2});
  CHECK(parse(file("{\"shape\":(2,3),\"descr\":\"|u1\",\"fortran_order\":False}", 6)).shape ==
        Shape{2, 3});
  CHECK(parse(file("{'shape': (2, 3,), 'descr': '<i2', 'fortran_order': False}   \n", 12)).dtype ==
        DType::kI16);
}

TEST_CASE("Npy: what is not exactly that is refused") {
  const std::string good = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n";
  CHECK_NOTHROW(parse(file(good, 16)));
  CHECK_THROWS_AS(parse(file(good, 15)), Error);
  CHECK_THROWS_AS(parse(file(good, 17)), Error);
  CHECK_THROWS_AS(parse(file(good, 16, 3)), Error);
  CHECK_THROWS_AS(parse(""), Error);
  for (const char* header :
       {"", "{}", "{'descr': '<f8', 'fortran_order': False}",
        "{'descr': '>f8', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f8', 'fortran_order': True, 'shape': (2,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-2,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), } x",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'x': 1}",
        "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296,4294967296,0,2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f8"}) {
    CAPTURE(header);
    CHECK_THROWS_AS(parse(file(header, 16)), Error);
  }
  std::string bools = file("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", 2);
  CHECK_NOTHROW(parse(bools));
  bools.back() = 2;
  CHECK_THROWS_AS(parse(bools), Error);
}

TEST_CASE("Npy: a file cut or changed anywhere does no more than throw") {
  const std::string good = write_npy(Tensor::of<double>({3}, std::vector<double>{1, 2, 3}));
  for (std::size_t length = 0; length < good.size(); ++length) {
    CHECK_THROWS_AS(parse(good.substr(0, length)), Error);
  }
  std::mt19937_64 random(6);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    bytes[random() % 128] = static_cast<char>(random());
    try {
      const Tensor tensor = parse(bytes);
      CHECK(tensor.data.size == byte_count(tensor.type()));
    } catch (const Error& error) {
      CHECK(error.code() == Code::kInvalid);
    }
  }
}

TEST_CASE("Npy: files are read within their limit") {
  const auto path = std::filesystem::temp_directory_path() /
                    ("curia_npy_test_" + std::to_string(std::random_device()()));
  const Tensor tensor = Tensor::of<double>({3}, std::vector<double>{1, 2, 3});
  std::ofstream(path, std::ios::binary) << write_npy(tensor);
  CHECK(same(read_npy(path.string()), tensor));
  try {
    read_npy(path.string(), 100);
    FAIL_CHECK("expected an error");
  } catch (const Error& error) {
    CHECK(error.code() == Code::kQuota);
  }
  std::filesystem::remove(path);
  CHECK_THROWS_AS(read_npy(path.string()), Error);
}
