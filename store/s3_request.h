// One attempt at a request to an S3 server. Inside of S3Client.
//
// Thread: any (the connections that are kept have a mutex of their own).
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "store/s3_client.h"

namespace curia {

inline constexpr std::int64_t kMaxS3AnswerBytes = std::int64_t{4} << 20;  // of lists and errors

struct S3Request {
  std::string method;
  std::string what;  // for messages: "put of"
  const std::string& bucket;
  const std::string& key;                                       // "": the bucket itself
  std::vector<std::pair<std::string, std::string>> query = {};  // in order of names
  std::vector<std::string> headers = {};
  std::span<const std::uint8_t> body = {};
  // Of a get; bytes 0: what comes is kept in the answer.
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
  std::int64_t total = 0;
  const S3Client::Sink* sink = nullptr;
};

struct S3Answer {
  long status = 0;
  std::string tag;
  std::string body;          // of at most kMaxS3AnswerBytes
  std::int64_t length = -1;  // as the server said
  std::int64_t range_begin = -1;
  std::int64_t range_total = -1;
  std::int64_t received = 0;  // of a get, over all attempts
  bool begun = false;         // bytes of this attempt came
  std::optional<Error> wrong;
  std::exception_ptr thrown;  // by the sink
  int attempts = 0;
};

class S3Wire {
 public:
  // Errors: kInvalid.
  explicit S3Wire(S3Options options);
  ~S3Wire();
  S3Wire(const S3Wire&) = delete;
  S3Wire& operator=(const S3Wire&) = delete;

  const S3Options& options() const { return options_; }
  // Empty: the answer is there; else why it failed, which may pass. Errors: refusals, as of
  // S3Client.
  std::optional<Error> attempt(const S3Request& request, S3Answer& answer) const;
  // For messages: operation, object and host.
  std::string place_of(const S3Request& request) const;

 private:
  class Handle;
  class Reply;
  struct Pool;

  std::string url_of(const S3Request& request) const;
  void prepare(Handle& handle, const S3Request& request, const S3Answer& answer) const;
  [[noreturn]] void refused(const S3Request& request, const S3Answer& answer) const;

  const S3Options options_;
  const std::unique_ptr<Pool> pool_;
};

}  // namespace curia
