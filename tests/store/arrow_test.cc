#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>
#include <fstream>

#include "store/arrow/reader.h"
#include "store/arrow/writer.h"
#include "tests/store/arrow_samples.h"
#include "tests/support/value_bytes.h"

using namespace curia;

namespace {

constexpr std::int64_t kMany = (std::int64_t{1} << 31) + 8;

std::string file_of(const Value& value) {
  const ArrowImage image = arrow_image(value, {{"curia.type", "any"}});
  std::string file;
  for (const Slice& piece : image.pieces) {
    file.append(reinterpret_cast<const char*>(piece.data), static_cast<std::size_t>(piece.size));
  }
  CHECK(image.bytes == std::ssize(file));
  return file + arrow_footer(image, {{"curia.object", "00ff"}});
}

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

ArrowFooter footer_of(const Slice& file) {
  const std::span all(file.data, static_cast<std::size_t>(file.size));
  const std::int64_t bytes = arrow_footer_bytes(all.last(kArrowTailBytes), file.size);
  return parse_arrow_footer(
      all.first(all.size() - kArrowTailBytes).last(static_cast<std::size_t>(bytes)));
}

// All bytes of a value, to compare two of them.
std::string all_of(const Value& value) {
  if (value.is_share()) {
    const Share& share = value.share();
    return type_text(share.type) + share.instance.hex() +
           sha256({share.first.data, static_cast<std::size_t>(share.first.size)}).hex() +
           sha256({share.second.data, static_cast<std::size_t>(share.second.size)}).hex();
  }
  return all_bytes(value);
}

std::map<std::string, std::string> golden() {
  std::map<std::string, std::string> sums;
  std::ifstream file(std::string(CURIA_TESTS) + "/golden/arrow.sha256");
  for (std::string sum, name; file >> sum >> name;) sums[name] = sum;
  return sums;
}

// So many bytes of zeros that take no memory.
Slice untouched(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(data != MAP_FAILED);
  const std::shared_ptr<const void> owner(data, [size](void* begin) { ::munmap(begin, size); });
  return {owner, static_cast<const std::uint8_t*>(data), bytes};
}

}  // namespace

TEST_CASE("Arrow: every kind of value is read back as it was written, over the file's own bytes") {
  for (const auto& [name, value] : arrow_samples()) {
    if (value.is_error()) continue;
    CAPTURE(name);
    const Slice file = Slice::copy_of(file_of(value));
    const Digest instance = value.is_share() ? value.share().instance : Digest{};
    const Value back = arrow_value(file, footer_of(file), value.type(), instance);
    CHECK(all_of(back) == all_of(value));
    if (!back.is_tensor() || back.bytes() == 0) continue;
    const std::uint8_t* data = back.tensor().data.data;
    CHECK(data > file.data);
    CHECK(data < file.data + file.size);
    CHECK((data - file.data) % 64 == 0);
  }
}

TEST_CASE("Arrow: files of known values have the bytes they always had") {
  std::map<std::string, std::string> sums = golden();
  CHECK(sums.size() == arrow_samples().size() + 3);
  for (const auto& [name, value] : arrow_samples()) {
    CAPTURE(name);
    CHECK(sha256(bytes_of(file_of(value))).hex() == sums[name]);
  }
}

TEST_CASE("Arrow: over 2 GiB, in rows, in one row and in a column") {
  std::map<std::string, std::string> sums = golden();
  const std::vector<std::pair<std::string, Shape>> shapes = {
      {"rows_over_2_gib", {4, kMany / 4}}, {"row_over_2_gib", {1, kMany}}, {"over_2_gib", {kMany}}};
  for (const auto& [name, shape] : shapes) {
    CAPTURE(name);
    const Tensor tensor{DType::kU8, shape, untouched(kMany)};
    const ArrowImage image = arrow_image(tensor, {{"curia.type", "any"}});
    std::string ends(reinterpret_cast<const char*>(image.pieces[0].data),
                     static_cast<std::size_t>(image.pieces[0].size));
    CHECK(image.pieces[1].data == tensor.data.data);
    const std::string tail = arrow_footer(image, {});
    CHECK(sha256(bytes_of(ends + tail)).hex() == sums[name]);
    const bool list = image.fields[0].list_size != kNoList;
    CHECK(list == (name == "rows_over_2_gib"));

    // Read back from a file of which only the ends exist.
    const auto size = static_cast<std::size_t>(image.bytes) + tail.size();
    void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(data != MAP_FAILED);
    auto* begin = static_cast<std::uint8_t*>(data);
    std::copy(ends.begin(), ends.end(), begin);
    std::copy(tail.begin(), tail.end(), begin + image.bytes);
    const Slice file(nullptr, begin, static_cast<std::int64_t>(size));
    const Value back = arrow_value(file, footer_of(file), Value(tensor).type(), {});
    CHECK(back.tensor().data.data == begin + image.pieces[0].size);
    CHECK(back.tensor().data.size == kMany);
    ::munmap(data, size);
  }
}

TEST_CASE("Arrow: a file that says another type than the one asked for is refused") {
  const Slice file = Slice::copy_of(file_of(sample_table()));
  const ArrowFooter footer = footer_of(file);
  for (const char* type : {"f64[3]", "table[4]{id:string,age:i64,member:bool,score:f32}",
                           "table[3]{id:string,age:u64,member:bool,score:f32}",
                           "table[3]{id:string,age:i64,member:bool}", "secret<int>[3]"}) {
    CAPTURE(type);
    CHECK_THROWS_AS(arrow_value(file, footer, parse_type(type), {}), Error);
  }
}

TEST_CASE("Arrow: damaged files are errors or values, never a crash") {
  std::uint64_t seed = 7;
  const auto next = [&seed](std::uint64_t below) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (seed >> 33) % below;
  };
  for (const auto& [name, value] : arrow_samples()) {
    if (value.is_error()) continue;
    CAPTURE(name);
    const std::string good = file_of(value);
    for (int round = 0; round < 400; ++round) {
      std::string bad = good;
      for (std::uint64_t flips = next(3) + 1; flips > 0; --flips) {
        // Rather in the metadata than in the data.
        const std::uint64_t at =
            next(2) == 0 ? next(bad.size())
                         : bad.size() - 1 - next(std::min<std::size_t>(bad.size(), 900));
        bad[at] = static_cast<char>(bad[at] ^ (1 << next(8)));
      }
      if (next(10) == 0) bad.resize(next(bad.size()) + 1);
      const Slice file = Slice::copy_of(bad);
      if (file.size < kArrowTailBytes) continue;
      try {
        const Value back = arrow_value(file, footer_of(file), value.type(), {});
        CHECK(back.bytes() == value.bytes());
        if (back.is_tensor() && back.bytes() > 0) {
          CHECK(back.tensor().data.data + back.bytes() <= file.data + file.size);
        }
      } catch (const Error& error) {
        CHECK((error.code() == Code::kCorrupt || error.code() == Code::kUnimplemented));
      }
    }
  }
}
