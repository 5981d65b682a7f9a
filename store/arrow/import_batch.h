// The parts of a foreign Arrow file: its record batches, and the buffers in them, unpacked where
// they are compressed. Nothing of the file is trusted.
// Thread: any.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "protocol/value.h"
#include "store/arrow/unpack.h"

namespace curia {

namespace arrow_ipc {
struct Block;
struct DictionaryBatch;
struct Field;
struct RecordBatch;
}  // namespace arrow_ipc

[[noreturn]] void corrupt_arrow(const std::string& why);

// What a file may still take in memory beyond its own bytes.
class ImportBudget {
 public:
  explicit ImportBudget(std::int64_t bytes) : left_(bytes) {}
  // Errors: kQuota, before anything is allocated.
  std::shared_ptr<Buffer> allocate(std::int64_t bytes);
  void take(std::int64_t bytes);

 private:
  std::int64_t left_;
};

// A message of the file with its body: rows, or a dictionary.
class ImportMessage {
 public:
  // Errors: kCorrupt where it is not wholly in the file.
  ImportMessage(const Slice& file, const arrow_ipc::Block& block);

  // Errors: kCorrupt where it is another message.
  const arrow_ipc::RecordBatch& batch() const;
  const arrow_ipc::DictionaryBatch& dictionary() const;
  const Slice& body() const { return body_; }

 private:
  Slice message_;
  Slice body_;
};

// Hands out nodes and buffers of a record batch, one after the other.
class ImportWalk {
 public:
  // All of these outlive the walk. Errors: kUnimplemented for compression with zstd.
  ImportWalk(const arrow_ipc::RecordBatch& batch, const Slice& body, ImportBudget& budget);

  std::int64_t rows() const { return rows_; }
  // Which of the rows of the next node are null.
  struct Nulls {
    Slice validity;  // a bit a row, 1: not null; empty: none is null
    std::int64_t count = 0;
    bool at(std::int64_t row) const {
      return count != 0 && (validity.data[row / 8] >> (row % 8) & 1) == 0;
    }
  };
  // Takes a node of so many rows and its validity bitmap. Errors: kCorrupt for another length.
  Nulls nulls(std::int64_t rows);
  // Takes a buffer of so many bytes; what is behind them is fill.
  Slice buffer(std::int64_t bytes);
  // Takes a buffer of any size.
  Slice buffer();
  // How many buffers of text the next column of views has.
  std::int64_t text_buffers();
  // Passes over all of a column's nodes and buffers.
  void skip(const arrow_ipc::Field& field);
  // Errors: kCorrupt where something is left.
  void finish() const;

 private:
  void node();
  Slice raw();
  Slice unpacked(const Slice& raw);

  const arrow_ipc::RecordBatch& batch_;
  const Slice& body_;
  ImportBudget& budget_;
  Packing packing_ = Packing::kLz4;  // where the batch is compressed
  std::int64_t rows_;
  std::uint32_t node_ = 0;
  std::uint32_t buffer_ = 0;
  std::uint32_t views_ = 0;
};

// a * b and a + b. Errors: kCorrupt where that is no number of bytes or rows.
std::int64_t arrow_product(std::int64_t a, std::int64_t b);
std::int64_t arrow_sum(std::int64_t a, std::int64_t b);

}  // namespace curia
