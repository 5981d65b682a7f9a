#include "store/arrow_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>

#include "store/arrow/writer.h"
#include "store/csv.h"
#include "store/file_bytes.h"
#include "tests/store/arrow_samples.h"
#include "tests/support/errors.h"
#include "tests/support/value_bytes.h"

using namespace curia;

namespace {

std::string foreign(const std::string& name) {
  return std::string(CURIA_TESTS) + "/store/foreign/" + name;
}

ArrowOptions taking(std::vector<ColumnType> columns) {
  ArrowOptions options;
  options.columns = std::move(columns);
  return options;
}

// Type and cells of a file, as text.
std::string content(const std::string& name, const ArrowOptions& options = {}) {
  const Value value = read_arrow(foreign(name), options);
  return value.type().str() + "\n" + write_csv(value.table());
}

Error refusal(const std::string& name, const ArrowOptions& options = {}) {
  return error_of([&] { read_arrow(foreign(name), options); });
}

// Whether an error has this code and all of these words.
bool says(const Error& error, Code code, std::initializer_list<std::string_view> words) {
  const auto said = [text = error.message()](std::string_view word) {
    return text.find(word) != std::string::npos;
  };
  const bool good = error.code() == code && std::all_of(words.begin(), words.end(), said);
  if (!good) MESSAGE(std::string(error.what()));
  return good;
}

Value parsed(const std::string& bytes, const ArrowOptions& options = {}) {
  return parse_arrow(Slice::copy_of(bytes), "x.arrow", options);
}

Error parse_refusal(const std::string& bytes, const ArrowOptions& options = {}) {
  return error_of([&] { parsed(bytes, options); });
}

// A file with metadata of its own choice.
std::string file_saying(const Value& value, const std::string& type) {
  const ArrowImage image = arrow_image(value, {{"curia.type", type}});
  std::string file;
  for (const Slice& piece : image.pieces) {
    file.append(reinterpret_cast<const char*>(piece.data), static_cast<std::size_t>(piece.size));
  }
  return file + arrow_footer(image, {});
}

const std::string kPeople =
    "table[4]{id:string,age:i64,score:f64,member:bool}\n"
    "id,age,score,member\n"
    "ann,30,0.5,true\n"
    ",-1,nan,false\n"
    "zo\xc3\xab,77,-0.0,true\n"
    "a name of more than twelve bytes,9007199254740993,inf,true\n";

}  // namespace

TEST_CASE("Arrow files: the same people come from pandas and Polars, in each of their ways") {
  for (const char* name : {"pandas.feather", "pandas_plain.feather", "pandas_zstd.feather",
                           "polars.arrow", "polars_old.arrow"}) {
    CAPTURE(name);
    CHECK(content(name) == kPeople);
  }
}

TEST_CASE("Arrow files: an index that pandas kept is a column") {
  CHECK(content("pandas_index.arrow") ==
        "table[4]{age:i64,id:string}\nage,id\n30,ann\n-1,\n77,zo\xc3\xab\n"
        "9007199254740993,a name of more than twelve bytes\n");
  CHECK(content("pandas_unnamed_index.arrow") ==
        "table[4]{age:i64,__index_level_0__:i64}\nage,__index_level_0__\n30,5\n-1,6\n77,7\n"
        "9007199254740993,9\n");
}

TEST_CASE("Arrow files: every dtype") {
  CHECK(content("dtypes.arrow") ==
        "table[3]{int8:i8,int16:i16,int32:i32,int64:i64,uint8:u8,uint16:u16,uint32:u32,uint64:u64,"
        "float32:f32,float64:f64,bool:bool,utf8:string,large_utf8:string,utf8_view:string}\n"
        "int8,int16,int32,int64,uint8,uint16,uint32,uint64,float32,float64,bool,utf8,large_utf8,"
        "utf8_view\n"
        "1,1,1,1,1,1,1,1,0.1,0.1,true,a,a,a\n"
        "2,2,2,2,2,2,2,2,-0.0,5e-324,false,,,\n"
        "127,32767,2147483647,9223372036854775807,255,65535,4294967295,18446744073709551615,inf,"
        "nan,true,\xe6\x97\xa5\xe6\x9c\xac,\xe6\x97\xa5\xe6\x9c\xac,thirteen byte\n");
}

TEST_CASE("Arrow files: record batches are put together, and slices begin where they say") {
  std::string rows = "table[23]{n:i32,b:bool,s:string}\nn,b,s\n";
  std::string slice = "table[5]{b:bool,s:string}\nb,s\n";
  const auto flag_and_number = [](int i) {
    return (i % 3 == 0 ? "true," : "false,") + std::to_string(i) + "\n";
  };
  for (int i = 0; i < 23; ++i) {
    rows += std::to_string(i) + "," + flag_and_number(i);
    if (i >= 11 && i < 16) slice += flag_and_number(i);
  }
  CHECK(content("batches.arrow") == rows);
  CHECK(content("sliced.arrow") == slice);
}

TEST_CASE("Arrow files: columns that are not aligned, old metadata, files without rows") {
  const Value value = read_arrow(foreign("aligned_to_8.arrow"));
  for (const Column& column : value.table().columns) {
    CHECK(reinterpret_cast<std::uintptr_t>(std::get<Tensor>(column.data).data.data) % 64 == 0);
  }
  CHECK(content("aligned_to_8.arrow") == "table[1]{a:i8,x:f64}\na,x\n1,1.5\n");
  CHECK(content("v4.arrow") == "table[2]{x:i64}\nx\n1\n2\n");
  CHECK(content("no_rows.arrow") == "table[0]{x:i64,s:string}\nx,s\n");
  CHECK(content("no_batches.arrow") == "table[0]{x:i64}\nx\n");
}

TEST_CASE("Arrow files: LZ4 of many blocks that repeat what is before them") {
  const Value value = read_arrow(foreign("lz4_long.feather"));
  REQUIRE(value.type().str() == "table[40000]{x:i64}");
  const auto x = std::get<Tensor>(value.table().columns[0].data).as<std::int64_t>();
  bool good = true;
  for (std::size_t i = 0; i < x.size(); ++i) good = good && x[i] == static_cast<int>(i / 1000);
  CHECK(good);
}

TEST_CASE("Arrow files: dictionaries of words are strings, also where they grow") {
  CHECK(content("pandas_category.arrow") == "table[3]{c:string}\nc\nb\na\nb\n");
  CHECK(content("polars_enum.arrow") == "table[3]{e:string}\ne\nx\ny\nx\n");
  CHECK(content("dictionary_delta.arrow") == "table[4]{d:string}\nd\nx\ny\nz\nx\n");
}

TEST_CASE("Arrow files: a null is NaN among floats and refused elsewhere, with the column") {
  CHECK(content("nulls.arrow", taking({{"f", DType::kF32}})) ==
        "table[3]{f:f32}\nf\n1.5\nnan\n2.5\n");
  CHECK(says(refusal("nulls.arrow"), Code::kInvalid,
             {"nulls.arrow", "column \"i\"", "2 nulls in 3 rows", "i64", "fill them"}));
  CHECK(says(refusal("nulls.arrow", taking({{"s", DType::kString}})), Code::kInvalid,
             {"column \"s\"", "1 nulls in 3 rows"}));
  CHECK(says(refusal("nulls.arrow", taking({{"b", DType::kBool}})), Code::kInvalid,
             {"column \"b\"", "1 nulls in 3 rows"}));
}

TEST_CASE("Arrow files: a type without a dtype is named, and can be passed over") {
  CHECK(content("types.arrow", taking({{"y", DType::kString}, {"x", DType::kI64}})) ==
        "table[2]{y:string,x:i64}\ny,x\np,1\nq,2\n");
  CHECK(says(refusal("types.arrow"), Code::kUnimplemented,
             {"column \"when\"", "timestamp", "cast", "name the columns"}));
  for (const auto& [column, type] :
       std::map<std::string, std::string>{{"list", "found list"},
                                          {"deep", "found list"},
                                          {"price", "decimal"},
                                          {"half", "float16"},
                                          {"raw", "binary"},
                                          {"none", "null"},
                                          {"numbers", "dictionary of int"},
                                          {"pair", "fixed_size_list"},
                                          {"either", "union"},
                                          {"runs", "run_end_encoded"},
                                          {"view", "binary_view"}}) {
    CHECK(says(refusal("types.arrow", taking({{column, DType::kI64}})), Code::kUnimplemented,
               {"column \"" + column + "\"", type}));
  }
}

TEST_CASE("Arrow files: columns that were declared have to be there, with their dtypes") {
  const char* name = "pandas.feather";
  CHECK(content(name, taking({{"age", DType::kI64}})).starts_with("table[4]{age:i64}\n"));
  CHECK(says(refusal(name, taking({{"ages", DType::kI64}})), Code::kInvalid, {"\"ages\""}));
  CHECK(says(refusal(name, taking({{"age", DType::kF64}})), Code::kInvalid,
             {"column \"age\"", "expected f64, found i64"}));
  CHECK(says(refusal(name, taking({{"age", DType::kI64}, {"age", DType::kI64}})), Code::kInvalid,
             {"twice"}));
}

TEST_CASE("Arrow files: other files are told by their name") {
  CHECK(says(refusal("stream.arrows"), Code::kInvalid, {"stream", "to_feather"}));
  CHECK(says(refusal("make.py"), Code::kInvalid, {"expected an Arrow IPC file"}));
  CHECK(says(refusal("none.arrow"), Code::kNotFound, {"none.arrow"}));
  CHECK(says(parse_refusal("PAR1 and more"), Code::kInvalid, {"Parquet"}));
  CHECK(says(parse_refusal("FEA1 and more"), Code::kInvalid, {"Feather version 1"}));
  CHECK(says(parse_refusal(""), Code::kInvalid, {"Arrow"}));
  CHECK(says(parse_refusal("ARROW1"), Code::kCorrupt, {"cut short"}));
}

TEST_CASE("Arrow files: what Curia writes it reads, as the same value") {
  for (const auto& [name, value] : arrow_samples()) {
    if (value.is_error() || value.is_share() || name == "table_no_columns") continue;
    CAPTURE(name);
    CHECK(all_bytes(parsed(write_arrow(value))) == all_bytes(value));
  }
  CHECK_THROWS_AS(write_arrow(sample_share()), Error);
  CHECK_THROWS_AS(write_arrow(Error(Code::kInvalid, "no value")), Error);
}

TEST_CASE("Arrow files: one that says another tensor than it holds is corrupt") {
  const Value value = sample_tensor<std::int8_t>({3}, {1, 0, 2});
  CHECK(all_bytes(parsed(file_saying(value, "i8[3]"))) == all_bytes(value));
  for (const char* type : {"i8[4]", "i8[?]", "f64[3]", "bool[3]", "i8[3", "", "u8[3]"}) {
    CAPTURE(type);
    CHECK(parse_refusal(file_saying(value, type)).code() == Code::kCorrupt);
  }
  CHECK(says(parse_refusal(file_saying(value, "secret<int>[3]")), Code::kInvalid,
             {"share of a secret"}));
}

TEST_CASE("Arrow files: no column, two of a name, names that cannot be") {
  Table none;
  none.rows = 5;
  CHECK(says(parse_refusal(write_arrow(none)), Code::kInvalid, {"at least one column"}));
  const Tensor one = sample_tensor<double>({1}, {1});
  Table twins{{{"x", one}, {"x", one}}, 1};
  const std::string type = "table[1]{x:f64}";
  CHECK(says(parse_refusal(file_saying(twins, type)), Code::kInvalid, {"\"x\"", "same name"}));
  Table bad{{{"x", one}, {"a,b", one}}, 1};
  CHECK(
      says(parse_refusal(file_saying(bad, type)), Code::kInvalid, {"name of column 2", "rename"}));
}

TEST_CASE("Arrow files: strings that are no UTF-8 are corrupt") {
  const Table table{{{"s", StringColumn::of({"ok", "\xff\xfe"})}}, 2};
  CHECK(says(parse_refusal(write_arrow(table)), Code::kCorrupt, {"UTF-8"}));
}

TEST_CASE("Arrow files: a limit holds before memory is taken") {
  for (const char* name :
       {"pandas.feather", "pandas_zstd.feather", "lz4_long.feather", "dictionary_delta.arrow"}) {
    CAPTURE(name);
    ArrowOptions options;
    options.max_bytes = static_cast<std::int64_t>(std::filesystem::file_size(foreign(name)));
    const bool fits = std::string_view(name) != "lz4_long.feather";
    const auto error = error_if_any([&] { read_arrow(foreign(name), options); });
    CHECK((error && error->code() == Code::kQuota) == !fits);
    options.max_bytes -= 1;
    CHECK(refusal(name, options).code() == Code::kQuota);
  }
}

TEST_CASE("Arrow files: a compressed buffer that says a size it cannot have takes no memory") {
  const Slice file = read_file(foreign("pandas.feather"), 1 << 20);
  const std::string good(reinterpret_cast<const char*>(file.data),
                         static_cast<std::size_t>(file.size));
  const std::size_t frame = good.find("\x04\x22\x4d\x18");
  REQUIRE(frame != std::string::npos);
  for (const std::int64_t size : {std::int64_t{1} << 60, std::int64_t{1} << 20, std::int64_t{-2}}) {
    std::string bad = good;
    std::memcpy(bad.data() + frame - sizeof(size), &size, sizeof(size));
    CHECK(says(parse_refusal(bad), Code::kCorrupt, {"another size than it can have"}));
  }
}

TEST_CASE("Arrow files: deep nesting is refused, not followed") {
  CHECK(says(refusal("deep.arrow"), Code::kCorrupt, {"malformed footer"}));
}

TEST_CASE("Arrow files: each byte of each file may be wrong, and each file cut, without a crash") {
  for (const auto& entry : std::filesystem::directory_iterator(foreign(""))) {
    if (entry.path().extension() == ".py") continue;
    CAPTURE(entry.path());
    const Slice whole = read_file(entry.path(), 1 << 20);
    const std::string good(reinterpret_cast<const char*>(whole.data),
                           static_cast<std::size_t>(whole.size));
    ArrowOptions options;
    options.max_bytes = 1 << 22;
    const auto known = [&](const std::string& bytes) {
      const auto error = error_if_any([&] { parsed(bytes, options); });
      if (!error) return true;
      const Code code = error->code();
      return code == Code::kCorrupt || code == Code::kInvalid || code == Code::kUnimplemented ||
             code == Code::kQuota;
    };
    bool all = true;
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (const int change : {0x01, 0x80, 0xff}) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ change);
        all = all && known(bad);
      }
      // What is cut off at the end is noticed, whatever else is.
      all = all && parse_refusal(good.substr(0, at)).code() != Code::kFailed;
    }
    CHECK(all);
  }
}
