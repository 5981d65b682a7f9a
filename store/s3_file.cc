#include "store/s3_file.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <future>
#include <utility>

#include "store/arrow/field.h"

namespace curia {
namespace {

constexpr std::int64_t kTailBytes = 64 << 10;  // most footers are smaller
constexpr std::int64_t kStretchChunks = 16;    // that one request brings

std::int64_t chunks_of(std::int64_t bytes) {
  return std::max<std::int64_t>(1, (bytes + kCipherChunk - 1) / kCipherChunk);
}

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

S3FileWriter::S3FileWriter(S3Upload& upload, const std::optional<StoreKey>& key,
                           const std::string& uri)
    : upload_(upload) {
  if (!key) return;
  const Digest salt = random_digest();
  cipher_ = std::make_unique<ChunkCipher>(*key, uri, salt);
  hand_on(bytes_of(ChunkCipher::header(salt)));
}

void S3FileWriter::hand_on(std::span<const std::uint8_t> data) {
  upload_.add(data);
  written_ += std::ssize(data);
}

void S3FileWriter::flush(bool last) {
  encrypted_.resize(chunk_.size() + kCipherTag);
  cipher_->encrypt(number_++, last, chunk_, encrypted_.data());
  chunk_.clear();
  hand_on(encrypted_);
}

void S3FileWriter::add(std::span<const std::uint8_t> data) {
  if (cipher_ == nullptr) return hand_on(data);
  while (!data.empty()) {
    if (std::ssize(chunk_) == kCipherChunk) flush(false);
    const std::size_t size =
        std::min(data.size(), static_cast<std::size_t>(kCipherChunk) - chunk_.size());
    chunk_.insert(chunk_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size));
    data = data.subspan(size);
  }
}

void S3FileWriter::finish() {
  if (cipher_ != nullptr) flush(true);
  upload_.finish();
}

S3FileReader::S3FileReader(S3Client& client, const std::string& bucket, const std::string& object,
                           std::int64_t stored_bytes, const std::optional<StoreKey>& key,
                           const std::string& uri)
    : client_(client), bucket_(bucket), object_(object), stored_bytes_(stored_bytes) {
  if (stored_bytes_ < kArrowTailBytes) throw Error(Code::kCorrupt, "the file was cut");
  const std::int64_t tail = std::min(stored_bytes_, kTailBytes);
  tail_ = stored(stored_bytes_ - tail, tail);
  size_ = stored_bytes_;
  if (std::memcmp(tail_.data() + tail - std::ssize(kArrowMagic), kArrowMagic.data(),
                  kArrowMagic.size()) == 0) {
    return;
  }
  size_ = decrypted_bytes(stored_bytes_);
  const auto header = stored(0, kCipherHeader);
  if (!key) {
    throw Error(Code::kCorrupt,
                "the file was not written by a worker, or is encrypted and no encryption_key_file "
                "is configured");
  }
  make_cipher_ = [header, uri, with = *key] {
    return std::make_unique<ChunkCipher>(ChunkCipher::of_header(with, uri, header));
  };
  cipher_ = make_cipher_();
}

std::vector<std::uint8_t> S3FileReader::stored(std::int64_t offset, std::int64_t bytes) {
  std::vector<std::uint8_t> found;
  found.reserve(static_cast<std::size_t>(bytes));
  const std::int64_t tail_begin = stored_bytes_ - std::ssize(tail_);
  if (!tail_.empty() && offset >= tail_begin) {
    const auto begin = tail_.begin() + (offset - tail_begin);
    found.assign(begin, begin + bytes);
    return found;
  }
  client_.get(bucket_, object_, offset, bytes, stored_bytes_,
              [&found](std::int64_t, std::span<const std::uint8_t> data) {
                found.insert(found.end(), data.begin(), data.end());
              });
  return found;
}

void S3FileReader::load_chunk(std::int64_t number) {
  if (number == number_) return;
  const std::int64_t plain = std::min(kCipherChunk, size_ - number * kCipherChunk);
  const auto sealed =
      stored(kCipherHeader + number * (kCipherChunk + kCipherTag), plain + kCipherTag);
  number_ = -1;
  chunk_.resize(static_cast<std::size_t>(plain));
  cipher_->decrypt(static_cast<std::uint64_t>(number), number + 1 == chunks_of(size_), sealed,
                   chunk_.data());
  number_ = number;
}

void S3FileReader::read(std::uint8_t* to, std::int64_t bytes, std::int64_t offset) {
  if (cipher_ == nullptr) {
    const auto found = stored(offset, bytes);
    std::copy(found.begin(), found.end(), to);
    return;
  }
  while (bytes > 0) {
    load_chunk(offset / kCipherChunk);
    const std::int64_t begin = offset % kCipherChunk;
    const std::int64_t part = std::min(bytes, std::ssize(chunk_) - begin);
    std::memcpy(to, chunk_.data() + begin, static_cast<std::size_t>(part));
    to += part;
    offset += part;
    bytes -= part;
  }
}

void S3FileReader::read_chunks(std::int64_t first, std::int64_t last, const Sink& to) const {
  const std::unique_ptr<ChunkCipher> cipher = make_cipher_();
  const std::int64_t whole = kCipherChunk + kCipherTag;
  const std::int64_t begin = kCipherHeader + first * whole;
  const std::int64_t end = std::min(stored_bytes_, kCipherHeader + last * whole);
  std::vector<std::uint8_t> sealed;
  std::vector<std::uint8_t> plain;
  std::int64_t number = first;
  const auto end_chunk = [&] {
    plain.resize(sealed.size() - kCipherTag);
    cipher->decrypt(static_cast<std::uint64_t>(number), number + 1 == chunks_of(size_), sealed,
                    plain.data());
    to(number++ * kCipherChunk, plain);
    sealed.clear();
  };
  client_.get(bucket_, object_, begin, end - begin, stored_bytes_,
              [&](std::int64_t, std::span<const std::uint8_t> data) {
                while (!data.empty()) {
                  if (std::ssize(sealed) == whole) end_chunk();
                  const std::size_t size =
                      std::min(data.size(), static_cast<std::size_t>(whole) - sealed.size());
                  sealed.insert(sealed.end(), data.begin(),
                                data.begin() + static_cast<std::ptrdiff_t>(size));
                  data = data.subspan(size);
                }
              });
  end_chunk();
}

void S3FileReader::read_all(const Sink& to) {
  if (cipher_ == nullptr && std::ssize(tail_) == stored_bytes_) return to(0, tail_);
  const std::int64_t chunks = chunks_of(size_);
  const std::int64_t stretches = (chunks + kStretchChunks - 1) / kStretchChunks;
  std::atomic<std::int64_t> next{0};
  const auto work = [&] {
    for (std::int64_t i = next++; i < stretches; i = next++) {
      const std::int64_t first = i * kStretchChunks;
      const std::int64_t last = std::min(chunks, first + kStretchChunks);
      try {
        if (cipher_ != nullptr) {
          read_chunks(first, last, to);
        } else {
          const std::int64_t begin = first * kCipherChunk;
          const std::int64_t end = std::min(size_, last * kCipherChunk);
          client_.get(bucket_, object_, begin, end - begin, stored_bytes_, to);
        }
      } catch (...) {
        next = stretches;  // the others need not go on
        throw;
      }
    }
  };
  std::vector<std::future<void>> helpers;
  for (int i = 1; i < client_.options().in_flight && i < stretches; ++i) {
    helpers.push_back(std::async(std::launch::async, work));
  }
  std::exception_ptr failure;
  const auto keep_first = [&failure](const auto& step) {
    try {
      step();
    } catch (...) {
      if (failure == nullptr) failure = std::current_exception();
    }
  };
  keep_first(work);
  for (auto& helper : helpers) keep_first([&helper] { helper.get(); });
  if (failure != nullptr) std::rethrow_exception(failure);
}

}  // namespace curia
