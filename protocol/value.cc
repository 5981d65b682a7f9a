#include "protocol/value.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace curia {
namespace {

constexpr std::int64_t kHuge = std::int64_t{2} << 20;        // size of a huge page
constexpr std::int64_t kPooledFrom = std::int64_t{1} << 20;  // smaller ones are malloc's business
constexpr std::int64_t kPooledAtMost = std::int64_t{160} << 20;

// Freed large buffers, newest last, at most kPooledAtMost bytes in all.
class FreeList {
 public:
  // Never destroyed: buffers may outlive every other static.
  static FreeList& instance() {
    static FreeList* list = new FreeList;
    return *list;
  }

  std::uint8_t* take(std::int64_t capacity) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = blocks_.size(); i-- > 0;) {
      if (blocks_[i].capacity != capacity) continue;
      std::uint8_t* data = blocks_[i].data;
      blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(i));
      held_ -= capacity;
      return data;
    }
    return nullptr;
  }

  void give(std::uint8_t* data, std::int64_t capacity) {
    std::vector<std::uint8_t*> dropped;
    {
      const std::lock_guard lock(mutex_);
      if (capacity > kPooledAtMost / 2) {
        dropped.push_back(data);
      } else {
        blocks_.push_back({data, capacity});
        held_ += capacity;
        while (held_ > kPooledAtMost) {
          dropped.push_back(blocks_.front().data);
          held_ -= blocks_.front().capacity;
          blocks_.erase(blocks_.begin());
        }
      }
    }
    for (std::uint8_t* block : dropped) std::free(block);
  }

 private:
  struct Block {
    std::uint8_t* data;
    std::int64_t capacity;
  };
  std::mutex mutex_;
  std::vector<Block> blocks_;
  std::int64_t held_ = 0;
};

std::int64_t round_up(std::int64_t bytes, std::int64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

std::shared_ptr<Buffer> Buffer::allocate(std::int64_t bytes) {
  expect(bytes >= 0, "a buffer cannot have a negative size");
  const bool large = bytes >= kPooledFrom;
  const std::int64_t unit = large ? kHuge : kAlignment;
  const std::int64_t capacity = round_up(std::max<std::int64_t>(bytes, 1), unit);
  std::uint8_t* data = large ? FreeList::instance().take(capacity) : nullptr;
  if (data == nullptr) {
    data = static_cast<std::uint8_t*>(
        std::aligned_alloc(static_cast<std::size_t>(unit), static_cast<std::size_t>(capacity)));
    if (data == nullptr) {
      throw Error(Code::kQuota, "no memory for a buffer of " + std::to_string(bytes) + " bytes");
    }
    if (large) madvise(data, static_cast<std::size_t>(capacity), MADV_HUGEPAGE);
  }
  return std::shared_ptr<Buffer>(new Buffer(data, bytes, capacity));
}

Buffer::~Buffer() {
  if (capacity_ >= kPooledFrom) {
    FreeList::instance().give(data_, capacity_);
  } else {
    std::free(data_);
  }
}

Slice::Slice(BufferPtr buffer) : data(buffer->data()), size(buffer->size()) {
  owner = std::move(buffer);
}

Slice Slice::part(std::int64_t offset, std::int64_t bytes) const {
  expect(offset >= 0 && bytes >= 0 && offset <= size && bytes <= size - offset,
         "a slice reaches beyond its buffer");
  return {owner, data + offset, bytes};
}

Slice Slice::copy_of(std::span<const std::uint8_t> bytes) {
  auto buffer = Buffer::allocate(static_cast<std::int64_t>(bytes.size()));
  if (!bytes.empty()) std::memcpy(buffer->data(), bytes.data(), bytes.size());
  return Slice(BufferPtr(std::move(buffer)));
}

Slice Slice::copy_of(std::string_view text) {
  return copy_of(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

std::string_view StringColumn::at(std::int64_t row) const {
  const auto* offset = reinterpret_cast<const std::int64_t*>(offsets.data);
  return {reinterpret_cast<const char*>(text.data) + offset[row],
          static_cast<std::size_t>(offset[row + 1] - offset[row])};
}

StringColumn StringColumn::of(const std::vector<std::string>& rows) {
  auto offsets = Buffer::allocate((static_cast<std::int64_t>(rows.size()) + 1) * 8);
  auto* offset = reinterpret_cast<std::int64_t*>(offsets->data());
  std::string text;
  *offset++ = 0;
  for (const std::string& row : rows) {
    text += row;
    *offset++ = static_cast<std::int64_t>(text.size());
  }
  return {Slice(BufferPtr(std::move(offsets))), Slice::copy_of(text)};
}

DType Column::dtype() const {
  const auto* tensor = std::get_if<Tensor>(&data);
  return tensor != nullptr ? tensor->dtype : DType::kString;
}

std::int64_t Column::rows() const {
  const auto* tensor = std::get_if<Tensor>(&data);
  return tensor != nullptr ? tensor->elements() : std::get<StringColumn>(data).rows();
}

TableType Table::type() const {
  TableType type;
  type.rows = rows;
  for (const Column& column : columns) type.columns.push_back({column.name, column.dtype()});
  return type;
}

const Column& Table::column(std::string_view name) const {
  std::string known;
  for (const Column& column : columns) {
    if (column.name == name) return column;
    known += (known.empty() ? "" : ", ") + column.name;
  }
  throw Error(Code::kInvalid, "no column \"" + std::string(name) + "\"; the table has: " + known);
}

void Value::check() const {
  if (const auto* error = std::get_if<Error>(&form)) throw *error;
}

const Tensor& Value::tensor() const {
  check();
  if (const auto* tensor = std::get_if<Tensor>(&form)) return *tensor;
  throw Error(Code::kInvalid, "expected a tensor, found " + type().str());
}

const Table& Value::table() const {
  check();
  if (const auto* table = std::get_if<Table>(&form)) return *table;
  throw Error(Code::kInvalid, "expected a table, found " + type().str());
}

const Share& Value::share() const {
  check();
  if (const auto* share = std::get_if<Share>(&form)) return *share;
  throw Error(Code::kInvalid, "expected a share of a secret, found " + type().str());
}

Type Value::type() const {
  if (is_tensor()) return {std::get<Tensor>(form).type(), ""};
  if (is_share()) return {std::get<Share>(form).type, ""};
  return {table().type(), ""};
}

std::int64_t Value::bytes() const {
  if (const auto* tensor = std::get_if<Tensor>(&form)) return tensor->data.size;
  if (const auto* share = std::get_if<Share>(&form)) return share->first.size + share->second.size;
  const auto* table = std::get_if<Table>(&form);
  if (table == nullptr) return 0;
  std::int64_t total = 0;
  for (const Column& column : table->columns) {
    if (const auto* numbers = std::get_if<Tensor>(&column.data)) {
      total += numbers->data.size;
    } else {
      const auto& strings = std::get<StringColumn>(column.data);
      total += strings.offsets.size + strings.text.size;
    }
  }
  return total;
}

}  // namespace curia
