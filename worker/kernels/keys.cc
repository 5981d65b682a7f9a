#include "worker/kernels/keys.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "protocol/digest.h"
#include "worker/kernels/map.h"

namespace curia {
namespace {

constexpr std::int64_t kGrain = 1 << 15;

// Both halves of a 64 by 64 bit product, folded: every bit of the result depends on all of both.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Product = unsigned __int128;
  const Product product = Product{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15ULL;  // 2^64 over the golden ratio

std::uint64_t mix(std::uint64_t hash, std::uint64_t word, std::uint64_t seed) {
  return fold(hash ^ word ^ seed, kOdd ^ std::rotl(seed, 32)) + kOdd;
}

std::uint64_t hash_text(std::uint64_t hash, std::string_view text, std::uint64_t seed) {
  hash = mix(hash, text.size(), seed);
  while (!text.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min<std::size_t>(8, text.size());
    std::memcpy(&word, text.data(), size);
    hash = mix(hash, word, seed);
    text.remove_prefix(size);
  }
  return hash;
}

const Tensor* numbers(const Column& column) { return std::get_if<Tensor>(&column.data); }

bool equal(const Column& a, std::int64_t i, const Column& b, std::int64_t j) {
  const Tensor* x = numbers(a);
  if (x == nullptr) {
    return std::get<StringColumn>(a.data).at(i) == std::get<StringColumn>(b.data).at(j);
  }
  const auto width = static_cast<std::size_t>(dtype_bytes(x->dtype));
  return std::memcmp(x->data.data + static_cast<std::size_t>(i) * width,
                     numbers(b)->data.data + static_cast<std::size_t>(j) * width, width) == 0;
}

bool equal_rows(const std::vector<const Column*>& a, std::int64_t i,
                const std::vector<const Column*>& b, std::int64_t j) {
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (!equal(*a[k], i, *b[k], j)) return false;
  }
  return true;
}

StringColumn take_strings(const KernelContext& ctx, const StringColumn& from,
                          std::span<const std::int64_t> index) {
  const auto rows = static_cast<std::int64_t>(index.size());
  ctx.reserve((rows + 1) * 8);
  auto offsets = Buffer::allocate((rows + 1) * 8);
  auto* offset = reinterpret_cast<std::int64_t*>(offsets->data());
  std::int64_t size = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    offset[i] = size;
    const auto row = static_cast<std::int64_t>(from.at(index[static_cast<std::size_t>(i)]).size());
    if (row > std::numeric_limits<std::int64_t>::max() - size) {
      throw Error(Code::kQuota, "a column of strings does not fit into memory");
    }
    size += row;
  }
  offset[rows] = size;
  ctx.reserve(size);
  auto text = Buffer::allocate(size);
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::string_view row = from.at(index[static_cast<std::size_t>(i)]);
    if (!row.empty()) std::memcpy(text->data() + offset[i], row.data(), row.size());
  }
  return {Slice(BufferPtr(std::move(offsets))), Slice(BufferPtr(std::move(text)))};
}

}  // namespace

Column take(const KernelContext& ctx, const Column& column, std::span<const std::int64_t> index) {
  const Tensor* from = numbers(column);
  if (from == nullptr) {
    return {column.name, take_strings(ctx, std::get<StringColumn>(column.data), index)};
  }
  const auto rows = static_cast<std::int64_t>(index.size());
  ctx.reserve(rows * dtype_bytes(from->dtype));
  Output out(from->dtype, {rows});
  with_width(from->dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* source = elements_of<T>(*from);
    T* to = out.as<T>();
    ctx.for_chunks(rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) to[i] = source[index[static_cast<std::size_t>(i)]];
    });
  });
  return {column.name, std::move(out).finish()};
}

Table take(const KernelContext& ctx, const Table& table, std::span<const std::int64_t> index) {
  Table result;
  result.rows = static_cast<std::int64_t>(index.size());
  for (const Column& column : table.columns) result.columns.push_back(take(ctx, column, index));
  return result;
}

std::vector<const Column*> key_columns(const Table& table, const std::vector<std::string>& names) {
  expect(!names.empty(), "expected at least one key column");
  std::vector<const Column*> columns;
  for (const std::string& name : names) {
    const Column& column = table.column(name);
    if (is_float(column.dtype())) {
      throw Error(Code::kInvalid, "key column \"" + name +
                                      "\": expected bool, integers or strings, found " +
                                      std::string(dtype_name(column.dtype())));
    }
    columns.push_back(&column);
  }
  return columns;
}

std::vector<std::uint64_t> KeyIndex::hash_rows(const std::vector<const Column*>& columns) const {
  const std::int64_t rows = columns[0]->rows();
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(rows), seed_);
  for (const Column* column : columns) {
    if (const Tensor* values = numbers(*column)) {
      with_width(values->dtype, [&](auto zero) {
        const auto* at = elements_of<decltype(zero)>(*values);
        for (std::uint64_t& hash : hashes) hash = mix(hash, *at++, seed_);
      });
    } else {
      const auto& strings = std::get<StringColumn>(column->data);
      std::int64_t row = 0;
      for (std::uint64_t& hash : hashes) hash = hash_text(hash, strings.at(row++), seed_);
    }
  }
  return hashes;
}

KeyIndex::KeyIndex(std::vector<const Column*> columns) : columns_(std::move(columns)) {
  random_bytes({reinterpret_cast<std::uint8_t*>(&seed_), sizeof(seed_)});
  const std::vector<std::uint64_t> hashes = hash_rows(columns_);
  const std::size_t capacity = std::bit_ceil(std::max<std::size_t>(16, hashes.size() * 2));
  shift_ = 64 - std::countr_zero(capacity);
  slots_.assign(capacity, {0, -1});
  group_.reserve(hashes.size());
  for (std::size_t row = 0; row < hashes.size(); ++row) {
    const auto number = static_cast<std::int64_t>(row);
    std::size_t at = slot_of(hashes[row]);
    while (slots_[at].group >= 0 &&
           !(slots_[at].hash == hashes[row] &&
             equal_rows(columns_, first_[static_cast<std::size_t>(slots_[at].group)], columns_,
                        number))) {
      at = (at + 1) & (capacity - 1);
    }
    if (slots_[at].group < 0) {
      slots_[at] = {hashes[row], groups()};
      first_.push_back(number);
    }
    group_.push_back(slots_[at].group);
  }
}

std::int64_t KeyIndex::find(const std::vector<const Column*>& columns, std::int64_t row,
                            std::uint64_t hash) const {
  for (std::size_t at = slot_of(hash); slots_[at].group >= 0; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.hash == hash &&
        equal_rows(columns_, first_[static_cast<std::size_t>(slot.group)], columns, row)) {
      return slot.group;
    }
  }
  return -1;
}

bool key_less(const std::vector<const Column*>& a, std::int64_t i,
              const std::vector<const Column*>& b, std::int64_t j) {
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (const Tensor* x = numbers(*a[k])) {
      const int order = with_dtype(x->dtype, [&](auto zero) {
        const auto left = elements_of<decltype(zero)>(*x)[i];
        const auto right = elements_of<decltype(zero)>(*numbers(*b[k]))[j];
        return left < right ? -1 : (left > right ? 1 : 0);
      });
      if (order != 0) return order < 0;
    } else {
      const int order = std::get<StringColumn>(a[k]->data)
                            .at(i)
                            .compare(std::get<StringColumn>(b[k]->data).at(j));
      if (order != 0) return order < 0;
    }
  }
  return false;
}

}  // namespace curia
