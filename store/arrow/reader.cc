#include "store/arrow/reader.h"

#include <arrow_generated.h>

#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "store/arrow/placed.h"

namespace curia {
namespace {

namespace ipc = arrow_ipc;

[[noreturn]] void corrupt(const std::string& why) {
  throw Error(Code::kCorrupt, "not an Arrow file as expected: " + why);
}

[[noreturn]] void unknown(const std::string& column, const std::string& what) {
  throw Error(Code::kUnimplemented, "column \"" + column + "\": " + what +
                                        "; expected numbers, large_utf8 strings, or fixed-size "
                                        "lists of numbers, without nulls");
}

// Flatbuffers want aligned memory, which the bytes of a file are not always.
Slice aligned(std::span<const std::uint8_t> bytes) { return Slice::copy_of(bytes); }

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

using KeyValues = flatbuffers::Vector<flatbuffers::Offset<ipc::KeyValue>>;

ArrowMetadata metadata_of(const KeyValues* entries) {
  ArrowMetadata metadata;
  if (entries == nullptr) return metadata;
  for (const ipc::KeyValue* entry : *entries) {
    metadata.emplace_back(text_of(entry->key()), text_of(entry->value()));
  }
  return metadata;
}

std::optional<DType> dtype_of_int(const ipc::Int& type) {
  for (const DType dtype : {DType::kI8, DType::kI16, DType::kI32, DType::kI64, DType::kU8,
                            DType::kU16, DType::kU32, DType::kU64}) {
    if (is_signed_int(dtype) == type.is_signed() && dtype_bytes(dtype) * 8 == type.bit_width()) {
      return dtype;
    }
  }
  return {};
}

DType dtype_of_field(const ipc::Field& field, const std::string& name) {
  if (const auto* number = field.type_as_Int(); number != nullptr) {
    if (const auto dtype = dtype_of_int(*number)) return *dtype;
  }
  if (const auto* number = field.type_as_FloatingPoint(); number != nullptr) {
    if (number->precision() == ipc::Precision::Single) return DType::kF32;
    if (number->precision() == ipc::Precision::Double) return DType::kF64;
  }
  if (field.type_as_LargeUtf8() != nullptr) return DType::kString;
  unknown(name,
          "found the Arrow type number " + std::to_string(static_cast<int>(field.type_type())));
}

ArrowField field_of(const ipc::Field& field) {
  ArrowField out;
  out.name = text_of(field.name());
  if (field.dictionary() != nullptr) unknown(out.name, "found a dictionary");
  const ArrowMetadata metadata = metadata_of(field.custom_metadata());
  const auto* extension = find_arrow_metadata(metadata, "ARROW:extension:name");
  const auto* details = find_arrow_metadata(metadata, "ARROW:extension:metadata");
  if (extension != nullptr) out.extension = *extension;
  if (details != nullptr) out.extension_metadata = *details;
  const ipc::Field* elements = &field;
  if (const auto* list = field.type_as_FixedSizeList(); list != nullptr) {
    const auto* children = field.children();
    if (children == nullptr || children->size() != 1 || list->list_size() < 0) {
      corrupt("a fixed-size list without elements");
    }
    out.list_size = list->list_size();
    elements = (*children)[0];
  }
  out.dtype = dtype_of_field(*elements, out.name);
  if (out.list_size != kNoList && out.dtype == DType::kString)
    unknown(out.name, "a list of strings");
  return out;
}

const ipc::Footer& checked_footer(const Slice& bytes) {
  flatbuffers::Verifier verifier(bytes.data, static_cast<std::size_t>(bytes.size));
  if (!verifier.VerifyBuffer<ipc::Footer>(nullptr)) corrupt("a malformed footer");
  return *flatbuffers::GetRoot<ipc::Footer>(bytes.data);
}

// Hands out the nodes and buffers of a record batch, one after the other.
class BatchWalk {
 public:
  BatchWalk(const ipc::RecordBatch& batch, const Slice& body) : batch_(batch), body_(body) {}

  // Takes a node and its validity bitmap.
  void node(std::int64_t length, const std::string& column) {
    const auto* nodes = batch_.nodes();
    if (nodes == nullptr || node_ >= nodes->size()) corrupt("too few columns");
    const ipc::FieldNode* node = nodes->Get(node_++);
    if (node->length() != length) corrupt("a column of another length");
    if (node->null_count() != 0) unknown(column, "found nulls");
    buffer(kAny);
  }

  static constexpr std::int64_t kAny = -1;

  // Takes a buffer; a larger one than wanted is cut, since writers may count their padding.
  Slice buffer(std::int64_t bytes) {
    const auto* ranges = batch_.buffers();
    if (ranges == nullptr || buffer_ >= ranges->size()) corrupt("too few buffers");
    const ipc::BufferRange* range = ranges->Get(buffer_++);
    const std::int64_t offset = range->offset();
    const std::int64_t length = range->length();
    if (offset < 0 || length < 0 || offset > body_.size || length > body_.size - offset) {
      corrupt("a buffer that reaches beyond its record batch");
    }
    if (bytes == kAny) return body_.part(offset, length);
    if (bytes > length) corrupt("a buffer that is too short for its rows");
    return body_.part(offset, bytes);
  }

  void finish() const {
    if (node_ != batch_.nodes()->size() || buffer_ != batch_.buffers()->size()) {
      corrupt("more buffers than columns");
    }
  }

 private:
  const ipc::RecordBatch& batch_;
  const Slice& body_;
  flatbuffers::uoffset_t node_ = 0;
  flatbuffers::uoffset_t buffer_ = 0;
};

std::int64_t times(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) corrupt("more elements than a file can have");
  return product;
}

ArrowColumn column_of(BatchWalk& walk, const ArrowField& field, std::int64_t rows) {
  walk.node(rows, field.name);
  if (field.dtype == DType::kString) {
    ArrowColumn column;
    if (rows == std::numeric_limits<std::int64_t>::max()) corrupt("too many rows");
    column.offsets = walk.buffer(times(rows + 1, 8));
    column.data = walk.buffer(BatchWalk::kAny);
    std::int64_t last = 0;
    std::memcpy(&last, column.offsets.data + rows * 8, sizeof(last));
    if (last < 0 || last > column.data.size) corrupt("a text that is longer than its buffer");
    column.data = column.data.part(0, last);
    return column;
  }
  std::int64_t elements = rows;
  if (field.list_size != kNoList) {
    elements = times(rows, field.list_size);
    walk.node(elements, field.name);
  }
  return {walk.buffer(times(elements, dtype_bytes(field.dtype))), {}};
}

bool stores(const ArrowField& field, std::string_view name, DType dtype) {
  return field.name == name && field.dtype == arrow_storage(dtype);
}

Tensor tensor_of(const ArrowBatch& batch, const ArrowFooter& footer, const TensorType& type) {
  if (footer.fields.size() != 1 || !stores(footer.fields[0], "value", type.dtype) ||
      batch.columns[0].data.size != byte_count(type)) {
    corrupt("another type of tensor than it says");
  }
  return {type.dtype, type.shape, batch.columns[0].data};
}

Table table_of(const ArrowBatch& batch, const ArrowFooter& footer, const TableType& type) {
  if (footer.fields.size() != type.columns.size() || batch.rows != type.rows) {
    corrupt("another table than it says");
  }
  Table table;
  table.rows = type.rows;
  for (std::size_t i = 0; i < type.columns.size(); ++i) {
    const ColumnType& column = type.columns[i];
    const ArrowField& field = footer.fields[i];
    const auto& [data, offsets] = batch.columns[i];
    if (!stores(field, column.name, column.dtype) || field.list_size != kNoList) {
      corrupt("another column than it says");
    }
    if (column.dtype == DType::kString) {
      table.columns.push_back({column.name, StringColumn{offsets, data}});
    } else {
      table.columns.push_back({column.name, Tensor{column.dtype, {type.rows}, data}});
    }
  }
  return table;
}

Share share_of(const ArrowBatch& batch, const SecretType& type, const Digest& instance) {
  const std::int64_t bytes = part_bytes(type);
  if (batch.columns.size() != 2 || batch.columns[0].data.size != bytes ||
      batch.columns[1].data.size != bytes) {
    corrupt("another secret than it says");
  }
  return {type, instance, batch.columns[0].data, batch.columns[1].data};
}

}  // namespace

const std::string* find_arrow_metadata(const ArrowMetadata& metadata, std::string_view key) {
  for (const auto& [name, value] : metadata) {
    if (name == key) return &value;
  }
  return nullptr;
}

DType arrow_storage(DType dtype) { return dtype == DType::kBool ? DType::kI8 : dtype; }

std::int64_t arrow_footer_bytes(std::span<const std::uint8_t> tail, std::int64_t file_bytes) {
  std::int32_t length = 0;
  if (std::ssize(tail) != kArrowTailBytes ||
      std::memcmp(tail.data() + sizeof(length), kArrowMagic.data(), kArrowMagic.size()) != 0) {
    corrupt("it does not end with " + std::string(kArrowMagic));
  }
  std::memcpy(&length, tail.data(), sizeof(length));
  if (length <= 0 || length > file_bytes - kArrowTailBytes) corrupt("a footer that is too long");
  return length;
}

ArrowFooter parse_arrow_footer(std::span<const std::uint8_t> bytes) {
  const Slice copy = aligned(bytes);
  const ipc::Footer& footer = checked_footer(copy);
  const ipc::Schema* schema = footer.schema();
  if (schema == nullptr || schema->endianness() != ipc::Endianness::Little) {
    corrupt("no little-endian schema");
  }
  ArrowFooter out;
  if (schema->fields() != nullptr) {
    for (const ipc::Field* field : *schema->fields()) out.fields.push_back(field_of(*field));
  }
  out.schema_metadata = metadata_of(schema->custom_metadata());
  out.metadata = metadata_of(footer.custom_metadata());
  if (!well_placed(footer.record_batches())) corrupt("a malformed footer");
  if (footer.record_batches() != nullptr) {
    for (const ipc::Block* block : *footer.record_batches()) {
      out.batches.push_back({block->offset(), block->metadata_length(), block->body_length()});
    }
  }
  return out;
}

std::size_t arrow_metadata_offset(std::span<const std::uint8_t> bytes, std::string_view key) {
  const Slice copy = aligned(bytes);
  const auto* entries = checked_footer(copy).custom_metadata();
  if (entries != nullptr) {
    for (const ipc::KeyValue* entry : *entries) {
      if (entry->value() == nullptr || text_of(entry->key()) != key) continue;
      return static_cast<std::size_t>(entry->value()->Data() - copy.data);
    }
  }
  corrupt("no metadata " + std::string(key));
}

ArrowBatch read_arrow_batch(const Slice& file, const ArrowFooter& footer, std::size_t number) {
  if (number >= footer.batches.size()) corrupt("too few record batches");
  const auto [offset, metadata_bytes, body_bytes] = footer.batches[number];
  if (offset < 0 || metadata_bytes < kArrowMarkBytes || body_bytes < 0 || offset > file.size ||
      metadata_bytes > file.size - offset || body_bytes > file.size - offset - metadata_bytes) {
    corrupt("a record batch that reaches beyond the file");
  }
  const Slice head = file.part(offset + kArrowMarkBytes, metadata_bytes - kArrowMarkBytes);
  const Slice copy = aligned({head.data, static_cast<std::size_t>(head.size)});
  flatbuffers::Verifier verifier(copy.data, static_cast<std::size_t>(copy.size));
  if (!verifier.VerifyBuffer<ipc::Message>(nullptr)) corrupt("a malformed record batch");
  const ipc::RecordBatch* batch =
      flatbuffers::GetRoot<ipc::Message>(copy.data)->header_as_RecordBatch();
  if (batch == nullptr) corrupt("no record batch where one should be");
  if (batch->compression() != nullptr) {
    throw Error(Code::kUnimplemented, "found compressed buffers; write the file without");
  }
  if (batch->length() < 0) corrupt("a negative number of rows");
  if (!well_placed(batch->nodes()) || !well_placed(batch->buffers())) {
    corrupt("a malformed record batch");
  }
  const Slice body = file.part(offset + metadata_bytes, body_bytes);
  ArrowBatch out;
  out.rows = batch->length();
  BatchWalk walk(*batch, body);
  for (const ArrowField& field : footer.fields) {
    out.columns.push_back(column_of(walk, field, out.rows));
  }
  if (!footer.fields.empty()) walk.finish();
  return out;
}

Value arrow_value(const Slice& file, const ArrowFooter& footer, const Type& type,
                  const Digest& instance) {
  if (footer.batches.size() != 1) corrupt("expected one record batch");
  const ArrowBatch batch = read_arrow_batch(file, footer, 0);
  if (type.is_tensor()) return tensor_of(batch, footer, type.tensor());
  if (type.is_secret()) return share_of(batch, type.secret(), instance);
  return table_of(batch, footer, type.table());
}

}  // namespace curia
