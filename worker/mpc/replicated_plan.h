// How replicated protocols cut their work into messages: shared by what computes and what counts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace curia::mpc {

inline constexpr std::int64_t kBlockWords = 512;                    // masks of a block stay in L1
inline constexpr std::int64_t kChunkWords = std::int64_t{1} << 18;  // of a message: 2 MiB
inline constexpr std::int64_t kAdderChunk = std::int64_t{1} << 19;  // elements an adder takes
// From here on the special role in asymmetric steps goes round, so that members send alike.
inline constexpr std::int64_t kRotateFrom = std::int64_t{1} << 15;
// From here on comparisons use the ripple adder (fewest bytes), below parallel prefix (fewest
// rounds).
inline constexpr std::int64_t kRippleFrom = std::int64_t{1} << 17;
inline constexpr int kMaxShift = 32;

struct Chunk {
  std::int64_t begin = 0, end = 0;  // elements
  std::int64_t mask = 0;            // where its random numbers begin, a multiple of kBlockWords
  int leader = 0;

  std::int64_t size() const { return end - begin; }
};

constexpr std::int64_t round_up(std::int64_t x, std::int64_t unit) {
  return (x + unit - 1) / unit * unit;
}

// Pieces of at most about `most` elements; from kRotateFrom on a multiple of three.
inline std::vector<Chunk> chunks_of(std::int64_t count, std::int64_t most = kChunkWords) {
  std::vector<Chunk> chunks;
  if (count == 0) return chunks;
  std::int64_t size = count;
  if (count >= kRotateFrom) {
    const std::int64_t pieces = 3 * ((count + 3 * most - 1) / (3 * most));
    size = round_up((count + pieces - 1) / pieces, kBlockWords);
  }
  for (std::int64_t begin = 0; begin < count; begin += size) {
    const int leader = static_cast<int>(chunks.size() % 3);
    chunks.push_back({begin, std::min(begin + size, count), begin, leader});
  }
  return chunks;
}

// Likewise for the rows of a matrix of `width` columns.
inline std::vector<Chunk> row_chunks(std::int64_t rows, std::int64_t width) {
  std::vector<Chunk> chunks;
  if (rows == 0 || width == 0) return chunks;
  std::int64_t step = rows;
  if (rows * width >= kRotateFrom) {
    const std::int64_t most = std::max<std::int64_t>(1, kChunkWords / width);
    const std::int64_t pieces = 3 * ((rows + 3 * most - 1) / (3 * most));
    step = (rows + pieces - 1) / pieces;
  }
  std::int64_t mask = 0;
  for (std::int64_t row = 0; row < rows; row += step) {
    const int leader = static_cast<int>(chunks.size() % 3);
    chunks.push_back({row * width, std::min(row + step, rows) * width, mask, leader});
    mask += round_up(chunks.back().size(), kBlockWords);
  }
  return chunks;
}

// Bytes in which a number mod 2^shift is sent.
constexpr std::int64_t packed_width(int shift) { return (shift + 7) / 8; }

// 64-bit words of one plane of `count` bits inside an adder.
constexpr std::int64_t plane_words(std::int64_t count) {
  return count < kBlockWords ? (count + 63) / 64 : (count + 511) / 512 * 8;
}

}  // namespace curia::mpc
