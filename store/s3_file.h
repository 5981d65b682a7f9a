// The file of an object on its way to and from an S3 server: as it is, or encrypted in chunks.
// Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/chunk_cipher.h"
#include "store/object_file.h"
#include "store/s3_upload.h"

namespace curia {

// Takes the bytes of a file and hands them on.
class S3FileWriter {
 public:
  // uri: that an encrypted file is bound to.
  S3FileWriter(S3Upload& upload, const std::optional<StoreKey>& key, const std::string& uri);

  void add(std::span<const std::uint8_t> data);
  void finish();
  std::int64_t written() const { return written_; }  // as stored

 private:
  void hand_on(std::span<const std::uint8_t> data);
  void flush(bool last);

  S3Upload& upload_;
  std::unique_ptr<ChunkCipher> cipher_;  // none: the file goes as it is
  std::vector<std::uint8_t> chunk_;
  std::vector<std::uint8_t> encrypted_;
  std::uint64_t number_ = 0;
  std::int64_t written_ = 0;
};

// Reads parts of a stored file, and what ends it at once.
class S3FileReader {
 public:
  using Sink = S3Client::Sink;

  // Errors: those of S3Client::get(); kCorrupt where it is encrypted otherwise than with `key`.
  S3FileReader(S3Client& client, const std::string& bucket, const std::string& object,
               std::int64_t stored_bytes, const std::optional<StoreKey>& key,
               const std::string& uri);

  bool encrypted() const { return cipher_ != nullptr; }
  std::int64_t size() const { return size_; }  // of the file itself
  void read(std::uint8_t* to, std::int64_t bytes, std::int64_t offset);
  // All of it, in pieces that come in any order and from several threads at once.
  void read_all(const Sink& to);

 private:
  std::vector<std::uint8_t> stored(std::int64_t offset, std::int64_t bytes);
  void load_chunk(std::int64_t number);
  // Chunks from `first` up to `last`, decrypted.
  void read_chunks(std::int64_t first, std::int64_t last, const Sink& to) const;

  S3Client& client_;
  const std::string& bucket_;
  const std::string& object_;
  const std::int64_t stored_bytes_;
  std::int64_t size_ = 0;
  std::vector<std::uint8_t> tail_;       // as stored
  std::unique_ptr<ChunkCipher> cipher_;  // none: the file is stored as it is
  std::function<std::unique_ptr<ChunkCipher>()> make_cipher_;
  std::vector<std::uint8_t> chunk_;  // of number_, decrypted
  std::int64_t number_ = -1;
};

}  // namespace curia
