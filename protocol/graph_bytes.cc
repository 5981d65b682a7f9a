#include "protocol/graph_bytes.h"

#include <algorithm>

#include "protocol/bytes.h"
#include "protocol/op_table.h"
#include "protocol/ops.h"
#include "protocol/range_bytes.h"

namespace curia {
namespace {

constexpr std::string_view kMagic("CUG\x02", 4);
// The fewest bytes each of them takes.
constexpr std::int64_t kMinType = 4;
constexpr std::int64_t kMinOp = 5;
constexpr std::int64_t kMinAttr = 3;
constexpr std::int64_t kMinRegion = 3;
constexpr std::int64_t kMinDevice = 3;

std::uint64_t size_of(const auto& list) { return list.size(); }

// Whether the parts of a constant agree; the bytes themselves are checked too.
void check_tensor(const Tensor& tensor) {
  ops::check_type({tensor.type(), ""});
  const std::int64_t bytes = byte_count(tensor.type());
  if (bytes == kUnknown) throw Error(Code::kInvalid, "a constant with an extent `?`");
  if (tensor.data.size != bytes) {
    throw Error(Code::kInvalid, "a constant " + type_text(tensor.type()) + " with " +
                                    std::to_string(tensor.data.size) + " bytes of data");
  }
  if (tensor.dtype != DType::kBool) return;
  for (std::int64_t i = 0; i < bytes; ++i) {
    if (tensor.data.data[i] > 1) {
      throw Error(Code::kInvalid, "a constant of bool with a byte that is not 0 or 1");
    }
  }
}

class Encoder {
 public:
  std::string graph(const Graph& graph) {
    for (const char c : kMagic) out_.u8(static_cast<std::uint8_t>(c));
    out_.text(graph.name);
    out_.varint(size_of(graph.inputs));
    for (const GraphInput& input : graph.inputs) {
      out_.text(input.name);
      type(input.type);
    }
    ops(graph.ops, 0);
    out_.varint(size_of(graph.outputs));
    for (const GraphOutput& output : graph.outputs) {
      out_.text(output.name);
      out_.varint(output.value);
    }
    out_.varint(size_of(graph.devices));
    for (const SecureDevice& device : graph.devices) {
      out_.text(device.name);
      out_.text(device.protocol);
      out_.varint(size_of(device.members));
      for (const std::string& member : device.members) out_.text(member);
    }
    write_input_ranges(out_, graph.inputs);
    bound();
    return out_.take();
  }

 private:
  void bound() const {
    if (out_.size() > kMaxGraphBytes) {
      throw Error(Code::kInvalid, "expected a graph of at most " + std::to_string(kMaxGraphBytes) +
                                      " bytes; split it, or put large constants and name them as "
                                      "inputs");
    }
  }

  void ops(const std::vector<Op>& ops, std::int64_t depth) {
    if (depth > kMaxRegionDepth) {
      throw Error(Code::kInvalid,
                  "regions are nested deeper than " + std::to_string(kMaxRegionDepth));
    }
    ops_ += static_cast<std::int64_t>(ops.size());
    if (ops_ > kMaxOps) {
      throw Error(Code::kInvalid, "expected at most " + std::to_string(kMaxOps) + " ops");
    }
    out_.varint(size_of(ops));
    for (const Op& op : ops) {
      out_.text(op.name);
      out_.text(op.device);
      values(op.operands);
      out_.varint(size_of(op.attrs));
      for (const auto& [key, attr] : op.attrs) {
        out_.text(key);
        out_.u8(static_cast<std::uint8_t>(attr.index()));
        std::visit([this](const auto& value) { attribute(value); }, attr);
        bound();
      }
      out_.varint(size_of(op.regions));
      for (const Region& region : op.regions) {
        out_.varint(size_of(region.params));
        for (const Type& param : region.params) type(param);
        this->ops(region.ops, depth + 1);
        values(region.results);
      }
    }
  }

  void values(const std::vector<ValueId>& ids) {
    out_.varint(size_of(ids));
    for (const ValueId id : ids) out_.varint(id);
  }

  void shape(const Shape& extents) {
    out_.varint(size_of(extents));
    for (const std::int64_t extent : extents) out_.svarint(extent);
  }

  void type(const Type& type) {
    ops::check_type(type);
    out_.u8(static_cast<std::uint8_t>(type.form.index()));
    if (type.is_secret()) {
      const SecretType& secret = type.secret();
      out_.u8(static_cast<std::uint8_t>(secret.kind));
      out_.u8(static_cast<std::uint8_t>(secret.fraction_bits));
      shape(secret.shape);
    } else if (type.is_table()) {
      const TableType& table = type.table();
      out_.varint(size_of(table.columns));
      for (const ColumnType& column : table.columns) {
        out_.text(column.name);
        out_.u8(static_cast<std::uint8_t>(column.dtype));
      }
      out_.svarint(table.rows);
    } else {
      out_.u8(static_cast<std::uint8_t>(type.tensor().dtype));
      shape(type.tensor().shape);
    }
    out_.text(type.device);
  }

  void attribute(bool value) { out_.boolean(value); }
  void attribute(std::int64_t value) { out_.svarint(value); }
  void attribute(double value) { out_.f64(value); }
  void attribute(const std::string& value) { out_.text(value); }
  void attribute(const std::vector<std::int64_t>& list) {
    out_.varint(size_of(list));
    for (const std::int64_t value : list) out_.svarint(value);
  }
  void attribute(const std::vector<std::string>& list) {
    out_.varint(size_of(list));
    for (const std::string& value : list) out_.text(value);
  }
  void attribute(const Tensor& value) {
    check_tensor(value);
    out_.u8(static_cast<std::uint8_t>(value.dtype));
    shape(value.shape);
    out_.raw({value.data.data, static_cast<std::size_t>(value.data.size)});
  }
  void attribute(const Type& value) { type(value); }
  void attribute(const Ranges& ranges) { write_ranges(out_, ranges); }

  ByteWriter out_;
  std::int64_t ops_ = 0;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : in_(bytes, "graph bytes") {}

  Graph graph() {
    for (const char c : kMagic) {
      if (in_.u8() != static_cast<std::uint8_t>(c)) in_.fail("expected a graph of format 2");
    }
    Graph graph;
    graph.name = text("a name");
    for (std::int64_t n = in_.count(1 + kMinType, kMaxGraphBytes, "inputs"); n > 0; --n) {
      std::string name = text("a name");
      graph.inputs.push_back({std::move(name), type(), {}});
    }
    graph.ops = ops(0);
    for (std::int64_t n = in_.count(2, kMaxGraphBytes, "outputs"); n > 0; --n) {
      std::string name = text("a name");
      graph.outputs.push_back({std::move(name), value()});
    }
    for (std::int64_t n = in_.count(kMinDevice, kMaxDevices, "devices"); n > 0; --n) {
      SecureDevice& device = graph.devices.emplace_back();
      device.name = text("a device name");
      device.protocol = text("a protocol");
      for (std::int64_t m = in_.count(1, kMaxParties, "members"); m > 0; --m) {
        device.members.push_back(text("a party name"));
      }
    }
    if (in_.left() > 0) read_input_ranges(in_, graph.inputs);
    in_.finish();
    return graph;
  }

 private:
  std::string text(std::string_view name) { return in_.text(kMaxGraphBytes, name); }

  ValueId value() { return static_cast<ValueId>(in_.varint_up_to(UINT32_MAX, "a value number")); }

  std::vector<ValueId> values() {
    std::vector<ValueId> ids;
    for (std::int64_t n = in_.count(1, kMaxGraphBytes, "values"); n > 0; --n) {
      ids.push_back(value());
    }
    return ids;
  }

  std::vector<Op> ops(std::int64_t depth) {
    if (depth > kMaxRegionDepth) {
      in_.fail("regions are nested deeper than " + std::to_string(kMaxRegionDepth));
    }
    const std::int64_t count = in_.count(kMinOp, kMaxOps - ops_, "ops");
    ops_ += count;
    std::vector<Op> list;
    for (std::int64_t n = count; n > 0; --n) {
      Op& op = list.emplace_back();
      op.name = text("an op name");
      op.device = text("a device name");
      op.operands = values();
      attributes(op);
      for (std::int64_t r = in_.count(kMinRegion, kMaxGraphBytes, "regions"); r > 0; --r) {
        op.regions.push_back(region(depth));
      }
    }
    return list;
  }

  Region region(std::int64_t depth) {
    Region region;
    for (std::int64_t n = in_.count(kMinType, kMaxGraphBytes, "parameters"); n > 0; --n) {
      region.params.push_back(type());
    }
    region.ops = ops(depth + 1);
    region.results = values();
    return region;
  }

  void attributes(Op& op) {
    for (std::int64_t n = in_.count(kMinAttr, kMaxGraphBytes, "attributes"); n > 0; --n) {
      std::string key = text("an attribute name");
      if (!op.attrs.empty() && key <= op.attrs.rbegin()->first) {
        in_.fail("expected attributes in ascending order, none twice");
      }
      Attr attr = attribute(in_.u8());
      op.attrs.emplace_hint(op.attrs.end(), std::move(key), std::move(attr));
    }
  }

  Attr attribute(std::uint8_t kind) {
    switch (static_cast<AttrKind>(kind)) {
      case AttrKind::kBool:
        return in_.boolean();
      case AttrKind::kInt:
        return in_.svarint();
      case AttrKind::kDouble:
        return in_.f64();
      case AttrKind::kString:
        return text("a string");
      case AttrKind::kInts:
        return shape(kMaxGraphBytes);
      case AttrKind::kStrings: {
        std::vector<std::string> list;
        for (std::int64_t n = in_.count(1, kMaxGraphBytes, "strings"); n > 0; --n) {
          list.push_back(text("a string"));
        }
        return list;
      }
      case AttrKind::kTensor:
        return tensor();
      case AttrKind::kType:
        return type();
      case AttrKind::kRanges:
        return read_ranges(in_);
    }
    in_.fail("expected a kind of attribute from 0 to 8, found " + std::to_string(kind));
  }

  Shape shape(std::int64_t max) {
    Shape extents;
    for (std::int64_t n = in_.count(1, max, "numbers"); n > 0; --n) {
      extents.push_back(in_.svarint());
    }
    return extents;
  }

  DType dtype() {
    const std::uint8_t byte = in_.u8();
    if (byte >= kDTypes) in_.fail("unknown dtype " + std::to_string(byte));
    return static_cast<DType>(byte);
  }

  Type type() {
    Type type;
    const std::uint8_t form = in_.u8();
    if (form > 2) in_.fail("expected a tensor, a table or a secret, found " + std::to_string(form));
    if (form == 2) {
      SecretType secret;
      const std::uint8_t kind = in_.u8();
      if (kind > static_cast<std::uint8_t>(SecretKind::kFixed)) in_.fail("unknown kind of secret");
      secret.kind = static_cast<SecretKind>(kind);
      secret.fraction_bits = in_.u8();
      secret.shape = shape(kMaxRank);
      type.form = std::move(secret);
    } else if (form == 1) {
      TableType table;
      for (std::int64_t n = in_.count(2, kMaxColumns, "columns"); n > 0; --n) {
        std::string name = in_.text(kMaxNameBytes, "a column name");
        table.columns.push_back({std::move(name), dtype()});
      }
      table.rows = in_.svarint();
      type.form = std::move(table);
    } else {
      TensorType tensor;
      tensor.dtype = dtype();
      tensor.shape = shape(kMaxRank);
      type.form = std::move(tensor);
    }
    type.device = text("a device name");
    check([&] { ops::check_type(type); });
    return type;
  }

  Tensor tensor() {
    Tensor tensor;
    tensor.dtype = dtype();
    tensor.shape = shape(kMaxRank);
    std::int64_t bytes = 0;
    check([&] { bytes = byte_count(tensor.type()); });
    if (bytes == kUnknown || tensor.dtype == DType::kString) in_.fail("no type for a constant");
    tensor.data = Slice::copy_of(in_.raw(bytes));
    check([&] { check_tensor(tensor); });
    return tensor;
  }

  // Says at which byte a check failed.
  void check(auto&& checks) {
    try {
      checks();
    } catch (const Error& error) {
      in_.fail(error.message());
    }
  }

  ByteReader in_;
  std::int64_t ops_ = 0;
};

}  // namespace

std::string encode_graph(const Graph& graph) { return Encoder().graph(graph); }

Graph decode_graph(std::string_view bytes) {
  if (static_cast<std::int64_t>(bytes.size()) > kMaxGraphBytes) {
    throw Error(Code::kInvalid, "expected a graph of at most " + std::to_string(kMaxGraphBytes) +
                                    " bytes, found " + std::to_string(bytes.size()));
  }
  return Decoder(bytes).graph();
}

Digest program_digest(std::string_view canonical, std::span<const Digest> libraries) {
  Hasher hasher("curia program");
  hasher.add(std::uint64_t{kOpSetVersion});
  hasher.add(canonical);
  hasher.add(std::uint64_t{libraries.size()});
  for (const Digest& library : libraries) hasher.add(library);
  return hasher.finish();
}

Digest program_digest(const Graph& graph) { return program_digest(encode_graph(graph)); }

}  // namespace curia
