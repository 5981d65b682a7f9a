#include "driver/value_files.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/value_bytes.h"

using namespace curia;

namespace {

// New names of files, in a folder that goes at the end.
class Folder {
 public:
  std::string file(const std::string& ending) {
    return folder_ / (std::to_string(files_++) + ending);
  }

 private:
  TemporaryFolder folder_;
  int files_ = 0;
};

Value back(Folder& folder, const Value& value, const std::string& ending) {
  const std::string path = folder.file(ending);
  write_value(value, path);
  return read_value(path);
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Error refusal(const Value& value, const std::string& path) {
  return error_of([&] { write_value(value, path); });
}

Table table() {
  const double most = std::numeric_limits<double>::max();
  Table table;
  table.rows = 6;
  table.columns.push_back({"text", StringColumn::of({"", "a,b", "say \"no\"", "two\nlines\r\n",
                                                     " spaces ", "zo\xc3\xab"})});
  table.columns.push_back({"f", Tensor::of<double>({6}, {0.1, -0.0, 5e-324, most, 1e23, 100})});
  table.columns.push_back(
      {"i", Tensor::of<std::int64_t>({6}, {INT64_MIN, -1, 0, 1, 9, INT64_MAX})});
  table.columns.push_back({"b", Tensor::of<bool>({6}, std::span<const bool>(std::array{
                                                          true, false, true, false, true, true}))});
  return table;
}

}  // namespace

TEST_CASE("Value files: a table comes back from CSV and Arrow with every bit") {
  Folder folder;
  for (const char* ending : {".csv", ".arrow", ".feather"}) {
    CAPTURE(ending);
    CHECK(all_bytes(back(folder, table(), ending)) == all_bytes(table()));
  }
}

TEST_CASE("Value files: a second export to CSV has the bytes of the first") {
  Folder folder;
  const std::string first = folder.file(".csv"), second = folder.file(".csv");
  Table narrow = table();
  narrow.columns.push_back({"s", Tensor::of<float>({6}, {0.1F, 1e-45F, 3.4e38F, -2, 1e9F, 0.3F})});
  narrow.columns.push_back({"n", StringColumn::of({"1", "2", "3", "4", "5", "6"})});
  write_value(narrow, first);
  write_value(read_value(first), second);
  CHECK(text_of(first) == text_of(second));
}

TEST_CASE("Value files: tensors come back from NPY and Arrow with dtype and shape") {
  Folder folder;
  const Value tensors[] = {Tensor::scalar<float>(2.5F),
                           Tensor::of<std::int8_t>({3}, {1, -2, 3}),
                           Tensor::of<std::uint64_t>({2, 2}, {1, 2, 3, UINT64_MAX}),
                           Tensor::of<double>({2, 1, 2}, {1, 2, 3, 4}),
                           Tensor::of<double>({0, 4}, std::vector<double>{}),
                           Tensor::of<bool>({2}, std::span<const bool>(std::array{true, false}))};
  for (const Value& value : tensors) {
    for (const char* ending : {".npy", ".arrow"}) {
      CAPTURE(ending);
      CAPTURE(value.type().str());
      CHECK(all_bytes(back(folder, value, ending)) == all_bytes(value));
    }
  }
}

TEST_CASE("Value files: tensors of at most two dimensions are columns in CSV") {
  Folder folder;
  const auto text = [&folder](const Value& value) {
    const std::string path = folder.file(".csv");
    write_value(value, path);
    return text_of(path);
  };
  CHECK(text(Tensor::scalar<double>(0.1)) == "value\n0.1\n");
  CHECK(text(Tensor::of<std::int32_t>({2}, {1, -2})) == "value\n1\n-2\n");
  CHECK(text(Tensor::of<double>({2, 2}, {1, 2, 3, 4.5})) == "c0,c1\n1.0,2.0\n3.0,4.5\n");
  const Error error = refusal(Tensor::of<double>({1, 1, 1}, {1}), folder.file(".csv"));
  CHECK(error.code() == Code::kInvalid);
  CHECK(error.message().find("at most two dimensions, this is f64[1,1,1]; use .npy or .arrow") !=
        std::string::npos);
}

TEST_CASE("Value files: what has no such form is refused, and leaves no file") {
  Folder folder;
  const SecretType type{SecretKind::kInt, 0, {1}};
  const Slice part = Slice::copy_of("12345678");
  const Value share = Share{type, {}, part, part};
  const std::string npy = folder.file(".npy"), json = folder.file(".json");
  CHECK(refusal(table(), npy).message().find(".npy holds no tables; use .csv or .arrow") !=
        std::string::npos);
  CHECK(refusal(table(), json).message().find("ends with .csv, .npy or .arrow") !=
        std::string::npos);
  CHECK(refusal(Error(Code::kDenied, "no grant"), npy).code() == Code::kDenied);
  for (const char* ending : {".npy", ".csv", ".arrow"}) {
    const std::string path = folder.file(ending);
    CHECK(refusal(share, path).code() == Code::kInvalid);
    CHECK(!std::filesystem::exists(path));
  }
  CHECK(!std::filesystem::exists(npy));
  CHECK_THROWS_AS(read_value(json), Error);
  CHECK_THROWS_AS(read_value(npy), Error);
}

TEST_CASE("Value files: a file that is there is never overwritten") {
  Folder folder;
  for (const char* ending : {".csv", ".npy", ".arrow"}) {
    const std::string path = folder.file(ending);
    const Value value = Tensor::scalar<double>(1);
    write_value(value, path);
    const std::string before = text_of(path);
    CHECK(refusal(Tensor::scalar<double>(2), path).code() == Code::kInvalid);
    CHECK(text_of(path) == before);
  }
}
