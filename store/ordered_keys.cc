#include "store/ordered_keys.h"

#include <algorithm>
#include <iterator>

namespace curia {
namespace {

std::ptrdiff_t offset(std::size_t i) { return static_cast<std::ptrdiff_t>(i); }

}  // namespace

OrderedKeys::Item OrderedKeys::item_of(std::string_view key) {
  Item item{0, key};
  for (std::size_t i = 0; i < sizeof(item.beginning); ++i) {
    const std::uint8_t byte = i < key.size() ? static_cast<std::uint8_t>(key[i]) : 0;
    item.beginning = item.beginning << 8 | byte;
  }
  return item;
}

std::size_t OrderedKeys::place_in(const Chunk& chunk, const Item& item) {
  return static_cast<std::size_t>(std::lower_bound(chunk.begin(), chunk.end(), item) -
                                  chunk.begin());
}

std::size_t OrderedKeys::chunk_of(const Item& item) const {
  // The last chunk that does not begin after it.
  std::size_t low = 0;
  std::size_t high = chunks_.size();
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    const bool begins_after = beginnings_[middle] != item.beginning
                                  ? item.beginning < beginnings_[middle]
                                  : item < chunks_[middle].front();
    (begins_after ? high : low) = middle;
  }
  return low;
}

void OrderedKeys::insert(std::string_view key) {
  const Item item = item_of(key);
  if (chunks_.empty()) {
    beginnings_.reserve(1);
    chunks_.push_back({item});
    beginnings_.push_back(item.beginning);
    return;
  }
  std::size_t c = chunk_of(item);
  if (chunks_[c].size() == kMostKeys) {
    split(c);
    c = chunk_of(item);
  }
  Chunk& chunk = chunks_[c];
  chunk.insert(chunk.begin() + offset(place_in(chunk, item)), item);
  beginnings_[c] = chunk.front().beginning;
}

// Changes nothing when there is no memory.
void OrderedKeys::split(std::size_t c) {
  beginnings_.reserve(beginnings_.size() + 1);
  Chunk behind;
  behind.reserve(kMostKeys);
  const auto half = chunks_[c].begin() + offset(kMostKeys / 2);
  behind.assign(half, chunks_[c].end());
  const std::uint64_t beginning = behind.front().beginning;
  chunks_.insert(chunks_.begin() + offset(c + 1), std::move(behind));
  beginnings_.insert(beginnings_.begin() + offset(c + 1), beginning);
  chunks_[c].resize(kMostKeys / 2);
}

void OrderedKeys::erase(std::string_view key) {
  const Item item = item_of(key);
  const std::size_t c = chunk_of(item);
  Chunk& chunk = chunks_[c];
  chunk.erase(chunk.begin() + offset(place_in(chunk, item)));
  if (!chunk.empty()) {
    beginnings_[c] = chunk.front().beginning;
    merge(c);
    if (c > 0) merge(c - 1);
    return;
  }
  chunks_.erase(chunks_.begin() + offset(c));
  beginnings_.erase(beginnings_.begin() + offset(c));
}

void OrderedKeys::merge(std::size_t c) {
  if (c + 1 >= chunks_.size()) return;
  Chunk& behind = chunks_[c + 1];
  // Room is left, so that the next few do not split it again; capacity is there already.
  if (chunks_[c].size() + behind.size() > std::min(kMostKeys / 2, chunks_[c].capacity())) return;
  chunks_[c].insert(chunks_[c].end(), behind.begin(), behind.end());
  chunks_.erase(chunks_.begin() + offset(c + 1));
  beginnings_.erase(beginnings_.begin() + offset(c + 1));
}

}  // namespace curia
