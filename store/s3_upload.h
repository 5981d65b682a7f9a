// An object that goes to an S3 server in pieces.
#pragma once

#include <cstdint>
#include <deque>
#include <future>
#include <span>
#include <string>
#include <vector>

#include "store/s3_client.h"

namespace curia {

// One object, in pieces: a single put where it fits one part, else a multipart upload that is given
// up when this goes before finish() was called. Takes the memory of in_flight parts and one more.
// Owned by one thread; parts go up in others, which end before this does.
class S3Upload {
 public:
  // total: bytes that will come.
  S3Upload(S3Client& client, std::string bucket, std::string key, std::int64_t total,
           S3Write write);
  ~S3Upload();
  S3Upload(const S3Upload&) = delete;
  S3Upload& operator=(const S3Upload&) = delete;

  void add(std::span<const std::uint8_t> data);
  // The object is there when this returns.
  void finish();

 private:
  void flush();
  // Until at most so many parts are on their way. Errors: theirs.
  void wait_for(std::size_t most);

  S3Client& client_;
  const std::string bucket_;
  const std::string key_;
  const S3Write write_;
  std::int64_t part_bytes_;
  std::vector<std::uint8_t> part_;
  std::vector<std::string> tags_;  // of the parts that are there, in order
  std::deque<std::future<std::string>> moving_;
  std::string upload_;  // "": there is none at the server
};

}  // namespace curia
