#include "store/arrow/import_batch.h"

#include <arrow_generated.h>

#include <bit>
#include <cstring>
#include <span>

#include "store/arrow/field.h"
#include "store/arrow/placed.h"

namespace curia {
namespace {

namespace ipc = arrow_ipc;

constexpr std::uint32_t kMark = 0xffffffff;  // before a message's length, since format 0.15
constexpr std::int64_t kPlain = -1;          // a buffer that is as it is among compressed ones

std::span<const std::uint8_t> bytes_of(const Slice& slice) {
  return {slice.data, static_cast<std::size_t>(slice.size)};
}

const ipc::Message& message_of(const Slice& bytes) {
  return *flatbuffers::GetRoot<ipc::Message>(bytes.data);
}

std::int64_t null_count(const Slice& validity, std::int64_t rows) {
  std::int64_t valid = 0;
  for (std::int64_t i = 0; i < rows / 8; ++i) valid += std::popcount(validity.data[i]);
  if (rows % 8 != 0) {
    const unsigned last = validity.data[rows / 8] & ((1U << rows % 8) - 1);
    valid += std::popcount(last);
  }
  return rows - valid;
}

}  // namespace

void corrupt_arrow(const std::string& why) {
  throw Error(Code::kCorrupt, "a damaged Arrow file: " + why);
}

std::int64_t arrow_product(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) corrupt_arrow("more rows than a file can have");
  return product;
}

std::int64_t arrow_sum(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) corrupt_arrow("more rows or text than a file can have");
  return sum;
}

void ImportBudget::take(std::int64_t bytes) {
  if (bytes > left_) {
    throw Error(Code::kQuota, "its columns take more memory than is allowed for one file: " +
                                  std::to_string(bytes) + " bytes wanted, " +
                                  std::to_string(left_) + " left");
  }
  left_ -= bytes;
}

std::shared_ptr<Buffer> ImportBudget::allocate(std::int64_t bytes) {
  take(bytes);
  return Buffer::allocate(bytes);
}

ImportMessage::ImportMessage(const Slice& file, const ipc::Block& block) {
  const std::int64_t offset = block.offset(), head = block.metadata_length();
  const std::int64_t body = block.body_length();
  if (offset < 0 || head < kArrowMarkBytes || body < 0 || offset > file.size ||
      head > file.size - offset || body > file.size - offset - head) {
    corrupt_arrow("a record batch reaches beyond the file");
  }
  std::uint32_t mark = 0;
  std::memcpy(&mark, file.data + offset, sizeof(mark));
  const std::int64_t before = mark == kMark ? kArrowMarkBytes : kArrowMarkBytes / 2;
  message_ = Slice::copy_of(bytes_of(file.part(offset + before, head - before)));
  body_ = file.part(offset + head, body);
  flatbuffers::Verifier verifier(message_.data, static_cast<std::size_t>(message_.size));
  if (!verifier.VerifyBuffer<ipc::Message>(nullptr)) corrupt_arrow("a malformed record batch");
}

const ipc::RecordBatch& ImportMessage::batch() const {
  const ipc::RecordBatch* batch = message_of(message_).header_as_RecordBatch();
  if (batch == nullptr) corrupt_arrow("no record batch where one should be");
  return *batch;
}

const ipc::DictionaryBatch& ImportMessage::dictionary() const {
  const ipc::DictionaryBatch* batch = message_of(message_).header_as_DictionaryBatch();
  if (batch == nullptr || batch->data() == nullptr) {
    corrupt_arrow("no dictionary where one should be");
  }
  return *batch;
}

ImportWalk::ImportWalk(const ipc::RecordBatch& batch, const Slice& body, ImportBudget& budget)
    : batch_(batch), body_(body), budget_(budget), rows_(batch.length()) {
  if (rows_ < 0) corrupt_arrow("a negative number of rows");
  if (!well_placed(batch.nodes()) || !well_placed(batch.buffers()) ||
      !well_placed(batch.variadic_buffer_counts())) {
    corrupt_arrow("a malformed record batch");
  }
  const ipc::BodyCompression* compression = batch.compression();
  if (compression == nullptr) return;
  if (compression->codec() == ipc::Codec::Lz4Frame) {
    packing_ = Packing::kLz4;
  } else if (compression->codec() == ipc::Codec::Zstd) {
    packing_ = Packing::kZstd;
  } else {
    throw Error(Code::kUnimplemented,
                "found buffers compressed with an unknown method, expected none, LZ4 or zstd; "
                "write the file with compression=\"uncompressed\"");
  }
}

void ImportWalk::node() {
  if (batch_.nodes() == nullptr || node_ >= batch_.nodes()->size()) {
    corrupt_arrow("a record batch has too few columns");
  }
  ++node_;
}

ImportWalk::Nulls ImportWalk::nulls(std::int64_t rows) {
  node();
  const ipc::FieldNode* found = batch_.nodes()->Get(node_ - 1);
  if (found->length() != rows) corrupt_arrow("a column has another length than its record batch");
  Nulls nulls{buffer()};
  if (nulls.validity.size == 0) {
    if (found->null_count() > 0) corrupt_arrow("a column with nulls does not say which they are");
    return nulls;
  }
  if (nulls.validity.size < rows / 8 + (rows % 8 != 0)) {
    corrupt_arrow("a bitmap of nulls is too short for its rows");
  }
  // What the file counts is not relied on.
  nulls.count = null_count(nulls.validity, rows);
  return nulls;
}

Slice ImportWalk::raw() {
  if (batch_.buffers() == nullptr || buffer_ >= batch_.buffers()->size()) {
    corrupt_arrow("a record batch has too few buffers");
  }
  const ipc::BufferRange* range = batch_.buffers()->Get(buffer_++);
  const std::int64_t offset = range->offset(), length = range->length();
  if (offset < 0 || length < 0 || offset > body_.size || length > body_.size - offset) {
    corrupt_arrow("a buffer reaches beyond its record batch");
  }
  return body_.part(offset, length);
}

Slice ImportWalk::unpacked(const Slice& raw) {
  std::int64_t size = 0;
  if (raw.size == 0) return raw;
  if (raw.size < static_cast<std::int64_t>(sizeof(size))) {
    corrupt_arrow("a compressed buffer without its size");
  }
  std::memcpy(&size, raw.data, sizeof(size));
  const Slice packed = raw.part(sizeof(size), raw.size - static_cast<int>(sizeof(size)));
  if (size == kPlain) return packed;
  if (size < 0 || size > most_unpacked(packing_, bytes_of(packed))) {
    corrupt_arrow("a compressed buffer says another size than it can have");
  }
  if (size == 0) return {};
  const auto buffer = budget_.allocate(size);
  unpack(packing_, bytes_of(packed), {buffer->data(), static_cast<std::size_t>(size)});
  return Slice(buffer);
}

Slice ImportWalk::buffer() {
  const Slice found = raw();
  return batch_.compression() == nullptr ? found : unpacked(found);
}

Slice ImportWalk::buffer(std::int64_t bytes) {
  const Slice found = buffer();
  if (bytes > found.size) corrupt_arrow("a buffer is too short for its rows");
  return found.part(0, bytes);
}

std::int64_t ImportWalk::text_buffers() {
  const auto* counts = batch_.variadic_buffer_counts();
  if (counts == nullptr || views_ >= counts->size()) {
    corrupt_arrow("a column of views does not say how many buffers it has");
  }
  const std::int64_t count = counts->Get(views_++);
  const std::int64_t all = batch_.buffers() == nullptr ? 0 : batch_.buffers()->size();
  if (count < 0 || count > all - buffer_) {
    corrupt_arrow("a column of views says more buffers than there are");
  }
  return count;
}

void ImportWalk::skip(const ipc::Field& field) {
  const auto pass = [this](std::int64_t buffers) {
    for (; buffers > 0; --buffers) raw();
  };
  node();
  if (field.dictionary() != nullptr) return pass(2);
  switch (field.type_type()) {
    case ipc::Type::Null:
    case ipc::Type::RunEndEncoded:
      break;
    case ipc::Type::Struct:
    case ipc::Type::FixedSizeList:
      pass(1);
      break;
    case ipc::Type::Union:
      if (field.type_as_Union() == nullptr) corrupt_arrow("a union without its mode");
      pass(field.type_as_Union()->mode() == ipc::UnionMode::Dense ? 2 : 1);
      break;
    case ipc::Type::Utf8:
    case ipc::Type::LargeUtf8:
    case ipc::Type::Binary:
    case ipc::Type::LargeBinary:
    case ipc::Type::ListView:
    case ipc::Type::LargeListView:
      pass(3);
      break;
    case ipc::Type::Utf8View:
    case ipc::Type::BinaryView:
      pass(2);
      pass(text_buffers());
      break;
    default:
      pass(2);
  }
  if (field.children() == nullptr) return;
  for (const ipc::Field* child : *field.children()) skip(*child);
}

void ImportWalk::finish() const {
  const std::uint32_t nodes = batch_.nodes() == nullptr ? 0 : batch_.nodes()->size();
  const std::uint32_t buffers = batch_.buffers() == nullptr ? 0 : batch_.buffers()->size();
  if (node_ != nodes || buffer_ != buffers) {
    corrupt_arrow("a record batch has more columns than the schema");
  }
}

}  // namespace curia
