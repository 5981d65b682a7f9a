// One column of a foreign Arrow file while it is read: its type, and what the record batches so
// far have of it.
// Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/value.h"
#include "store/arrow/field.h"
#include "store/arrow/import_batch.h"

namespace curia {

// The words that a column's numbers stand for.
struct ImportDictionary {
  std::vector<StringColumn> parts;
  std::vector<std::string_view> words;  // in parts
};
using ImportDictionaries = std::map<std::int64_t, ImportDictionary>;

class ImportColumn {
 public:
  // Errors: kUnimplemented for a type that no dtype is for, saying which and what to do.
  ImportColumn(const arrow_ipc::Field& field, std::string name);

  const std::string& name() const { return name_; }
  DType dtype() const { return dtype_; }
  std::int64_t list_size() const { return list_size_; }  // kNoList, or of a FixedSizeList
  const std::optional<std::int64_t>& dictionary() const { return dictionary_; }

  // Takes the column's part of a record batch. Errors: kCorrupt, kQuota.
  void add(ImportWalk& walk, const ImportDictionaries& dictionaries, ImportBudget& budget);
  // Takes a part of the dictionary that the column has. Errors: as for add().
  void add_words(ImportWalk& walk, ImportDictionary& dictionary, ImportBudget& budget) const;

  // What was added. `share`: it may lie in the file's own memory. Errors: kInvalid where there
  // were nulls that the dtype has no place for; kQuota.
  Column finish(bool share, ImportBudget& budget);
  // The elements alone. REQUIRES: not strings.
  Slice elements(bool share, ImportBudget& budget);

 private:
  enum class Kind { kPlain, kBits, kBytesOfBool, kText32, kText64, kTextViews, kWords };

  // Text of this kind, or kPlain where the field has none.
  static Kind text_kind(const arrow_ipc::Field& field);
  void set_number(const arrow_ipc::Field& field);
  [[noreturn]] void unsupported(const std::string& found) const;
  void check_nulls() const;
  Slice numbers(ImportWalk& walk, const ImportWalk::Nulls& nulls, ImportBudget& budget) const;
  StringColumn words(ImportWalk& walk, const ImportWalk::Nulls& nulls,
                     const ImportDictionary& dictionary, ImportBudget& budget) const;

  std::string name_;
  DType dtype_ = DType::kString;  // of elements
  Kind kind_ = Kind::kPlain;
  Kind word_kind_ = Kind::kPlain;  // of the dictionary
  DType index_ = DType::kI32;      // likewise
  std::optional<std::int64_t> dictionary_;
  std::int64_t list_size_ = kNoList;

  std::vector<Slice> elements_;
  std::vector<StringColumn> texts_;
  std::int64_t rows_ = 0;
  std::int64_t nulls_ = 0;
};

}  // namespace curia
