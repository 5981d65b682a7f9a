#include "store/csv.h"

#include <algorithm>
#include <charconv>
#include <type_traits>
#include <unordered_set>

#include "store/csv_column.h"
#include "store/csv_scanner.h"
#include "store/file_bytes.h"

namespace curia {
namespace {

// Records that types are first guessed from.
constexpr int kSample = 1000;

// Names the column in a scanner's error.
std::string in_column(const ColumnType& column) { return "column \"" + column.name + "\": "; }

class Reader {
 public:
  Reader(std::string_view text, std::string_view name, const CsvOptions& options)
      : text_(text), name_(name), options_(options) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  Table read() {
    CsvScanner body = header();
    if (options_.columns) {
      check_declared(body);
    } else {
      infer(body);
    }
    // A guess may turn out too narrow; the pass that finds it sees every field, so that the types
    // it leaves behind hold.
    while (true) {
      std::vector<CsvColumn> columns;
      for (const ColumnType& type : types_) columns.emplace_back(type, !options_.columns);
      std::int64_t rows = 0;
      if (!parse(body, columns, &rows)) continue;
      Table table;
      table.rows = rows;
      for (CsvColumn& column : columns) table.columns.push_back(column.finish());
      return table;
    }
  }

 private:
  // Reads the names; returns a scanner at the first record.
  CsvScanner header() {
    CsvScanner scanner(text_, name_, options_.max_line_bytes);
    if (scanner.done()) scanner.fail("expected a header line with the column names, found nothing");
    std::unordered_set<std::string> seen;
    for (bool last = false; !last;) {
      const std::string name(scanner.field(&last));
      const std::string where = "header, column " + std::to_string(types_.size() + 1) + ": ";
      try {
        check_column_name(name);
      } catch (const Error& error) {
        scanner.fail(where + error.message());
      }
      if (!seen.insert(name).second) scanner.fail(where + "an earlier column has the same name");
      types_.push_back({name, DType::kString});
      if (static_cast<std::int64_t>(types_.size()) > options_.max_columns) {
        scanner.fail("more than " + std::to_string(options_.max_columns) + " columns");
      }
    }
    return scanner;
  }

  void check_declared(const CsvScanner& scanner) {
    const std::vector<ColumnType>& declared = *options_.columns;
    if (types_.size() != declared.size()) {
      scanner.fail("expected " + std::to_string(declared.size()) + " columns, found " +
                   std::to_string(types_.size()));
    }
    for (std::size_t i = 0; i < declared.size(); ++i) {
      if (types_[i].name != declared[i].name) {
        // What is there is not repeated: without a header line it would be a cell.
        scanner.fail("header, column " + std::to_string(i + 1) + ": expected the name \"" +
                     declared[i].name + "\"");
      }
    }
    types_ = declared;
  }

  // Calls each(column, field) for the fields of the next record.
  template <class Each>
  void record(CsvScanner& scanner, const Each& each) {
    std::size_t at = 0;
    for (bool last = false; !last; ++at) {
      const std::string_view field = scanner.field(&last);
      if (at < types_.size()) each(at, field);
    }
    if (at != types_.size()) {
      scanner.fail("expected " + std::to_string(types_.size()) + " fields, found " +
                   std::to_string(at));
    }
  }

  // Moves to the next record; false at the end. A blank line is a field only in a single column.
  bool next(CsvScanner& scanner) const {
    if (types_.size() > 1) scanner.skip_blank_lines();
    return !scanner.done();
  }

  void infer(CsvScanner scanner) {
    kinds_.assign(types_.size(), 0);
    for (int i = 0; i < kSample && next(scanner); ++i) {
      record(scanner, [&](std::size_t k, std::string_view field) { kinds_[k] |= csv_kind(field); });
    }
    set_types();
  }

  void set_types() {
    for (std::size_t k = 0; k < types_.size(); ++k) types_[k].dtype = csv_dtype(kinds_[k]);
  }

  // False when a guessed type was too narrow; the types are then mended.
  bool parse(CsvScanner scanner, std::vector<CsvColumn>& columns, std::int64_t* rows) {
    bool narrow = false;
    while (next(scanner)) {
      record(scanner, [&](std::size_t k, std::string_view field) {
        if (columns[k].add(field)) return;
        if (options_.columns || types_[k].dtype == DType::kString) {
          scanner.fail(in_column(types_[k]) + "expected " +
                       std::string(dtype_name(types_[k].dtype)) +
                       (types_[k].dtype == DType::kString ? " in UTF-8" : ""));
        }
        kinds_[k] |= csv_kind(field);
        narrow = true;
      });
      ++*rows;
    }
    if (narrow) set_types();
    return !narrow;
  }

  std::string_view text_;
  std::string_view name_;
  const CsvOptions& options_;
  std::vector<ColumnType> types_;
  std::vector<std::uint8_t> kinds_;  // seen in each column, where types are inferred
};

template <class T>
void append_number(std::string& out, T value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, end);
}

void append_text(std::string& out, std::string_view text, bool only_column) {
  const bool plain =
      text.find_first_of(",\"\r\n") == std::string_view::npos && !(only_column && text.empty());
  if (plain) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

using AppendCell = void (*)(std::string& out, const Tensor& tensor, std::int64_t row);

template <class T>
void append_cell(std::string& out, const Tensor& tensor, std::int64_t row) {
  const T value = reinterpret_cast<const T*>(tensor.data.data)[row];
  if (std::is_floating_point_v<T> && value != value) {
    out += "nan";  // without its sign
  } else {
    const std::size_t begin = out.size();
    append_number(out, value);
    // A column of whole floats is read back as one of floats.
    const bool whole = out.find_first_not_of("-0123456789", begin) == std::string::npos;
    if (std::is_floating_point_v<T> && whole) out += ".0";
  }
}

void append_bool(std::string& out, const Tensor& tensor, std::int64_t row) {
  out += tensor.data.data[row] != 0 ? "true" : "false";
}

AppendCell cell_writer(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return append_bool;
    case DType::kI8:
      return append_cell<std::int8_t>;
    case DType::kI16:
      return append_cell<std::int16_t>;
    case DType::kI32:
      return append_cell<std::int32_t>;
    case DType::kI64:
      return append_cell<std::int64_t>;
    case DType::kU8:
      return append_cell<std::uint8_t>;
    case DType::kU16:
      return append_cell<std::uint16_t>;
    case DType::kU32:
      return append_cell<std::uint32_t>;
    case DType::kU64:
      return append_cell<std::uint64_t>;
    case DType::kF32:
      return append_cell<float>;
    case DType::kF64:
      return append_cell<double>;
    case DType::kString:
      break;
  }
  return nullptr;
}

}  // namespace

Table parse_csv(std::string_view text, std::string_view name, const CsvOptions& options) {
  if (static_cast<std::int64_t>(text.size()) > options.max_bytes) {
    throw Error(Code::kQuota, std::string(name) + ": expected at most " +
                                  std::to_string(options.max_bytes) + " bytes, found " +
                                  std::to_string(text.size()));
  }
  return Reader(text, name, options).read();
}

Table read_csv(const std::string& path, const CsvOptions& options) {
  const Slice bytes = read_file(path, options.max_bytes);
  return parse_csv(
      {reinterpret_cast<const char*>(bytes.data), static_cast<std::size_t>(bytes.size)}, path,
      options);
}

std::string write_csv(const Table& table) {
  std::string out;
  std::vector<AppendCell> cells;
  for (const Column& column : table.columns) {
    if (!cells.empty()) out += ',';
    out += column.name;
    cells.push_back(cell_writer(column.dtype()));
  }
  out += '\n';
  for (std::int64_t row = 0; row < table.rows; ++row) {
    for (std::size_t k = 0; k < cells.size(); ++k) {
      if (k != 0) out += ',';
      if (cells[k] != nullptr) {
        cells[k](out, std::get<Tensor>(table.columns[k].data), row);
      } else {
        append_text(out, std::get<StringColumn>(table.columns[k].data).at(row), cells.size() == 1);
      }
    }
    out += '\n';
  }
  return out;
}

}  // namespace curia
