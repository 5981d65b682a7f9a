#include "store/arrow/import_column.h"

#include <arrow_generated.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "store/arrow/import_text.h"

namespace curia {
namespace {

namespace ipc = arrow_ipc;

constexpr std::string_view kTypeNames[] = {"no type",
                                           "null (a column without any value)",
                                           "int",
                                           "float16",
                                           "binary",
                                           "utf8",
                                           "bool",
                                           "decimal",
                                           "date",
                                           "time",
                                           "timestamp",
                                           "interval",
                                           "list",
                                           "struct",
                                           "union",
                                           "fixed_size_binary",
                                           "fixed_size_list",
                                           "map",
                                           "duration",
                                           "large_binary",
                                           "large_utf8",
                                           "large_list",
                                           "run_end_encoded",
                                           "binary_view",
                                           "utf8_view",
                                           "list_view",
                                           "large_list_view"};

std::string type_name(ipc::Type type) {
  const auto number = static_cast<std::size_t>(type);
  return number < std::size(kTypeNames) ? std::string(kTypeNames[number])
                                        : "the unknown type " + std::to_string(number);
}

std::optional<DType> dtype_of(const ipc::Int* type) {
  if (type == nullptr) return {};
  for (int i = 0; i < kDTypes; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (is_int(dtype) && is_signed_int(dtype) == type->is_signed() &&
        dtype_bytes(dtype) * 8 == type->bit_width()) {
      return dtype;
    }
  }
  return {};
}

std::string extension_of(const ipc::Field& field) {
  if (field.custom_metadata() == nullptr) return "";
  for (const ipc::KeyValue* entry : *field.custom_metadata()) {
    if (entry->key() != nullptr && entry->value() != nullptr &&
        entry->key()->string_view() == "ARROW:extension:name") {
      return entry->value()->str();
    }
  }
  return "";
}

bool in_place(const Slice& slice) {
  return reinterpret_cast<std::uintptr_t>(slice.data) % kAlignment == 0;
}

template <class T>
void fill_nan(std::uint8_t* data, std::int64_t rows, const ImportWalk::Nulls& nulls) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (std::int64_t row = 0; row < rows; ++row) {
    if (nulls.at(row)) std::memcpy(data + row * static_cast<int>(sizeof(T)), &nan, sizeof(T));
  }
}

template <class T>
std::int64_t index_at(const Slice& indices, std::int64_t row) {
  T index;
  std::memcpy(&index, indices.data + row * static_cast<int>(sizeof(T)), sizeof(T));
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    if (index > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return -1;
  }
  return static_cast<std::int64_t>(index);
}

using IndexAt = std::int64_t (*)(const Slice&, std::int64_t);

IndexAt reader_of(DType index) {
  switch (index) {
    case DType::kI8:
      return index_at<std::int8_t>;
    case DType::kI16:
      return index_at<std::int16_t>;
    case DType::kI64:
      return index_at<std::int64_t>;
    case DType::kU8:
      return index_at<std::uint8_t>;
    case DType::kU16:
      return index_at<std::uint16_t>;
    case DType::kU32:
      return index_at<std::uint32_t>;
    case DType::kU64:
      return index_at<std::uint64_t>;
    default:
      return index_at<std::int32_t>;
  }
}

}  // namespace

ImportColumn::Kind ImportColumn::text_kind(const ipc::Field& field) {
  switch (field.type_type()) {
    case ipc::Type::Utf8:
      return Kind::kText32;
    case ipc::Type::LargeUtf8:
      return Kind::kText64;
    case ipc::Type::Utf8View:
      return Kind::kTextViews;
    default:
      return Kind::kPlain;
  }
}

void ImportColumn::unsupported(const std::string& found) const {
  throw Error(Code::kUnimplemented,
              "column \"" + name_ + "\": found " + found +
                  ", expected integers of 8 to 64 bits, float32, float64, bool, or strings; cast "
                  "the column before the file is written, or name the columns to take");
}

void ImportColumn::set_number(const ipc::Field& field) {
  if (const auto dtype = dtype_of(field.type_as_Int())) {
    dtype_ = *dtype;
    return;
  }
  const auto* real = field.type_as_FloatingPoint();
  if (real != nullptr && real->precision() != ipc::Precision::Half) {
    dtype_ = real->precision() == ipc::Precision::Single ? DType::kF32 : DType::kF64;
    return;
  }
  unsupported(type_name(field.type_type()));
}

ImportColumn::ImportColumn(const ipc::Field& field, std::string name) : name_(std::move(name)) {
  kind_ = text_kind(field);
  if (const auto* dictionary = field.dictionary(); dictionary != nullptr) {
    if (kind_ == Kind::kPlain) {
      unsupported("a dictionary of " + type_name(field.type_type()));
    }
    // The format's default is int32.
    const auto index =
        dictionary->index_type() == nullptr ? DType::kI32 : dtype_of(dictionary->index_type());
    if (!index) corrupt_arrow("a dictionary with another index than an integer");
    word_kind_ = std::exchange(kind_, Kind::kWords);
    index_ = *index;
    dictionary_ = dictionary->id();
    return;
  }
  if (kind_ != Kind::kPlain) return;
  if (field.type_type() == ipc::Type::Bool) {
    kind_ = Kind::kBits;
    dtype_ = DType::kBool;
    return;
  }
  const std::string extension = extension_of(field);
  if (const auto* list = field.type_as_FixedSizeList(); list != nullptr) {
    if (extension != "arrow.fixed_shape_tensor") unsupported("fixed_size_list");
    if (field.children() == nullptr || field.children()->size() != 1 || list->list_size() < 0) {
      corrupt_arrow("a fixed-size list without elements");
    }
    if (field.children()->Get(0)->dictionary() != nullptr) unsupported("a list of a dictionary");
    list_size_ = list->list_size();
    set_number(*field.children()->Get(0));
    return;
  }
  set_number(field);
  if (extension == "arrow.bool8" && dtype_ == DType::kI8) {
    kind_ = Kind::kBytesOfBool;
    dtype_ = DType::kBool;
  }
}

Slice ImportColumn::numbers(ImportWalk& walk, const ImportWalk::Nulls& nulls,
                            ImportBudget& budget) const {
  const std::int64_t rows = walk.rows();
  if (kind_ == Kind::kBits) {
    const Slice bits = walk.buffer(rows / 8 + (rows % 8 != 0));
    const auto bytes = budget.allocate(rows);
    for (std::int64_t i = 0; i < rows; ++i) bytes->data()[i] = bits.data[i / 8] >> (i % 8) & 1;
    return Slice(bytes);
  }
  Slice found = walk.buffer(arrow_product(rows, dtype_bytes(dtype_)));
  if (kind_ == Kind::kBytesOfBool) {
    if (std::all_of(found.data, found.data + rows, [](std::uint8_t byte) { return byte < 2; })) {
      return found;
    }
    const auto bytes = budget.allocate(rows);
    std::transform(found.data, found.data + rows, bytes->data(),
                   [](std::uint8_t byte) { return byte != 0; });
    return Slice(bytes);
  }
  if (nulls.count == 0 || !is_float(dtype_)) return found;
  const auto filled = budget.allocate(found.size);
  std::memcpy(filled->data(), found.data, static_cast<std::size_t>(found.size));
  (dtype_ == DType::kF32 ? fill_nan<float> : fill_nan<double>)(filled->data(), rows, nulls);
  return Slice(filled);
}

StringColumn ImportColumn::words(ImportWalk& walk, const ImportWalk::Nulls& nulls,
                                 const ImportDictionary& dictionary, ImportBudget& budget) const {
  const Slice indices = walk.buffer(arrow_product(walk.rows(), dtype_bytes(index_)));
  const auto index_of = reader_of(index_);
  const auto& words = dictionary.words;
  return collect_text(walk.rows(), budget, [&](std::int64_t row) {
    if (nulls.at(row)) return std::string_view();
    const std::int64_t index = index_of(indices, row);
    if (index < 0 || index >= std::ssize(words)) {
      corrupt_arrow("a row names an entry that its dictionary has not");
    }
    return words[static_cast<std::size_t>(index)];
  });
}

void ImportColumn::add(ImportWalk& walk, const ImportDictionaries& dictionaries,
                       ImportBudget& budget) {
  const ImportWalk::Nulls nulls = walk.nulls(walk.rows());
  rows_ = arrow_sum(rows_, walk.rows());
  // A null among floats is NaN, as an empty field of a CSV file is.
  if (!is_float(dtype_) || list_size_ != kNoList) nulls_ += nulls.count;
  if (list_size_ != kNoList) {
    const std::int64_t elements = arrow_product(walk.rows(), list_size_);
    nulls_ += walk.nulls(elements).count;
    elements_.push_back(walk.buffer(arrow_product(elements, dtype_bytes(dtype_))));
    return;
  }
  switch (kind_) {
    case Kind::kText32:
      texts_.push_back(read_text<std::int32_t>(walk, nulls, budget));
      break;
    case Kind::kText64:
      texts_.push_back(read_text<std::int64_t>(walk, nulls, budget));
      break;
    case Kind::kTextViews:
      texts_.push_back(read_text_views(walk, nulls, budget));
      break;
    case Kind::kWords: {
      const auto found = dictionaries.find(dictionary_.value_or(0));
      if (found == dictionaries.end() && walk.rows() > 0) {
        corrupt_arrow("a dictionary is missing");
      }
      const ImportDictionary none;
      texts_.push_back(
          words(walk, nulls, found == dictionaries.end() ? none : found->second, budget));
      break;
    }
    default:
      elements_.push_back(numbers(walk, nulls, budget));
  }
}

void ImportColumn::add_words(ImportWalk& walk, ImportDictionary& dictionary,
                             ImportBudget& budget) const {
  const ImportWalk::Nulls nulls = walk.nulls(walk.rows());
  if (nulls.count > 0) {
    throw Error(Code::kUnimplemented,
                "column \"" + name_ + "\": found a dictionary with a null in it");
  }
  StringColumn part = word_kind_ == Kind::kText32   ? read_text<std::int32_t>(walk, nulls, budget)
                      : word_kind_ == Kind::kText64 ? read_text<std::int64_t>(walk, nulls, budget)
                                                    : read_text_views(walk, nulls, budget);
  budget.take(arrow_product(part.rows(), sizeof(std::string_view)));
  for (std::int64_t i = 0; i < part.rows(); ++i) dictionary.words.push_back(part.at(i));
  dictionary.parts.push_back(std::move(part));
}

void ImportColumn::check_nulls() const {
  if (nulls_ == 0) return;
  throw Error(Code::kInvalid, "column \"" + name_ + "\": found " + std::to_string(nulls_) +
                                  " nulls in " + std::to_string(rows_) + " rows, which " +
                                  std::string(dtype_name(dtype_)) +
                                  " has no place for; fill them before the file is written");
}

Slice ImportColumn::elements(bool share, ImportBudget& budget) {
  check_nulls();
  if (elements_.size() == 1 && share && in_place(elements_[0])) return elements_[0];
  std::int64_t bytes = 0;
  for (const Slice& part : elements_) bytes += part.size;
  const auto all = budget.allocate(bytes);
  std::uint8_t* to = all->data();
  for (const Slice& part : elements_) {
    if (part.size > 0) std::memcpy(to, part.data, static_cast<std::size_t>(part.size));
    to += part.size;
  }
  elements_.clear();
  return Slice(all);
}

Column ImportColumn::finish(bool share, ImportBudget& budget) {
  if (dtype_ != DType::kString) return {name_, Tensor{dtype_, {rows_}, elements(share, budget)}};
  check_nulls();
  if (texts_.size() == 1 && share && in_place(texts_[0].offsets) && in_place(texts_[0].text)) {
    return {name_, std::move(texts_[0])};
  }
  return {name_, joined_text(texts_, budget)};
}

}  // namespace curia
