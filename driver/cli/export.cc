#include "driver/cli/export.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace curia {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
std::string number_text(T number) {
  char text[64];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), number);
  return error == std::errc() ? std::string(text, end) : "?";
}

// Calls use(span of the elements) with their own type.
template <class Use>
auto with_elements(const Tensor& tensor, const Use& use) {
  switch (tensor.dtype) {
    case DType::kBool:
      return use(tensor.as<bool>());
    case DType::kI8:
      return use(tensor.as<std::int8_t>());
    case DType::kI16:
      return use(tensor.as<std::int16_t>());
    case DType::kI32:
      return use(tensor.as<std::int32_t>());
    case DType::kI64:
      return use(tensor.as<std::int64_t>());
    case DType::kU8:
      return use(tensor.as<std::uint8_t>());
    case DType::kU16:
      return use(tensor.as<std::uint16_t>());
    case DType::kU32:
      return use(tensor.as<std::uint32_t>());
    case DType::kU64:
      return use(tensor.as<std::uint64_t>());
    case DType::kF32:
      return use(tensor.as<float>());
    default:
      return use(tensor.as<double>());
  }
}

std::string cell(const Tensor& tensor, std::int64_t i) {
  return with_elements(tensor, [i](auto elements) -> std::string {
    const auto element = elements[static_cast<std::size_t>(i)];
    if constexpr (std::is_same_v<decltype(element), const bool>) {
      return element ? "true" : "false";
    } else {
      return number_text(element);
    }
  });
}

std::string cell(const Column& column, std::int64_t row) {
  if (const auto* tensor = std::get_if<Tensor>(&column.data)) return cell(*tensor, row);
  return std::string(std::get<StringColumn>(column.data).at(row));
}

Json elements_json(const Tensor& tensor) {
  return with_elements(tensor, [](auto elements) {
    Json list = Json::array();
    for (const auto element : elements) {
      if constexpr (std::is_floating_point_v<std::remove_cvref_t<decltype(element)>>) {
        if (std::isfinite(element)) {
          list.push_back(element);
        } else if (std::isnan(element)) {
          list.push_back("nan");
        } else {
          list.push_back(element > 0 ? "inf" : "-inf");
        }
      } else {
        list.push_back(element);
      }
    }
    return list;
  });
}

std::string lines(std::vector<std::vector<std::string>> rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += (i == 0 ? "" : "  ") + std::string(widths[i] - row[i].size(), ' ') + row[i];
    }
    text += '\n';
  }
  return text;
}

std::string more(std::int64_t count, const char* what) {
  return count <= kMostPrinted ? ""
                               : "... " + std::to_string(count - kMostPrinted) + " more " + what +
                                     " (--save has all)\n";
}

std::string pretty_tensor(const Tensor& tensor) {
  const auto rank = tensor.shape.size();
  const std::int64_t count = element_count(tensor.shape);
  if (rank == 0) return cell(tensor, 0) + "\n";
  // The last axis goes to the right, all others together downwards.
  const std::int64_t columns = rank == 1 ? 1 : tensor.shape.back();
  const std::int64_t all = columns == 0 ? 0 : count / columns;
  std::vector<std::vector<std::string>> rows;
  for (std::int64_t row = 0; row < std::min(all, kMostPrinted); ++row) {
    rows.emplace_back();
    for (std::int64_t i = 0; i < std::min(columns, kMostPrinted); ++i) {
      rows.back().push_back(cell(tensor, row * columns + i));
    }
  }
  return lines(std::move(rows)) + more(all, "rows") + more(columns, "columns");
}

std::string pretty_table(const Table& table) {
  std::vector<std::vector<std::string>> rows(1);
  for (const Column& column : table.columns) rows[0].push_back(column.name);
  for (std::int64_t row = 0; row < std::min(table.rows, kMostPrinted); ++row) {
    rows.emplace_back();
    for (const Column& column : table.columns) rows.back().push_back(cell(column, row));
  }
  return lines(std::move(rows)) + more(table.rows, "rows");
}

}  // namespace

std::string pretty(const Value& value) {
  return value.is_table() ? pretty_table(value.table()) : pretty_tensor(value.tensor());
}

Json value_json(const Value& value) {
  Json json = {{"type", value.type().str()}};
  if (value.is_tensor()) {
    json["data"] = elements_json(value.tensor());
    return json;
  }
  Json& data = json["data"] = Json::object();
  for (const Column& column : value.table().columns) {
    if (const auto* tensor = std::get_if<Tensor>(&column.data)) {
      data[column.name] = elements_json(*tensor);
      continue;
    }
    Json& list = data[column.name] = Json::array();
    for (std::int64_t row = 0; row < column.rows(); ++row) list.push_back(cell(column, row));
  }
  return json;
}

}  // namespace curia
