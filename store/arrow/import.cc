#include "store/arrow/import.h"

#include <arrow_generated.h>

#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>

#include "store/arrow/import_column.h"
#include "store/arrow/placed.h"
#include "store/arrow/reader.h"

namespace curia {
namespace {

namespace ipc = arrow_ipc;
using Fields = flatbuffers::Vector<flatbuffers::Offset<ipc::Field>>;
using Blocks = flatbuffers::Vector<const ipc::Block*>;

std::string_view name_of(const ipc::Field& field) {
  return field.name() == nullptr ? std::string_view() : field.name()->string_view();
}

// Other files that people take for an Arrow file, and what to do with them.
void check_magic(std::string_view text) {
  static constexpr std::string_view kStream("\xff\xff\xff\xff", 4);
  const char* what = nullptr;
  if (text.starts_with(kStream)) {
    what = "an Arrow stream; write the file format (pyarrow.ipc.new_file, DataFrame.to_feather)";
  } else if (text.starts_with("FEA1")) {
    what = "Feather version 1; write version 2 (DataFrame.to_feather)";
  } else if (text.starts_with("PAR1")) {
    what = "a Parquet file; write an Arrow file (DataFrame.to_feather)";
  } else if (!text.starts_with(kArrowMagic)) {
    what = "something else";
  }
  if (what != nullptr) {
    throw Error(Code::kInvalid, std::string("expected an Arrow IPC file, found ") + what);
  }
}

class Import {
 public:
  Import(const Slice& file, const ArrowOptions& options)
      : file_(file), options_(options), budget_(options.max_bytes) {
    footer_bytes_ = footer_of(file);
    flatbuffers::Verifier verifier(footer_bytes_.data,
                                   static_cast<std::size_t>(footer_bytes_.size));
    if (!verifier.VerifyBuffer<ipc::Footer>(nullptr)) corrupt_arrow("a malformed footer");
    footer_ = flatbuffers::GetRoot<ipc::Footer>(footer_bytes_.data);
    if (footer_->schema() == nullptr) corrupt_arrow("no schema");
    if (footer_->schema()->endianness() != ipc::Endianness::Little) {
      throw Error(Code::kUnimplemented, "found big-endian columns, expected little-endian ones");
    }
    fields_ = footer_->schema()->fields();
    if (fields_ == nullptr || fields_->size() == 0) {
      throw Error(Code::kInvalid, "expected at least one column, found none");
    }
  }

  Value read() {
    check_blocks();
    const std::optional<Type> type = own_type();
    choose();
    read_dictionaries();
    read_batches();
    if (type && type->is_tensor()) return tensor(type->tensor());
    Table table;
    for (ImportColumn& column : columns_) {
      if (column.list_size() != kNoList) {
        throw Error(Code::kUnimplemented, "column \"" + column.name() +
                                              "\": found fixed_size_list, expected a plain column");
      }
      table.columns.push_back(column.finish(share(), budget_));
    }
    table.rows = rows_;
    return table;
  }

 private:
  static Slice footer_of(const Slice& file) {
    const std::span all(file.data, static_cast<std::size_t>(file.size));
    check_magic({reinterpret_cast<const char*>(file.data), all.size()});
    if (file.size < kArrowTailBytes) corrupt_arrow("it is cut short");
    const std::int64_t bytes = arrow_footer_bytes(all.last(kArrowTailBytes), file.size);
    return Slice::copy_of(
        all.first(all.size() - kArrowTailBytes).last(static_cast<std::size_t>(bytes)));
  }

  bool share() const { return columns_.size() == fields_->size(); }

  // Parts that lie over each other would let a small file name many large ones.
  void check_blocks() const {
    std::int64_t left = file_.size;
    for (const Blocks* blocks : {footer_->dictionaries(), footer_->record_batches()}) {
      if (!well_placed(blocks)) corrupt_arrow("a malformed footer");
      if (blocks == nullptr) continue;
      for (const ipc::Block* block : *blocks) {
        if (block->metadata_length() < kArrowMarkBytes || block->body_length() < 0 ||
            block->metadata_length() > left ||
            block->body_length() > left - block->metadata_length()) {
          corrupt_arrow("its record batches are larger than the file");
        }
        left -= block->metadata_length() + block->body_length();
      }
    }
  }

  // What Curia wrote says its type.
  std::optional<Type> own_type() const {
    const auto* metadata = footer_->schema()->custom_metadata();
    if (metadata == nullptr) return {};
    for (const ipc::KeyValue* entry : *metadata) {
      if (entry->key() == nullptr || entry->value() == nullptr ||
          entry->key()->string_view() != "curia.type") {
        continue;
      }
      std::optional<Type> type;
      try {
        type = parse_type(entry->value()->string_view());
      } catch (const Error&) {
        corrupt_arrow("its metadata \"curia.type\" is no type");
      }
      if (type->is_secret()) {
        throw Error(Code::kInvalid,
                    "expected a tensor or a table, found a share of a secret, which only the "
                    "worker that stored it can use");
      }
      return type;
    }
    return {};
  }

  // Finds the columns to take. chosen_[i] is the place of field i among them, or kPassed.
  void choose() {
    chosen_.assign(fields_->size(), kPassed);
    std::unordered_map<std::string_view, std::uint32_t> found;
    std::set<std::string_view> twice;
    for (std::uint32_t i = 0; i < fields_->size(); ++i) {
      const std::string_view name = name_of(*fields_->Get(i));
      if (!found.emplace(name, i).second) twice.insert(name);
    }
    const std::int64_t count =
        options_.columns ? std::ssize(*options_.columns) : std::int64_t{fields_->size()};
    if (count > kMaxColumns) {
      throw Error(Code::kInvalid, "expected at most " + std::to_string(kMaxColumns) +
                                      " columns, found " + std::to_string(count) +
                                      "; name the columns to take");
    }
    for (std::int64_t k = 0; k < count; ++k) {
      auto at = static_cast<std::uint32_t>(k);
      const ColumnType* declared = nullptr;
      if (options_.columns) {
        declared = &(*options_.columns)[static_cast<std::size_t>(k)];
        const auto it = found.find(declared->name);
        if (it == found.end()) {
          throw Error(Code::kInvalid, "expected a column \"" + declared->name + "\", found none");
        }
        at = it->second;
      }
      const std::string name(name_of(*fields_->Get(at)).substr(0, kMaxNameBytes + 1));
      try {
        check_column_name(name);
      } catch (const Error& error) {
        throw Error(error.code(), "the name of column " + std::to_string(at + 1) + ": " +
                                      error.message() + "; rename it before the file is written");
      }
      if (twice.contains(name)) {
        throw Error(Code::kInvalid, "column \"" + name + "\": another one has the same name");
      }
      if (chosen_[at] != kPassed) {
        throw Error(Code::kInvalid, "column \"" + name + "\" is to be taken twice");
      }
      ImportColumn column(*fields_->Get(at), name);
      if (declared != nullptr && declared->dtype != column.dtype()) {
        throw Error(Code::kInvalid, "column \"" + name + "\": expected " +
                                        std::string(dtype_name(declared->dtype)) + ", found " +
                                        std::string(dtype_name(column.dtype())));
      }
      chosen_[at] = columns_.size();
      columns_.push_back(std::move(column));
    }
  }

  void read_dictionaries() {
    if (footer_->dictionaries() == nullptr) return;
    for (const ipc::Block* block : *footer_->dictionaries()) {
      const ImportMessage message(file_, *block);
      const ipc::DictionaryBatch& batch = message.dictionary();
      const auto column = std::ranges::find_if(
          columns_, [&batch](const ImportColumn& one) { return one.dictionary() == batch.id(); });
      if (column == columns_.end()) continue;
      if (!batch.is_delta() && dictionaries_.contains(batch.id())) {
        corrupt_arrow("two dictionaries of the same number");
      }
      ImportWalk walk(*batch.data(), message.body(), budget_);
      column->add_words(walk, dictionaries_[batch.id()], budget_);
      walk.finish();
    }
  }

  void read_batches() {
    if (footer_->record_batches() == nullptr) return;
    for (const ipc::Block* block : *footer_->record_batches()) {
      const ImportMessage message(file_, *block);
      ImportWalk walk(message.batch(), message.body(), budget_);
      for (std::uint32_t i = 0; i < fields_->size(); ++i) {
        if (chosen_[i] == kPassed) {
          walk.skip(*fields_->Get(i));
        } else {
          columns_[chosen_[i]].add(walk, dictionaries_, budget_);
        }
      }
      walk.finish();
      rows_ = arrow_sum(rows_, walk.rows());
      if (rows_ > kMaxElements) {
        throw Error(Code::kInvalid, "expected at most " + std::to_string(kMaxElements) + " rows");
      }
    }
  }

  Tensor tensor(const TensorType& type) {
    const auto refuse = [] { corrupt_arrow("its column does not hold the tensor it says"); };
    if (columns_.size() != 1 || columns_[0].name() != "value") refuse();
    const DType stored = columns_[0].dtype();
    if (stored != type.dtype && stored != arrow_storage(type.dtype)) refuse();
    const bool known = std::ranges::all_of(type.shape, [](std::int64_t n) { return n >= 0; });
    Slice data = columns_[0].elements(share(), budget_);
    if (!known || byte_count(type) != data.size) refuse();
    if (type.dtype == DType::kBool &&
        std::any_of(data.data, data.data + data.size, [](std::uint8_t byte) { return byte > 1; })) {
      refuse();
    }
    return {type.dtype, type.shape, std::move(data)};
  }

  static constexpr std::size_t kPassed = SIZE_MAX;

  const Slice& file_;
  const ArrowOptions& options_;
  ImportBudget budget_;
  Slice footer_bytes_;
  const ipc::Footer* footer_ = nullptr;
  const Fields* fields_ = nullptr;
  std::vector<std::size_t> chosen_;
  std::vector<ImportColumn> columns_;
  ImportDictionaries dictionaries_;
  std::int64_t rows_ = 0;
};

}  // namespace

Value parse_arrow(const Slice& file, std::string_view name, const ArrowOptions& options) {
  try {
    if (file.size > options.max_bytes) {
      throw Error(Code::kQuota, "expected at most " + std::to_string(options.max_bytes) +
                                    " bytes, found " + std::to_string(file.size));
    }
    return Import(file, options).read();
  } catch (const Error& error) {
    throw Error(error.code(), std::string(name) + ": " + error.message());
  }
}

}  // namespace curia
