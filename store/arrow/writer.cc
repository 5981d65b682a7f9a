#include "store/arrow/writer.h"

#include <arrow_generated.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace curia {
namespace {

namespace ipc = arrow_ipc;
using Builder = flatbuffers::FlatBufferBuilder;

std::int64_t padded(std::int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// One bit for each byte of 0 or 1, the lowest first.
Slice packed(const Slice& bytes) {
  const auto bits = Buffer::allocate((bytes.size + 7) / 8);
  std::fill_n(bits->data(), bits->size(), std::uint8_t{0});
  for (std::int64_t i = 0; i < bytes.size; ++i) {
    bits->data()[i / 8] = static_cast<std::uint8_t>(bits->data()[i / 8] | bytes.data[i] << (i % 8));
  }
  return Slice(bits);
}

// A record batch as it is collected.
struct Batch {
  std::int64_t rows = 0;
  std::vector<ArrowField> fields;
  std::vector<ipc::FieldNode> nodes;
  std::vector<ipc::BufferRange> ranges;
  std::vector<Slice> buffers;  // that have bytes
  std::int64_t body_bytes = 0;
  ArrowBools bools = ArrowBools::kBytes;

  void add_buffer(const Slice& buffer) {
    ranges.emplace_back(body_bytes, buffer.size);
    if (buffer.size == 0) return;
    buffers.push_back(buffer);
    body_bytes += padded(buffer.size);
  }
  // A node and its validity bitmap, which may be left out where there are no nulls.
  void add_node(std::int64_t length) {
    nodes.emplace_back(length, 0);
    add_buffer({});
  }
  void add_plain(std::string name, DType dtype, std::int64_t length, const Slice& data) {
    ArrowField field{.name = std::move(name), .dtype = arrow_storage(dtype)};
    const bool bits = dtype == DType::kBool && bools == ArrowBools::kBits;
    if (bits) {
      field.dtype = DType::kBool;
    } else if (dtype == DType::kBool) {
      field.extension = "arrow.bool8";
    }
    fields.push_back(std::move(field));
    add_node(length);
    add_buffer(bits ? packed(data) : data);
  }
};

std::string shape_json(std::span<const std::int64_t> shape) {
  std::string text;
  for (const std::int64_t extent : shape)
    text += (text.empty() ? "" : ",") + std::to_string(extent);
  return "{\"shape\":[" + text + "]}";
}

void add_tensor(Batch& batch, const Tensor& tensor) {
  const Shape& shape = tensor.shape;
  const std::span row = std::span(shape).subspan(shape.empty() ? 0 : 1);
  const std::int64_t row_elements = element_count({row.begin(), row.end()});
  if (shape.size() < 2 || row_elements > std::numeric_limits<std::int32_t>::max()) {
    batch.rows = tensor.elements();
    batch.add_plain("value", tensor.dtype, batch.rows, tensor.data);
    return;
  }
  batch.rows = shape[0];
  batch.fields.push_back({"value", arrow_storage(tensor.dtype), row_elements,
                          "arrow.fixed_shape_tensor", shape_json(row)});
  batch.add_node(batch.rows);
  batch.add_node(tensor.elements());
  batch.add_buffer(tensor.data);
}

void add_table(Batch& batch, const Table& table) {
  batch.rows = table.rows;
  for (const Column& column : table.columns) {
    if (const auto* tensor = std::get_if<Tensor>(&column.data)) {
      batch.add_plain(column.name, tensor->dtype, table.rows, tensor->data);
      continue;
    }
    const auto& strings = std::get<StringColumn>(column.data);
    batch.fields.push_back({.name = column.name, .dtype = DType::kString});
    batch.add_node(table.rows);
    batch.add_buffer(strings.offsets);
    batch.add_buffer(strings.text);
  }
}

void add_share(Batch& batch, const Share& share) {
  batch.rows = share.first.size / 8;
  batch.add_plain("first", DType::kU64, batch.rows, share.first);
  batch.add_plain("second", DType::kU64, batch.rows, share.second);
}

Batch batch_of(const Value& value, ArrowBools bools) {
  Batch batch;
  batch.bools = bools;
  if (const auto* tensor = std::get_if<Tensor>(&value.form)) add_tensor(batch, *tensor);
  if (const auto* table = std::get_if<Table>(&value.form)) add_table(batch, *table);
  if (const auto* share = std::get_if<Share>(&value.form)) add_share(batch, *share);
  return batch;
}

std::pair<ipc::Type, flatbuffers::Offset<void>> type_of(Builder& builder, DType dtype) {
  if (dtype == DType::kBool) return {ipc::Type::Bool, ipc::CreateUnread(builder).Union()};
  if (dtype == DType::kString) return {ipc::Type::LargeUtf8, ipc::CreateLargeUtf8(builder).Union()};
  if (is_float(dtype)) {
    const auto precision = dtype == DType::kF32 ? ipc::Precision::Single : ipc::Precision::Double;
    return {ipc::Type::FloatingPoint, ipc::CreateFloatingPoint(builder, precision).Union()};
  }
  const auto bits = static_cast<std::int32_t>(dtype_bytes(dtype) * 8);
  return {ipc::Type::Int, ipc::CreateInt(builder, bits, is_signed_int(dtype)).Union()};
}

std::vector<flatbuffers::Offset<ipc::KeyValue>> metadata_of(Builder& builder,
                                                            const ArrowMetadata& metadata) {
  std::vector<flatbuffers::Offset<ipc::KeyValue>> entries;
  for (const auto& [key, value] : metadata) {
    const auto name = builder.CreateString(key);
    const auto text = builder.CreateString(value);
    entries.push_back(ipc::CreateKeyValue(builder, name, text));
  }
  return entries;
}

flatbuffers::Offset<ipc::Field> field_of(Builder& builder, const ArrowField& field) {
  ArrowMetadata metadata;
  if (!field.extension.empty()) {
    metadata = {{"ARROW:extension:name", field.extension},
                {"ARROW:extension:metadata", field.extension_metadata}};
  }
  std::vector<flatbuffers::Offset<ipc::Field>> children;
  auto [type, offset] = type_of(builder, field.dtype);
  if (field.list_size != kNoList) {
    const auto name = builder.CreateString("item");
    const auto none = builder.CreateVector(children);
    // Nullable, as the canonical extension's storage is; there are no nulls in it.
    children.push_back(ipc::CreateField(builder, name, true, type, offset, 0, none));
    type = ipc::Type::FixedSizeList;
    offset = ipc::CreateFixedSizeList(builder, static_cast<std::int32_t>(field.list_size)).Union();
  }
  const auto name = builder.CreateString(field.name);
  const auto inner = builder.CreateVector(children);
  const auto custom = builder.CreateVector(metadata_of(builder, metadata));
  return ipc::CreateField(builder, name, field.list_size != kNoList, type, offset, 0, inner,
                          custom);
}

flatbuffers::Offset<ipc::Schema> schema_of(Builder& builder, const std::vector<ArrowField>& fields,
                                           const ArrowMetadata& metadata) {
  std::vector<flatbuffers::Offset<ipc::Field>> list;
  for (const ArrowField& field : fields) list.push_back(field_of(builder, field));
  const auto all = builder.CreateVector(list);
  const auto custom = builder.CreateVector(metadata_of(builder, metadata));
  return ipc::CreateSchema(builder, ipc::Endianness::Little, all, custom);
}

// Appends mark, length and message so that the file goes on at a multiple of 64.
void add_message(std::string& file, const Builder& message) {
  const auto begin = static_cast<std::int64_t>(file.size());
  const std::int64_t end = padded(begin + kArrowMarkBytes + message.GetSize());
  const std::uint32_t mark = 0xffffffff;
  const auto length = static_cast<std::int32_t>(end - begin - kArrowMarkBytes);
  file.append(reinterpret_cast<const char*>(&mark), sizeof(mark));
  file.append(reinterpret_cast<const char*>(&length), sizeof(length));
  file.append(reinterpret_cast<const char*>(message.GetBufferPointer()), message.GetSize());
  file.resize(static_cast<std::size_t>(end));
}

}  // namespace

ArrowImage arrow_image(const Value& value, ArrowMetadata schema_metadata, ArrowBools bools) {
  ArrowImage image;
  Batch batch = batch_of(value, bools);
  image.fields = std::move(batch.fields);
  image.schema_metadata = std::move(schema_metadata);

  std::string head(kArrowMagic);
  head.resize(8);
  Builder schema;
  const auto described = schema_of(schema, image.fields, image.schema_metadata);
  schema.Finish(ipc::CreateMessage(schema, ipc::MetadataVersion::V5, ipc::MessageHeader::Schema,
                                   described.Union()));
  add_message(head, schema);
  image.batch.offset = std::ssize(head);
  image.batch.body_bytes = batch.body_bytes;
  Builder message;
  const auto nodes = message.CreateVectorOfStructs(batch.nodes);
  const auto ranges = message.CreateVectorOfStructs(batch.ranges);
  const auto rows = ipc::CreateRecordBatch(message, batch.rows, nodes, ranges);
  message.Finish(ipc::CreateMessage(message, ipc::MetadataVersion::V5,
                                    ipc::MessageHeader::RecordBatch, rows.Union(),
                                    batch.body_bytes));
  add_message(head, message);
  image.batch.metadata_bytes = std::ssize(head) - image.batch.offset;

  image.pieces.push_back(Slice::copy_of(head));
  // The fill behind a buffer; at the end of the file the mark that no message follows.
  std::string fill(kAlignment, '\0');
  const Slice zeros = Slice::copy_of(fill);
  for (Slice& buffer : batch.buffers) {
    const std::int64_t behind = padded(buffer.size) - buffer.size;
    image.pieces.push_back(std::move(buffer));
    if (behind > 0) image.pieces.push_back(zeros.part(0, behind));
  }
  fill.resize(kArrowMarkBytes);
  std::memset(fill.data(), 0xff, 4);
  image.pieces.push_back(Slice::copy_of(fill));
  for (const Slice& piece : image.pieces) image.bytes += piece.size;
  return image;
}

std::string arrow_footer(const ArrowImage& image, const ArrowMetadata& metadata) {
  Builder builder;
  const auto schema = schema_of(builder, image.fields, image.schema_metadata);
  const std::vector<ipc::Block> batches = {{image.batch.offset,
                                            static_cast<std::int32_t>(image.batch.metadata_bytes),
                                            image.batch.body_bytes}};
  const auto blocks = builder.CreateVectorOfStructs(batches);
  const auto none = builder.CreateVectorOfStructs(std::vector<ipc::Block>());
  const auto custom = builder.CreateVector(metadata_of(builder, metadata));
  builder.Finish(
      ipc::CreateFooter(builder, ipc::MetadataVersion::V5, schema, none, blocks, custom));
  std::string tail(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
  const auto length = static_cast<std::int32_t>(tail.size());
  tail.append(reinterpret_cast<const char*>(&length), sizeof(length));
  tail += kArrowMagic;
  return tail;
}

}  // namespace curia
