// Keys in order, for lists in pages beside a hash table of the objects.
//
// Chunks of sorted keys, and the beginning of each chunk's first key: of a million keys, a change
// touches a few lines of memory, where a tree of nodes touches twenty.
//
// The keys are views of strings that the owner keeps. Thread: none of its own.
// Invariant: no chunk is empty, none has more than kMostKeys.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace curia {

class OrderedKeys {
 public:
  void insert(std::string_view key);  // REQUIRES: it is not there
  void erase(std::string_view key);   // REQUIRES: it is there

  bool empty() const { return chunks_.empty(); }
  std::string_view first() const { return chunks_.front().front().key; }  // REQUIRES: not empty
  // Calls `see` with the keys from `from` on (`after`: without it), in order, until it says false.
  template <class See>
  void visit(std::string_view from, bool after, const See& see) const {
    if (empty()) return;
    const Item start = item_of(from);
    std::size_t c = chunk_of(start);
    std::size_t i = place_in(chunks_[c], start);
    for (; c < chunks_.size(); ++c, i = 0) {
      for (; i < chunks_[c].size(); ++i) {
        if (after && chunks_[c][i].key == from) continue;
        if (!see(chunks_[c][i].key)) return;
      }
    }
  }

 private:
  // The first eight bytes of a key as a number, which decides nearly every comparison.
  struct Item {
    std::uint64_t beginning = 0;
    std::string_view key;
    bool operator<(const Item& other) const {
      return beginning != other.beginning ? beginning < other.beginning : key < other.key;
    }
  };
  using Chunk = std::vector<Item>;
  static constexpr std::size_t kMostKeys = 256;

  static Item item_of(std::string_view key);
  static std::size_t place_in(const Chunk& chunk, const Item& item);  // of the first not before it
  std::size_t chunk_of(const Item& item) const;                       // where it is, or belongs
  void split(std::size_t c);
  void merge(std::size_t c);  // with the one behind it, if both are small

  std::vector<Chunk> chunks_;
  std::vector<std::uint64_t> beginnings_;  // of the first key of each chunk
};

}  // namespace curia
