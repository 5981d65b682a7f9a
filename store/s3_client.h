// Requests to an S3-compatible server: libcurl, with its own signatures (AWS_SIGV4).
//
// Where it goes is said by the worker's configuration alone: no redirect is followed, no proxy and
// no .netrc of the environment is used. A request that fails for reasons that may pass (no answer,
// a cut connection, 5xx) is sent again, with a growing pause; a refusal (4xx) is not. No answer
// takes more memory than its limit.
//
// Invariant: no error message holds a credential or anything a server sent, but for the short name
// of an S3 error. Thread: any (connections are kept for the next request).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/error.h"

namespace curia {

struct S3Credentials {
  std::string id;
  std::string secret;
  std::string token;  // of a session; "": none
};

struct S3Options {
  std::string endpoint;  // "https://host[:port]"; http:// for this machine only
  std::string region = "us-east-1";
  bool virtual_host = false;  // the bucket in the host's name; else in the path
  S3Credentials credentials;
  std::string ca_file;  // that signed the server's certificate; "": those of the system
  std::int64_t part_bytes = std::int64_t{8} << 20;  // of a multipart upload
  int in_flight = 3;                                // parts of one object that move at once
  std::int64_t connect_ms = 5'000;
  std::int64_t silence_seconds = 20;  // without progress, until an attempt is given up
  int attempts = 5;
  std::int64_t pause_ms = 100;  // before the second attempt; doubles with each
  // Passes these milliseconds; none: the thread sleeps.
  std::function<void(std::int64_t)> pause;
};

// Errors: kInvalid, saying what is expected.
void check_s3_endpoint(const std::string& endpoint);

struct S3Object {
  std::string key;
  std::int64_t bytes = 0;
};

struct S3Page {
  std::vector<S3Object> objects;  // in order of keys
  std::string next;               // what the next page is asked for with; "": there is none
};

// What a write expects to find.
enum class S3Write : std::uint8_t { kOver, kNew };

struct S3Answer;
struct S3Request;
class S3Wire;

// Errors of all requests: kNotFound (404: no such object or bucket), kImmutable (412: a condition
// does not hold), kUnimplemented (501), kFailed for other refusals, all of which leave things as
// they were; kTimeout where no answer came in time and kOverloaded for other failures that may
// pass, after which a write may have taken place or not.
class S3Client {
 public:
  // Takes bytes of an object that begin at `offset`.
  using Sink = std::function<void(std::int64_t offset, std::span<const std::uint8_t>)>;

  // Errors: kInvalid.
  explicit S3Client(S3Options options);
  ~S3Client();
  S3Client(const S3Client&) = delete;
  S3Client& operator=(const S3Client&) = delete;

  const S3Options& options() const;

  void put(const std::string& bucket, const std::string& key, std::span<const std::uint8_t> data,
           S3Write write);
  // Exactly these bytes, in order, each once; a cut answer goes on where it ended. total: of the
  // whole object, as the caller knows it. Errors: also kCorrupt where the object has another size
  // or became another one meanwhile.
  void get(const std::string& bucket, const std::string& key, std::int64_t offset,
           std::int64_t bytes, std::int64_t total, const Sink& sink);
  // Bytes of the object; none where there is none.
  std::optional<std::int64_t> head(const std::string& bucket, const std::string& key);
  // Also where there is none.
  void erase(const std::string& bucket, const std::string& key);
  // At most `limit` (1 to 1000) objects. next: of the page before, "" for the first.
  S3Page list(const std::string& bucket, const std::string& prefix, const std::string& next,
              std::int64_t limit = 1000);

  // The steps of a multipart upload; S3Upload does them in order. Parts are numbered from 1.
  std::string begin_upload(const std::string& bucket, const std::string& key);
  std::string put_part(const std::string& bucket, const std::string& key, const std::string& upload,
                       int number, std::span<const std::uint8_t> data);  // returns its tag
  void finish_upload(const std::string& bucket, const std::string& key, const std::string& upload,
                     const std::vector<std::string>& tags, S3Write write);
  // Those that were begun beneath a prefix and not ended: keys and uploads, at most 1000.
  std::vector<std::pair<std::string, std::string>> list_uploads(const std::string& bucket,
                                                                const std::string& prefix);
  void abort_upload(const std::string& bucket, const std::string& key, const std::string& upload);

 private:
  // With all attempts.
  S3Answer perform(const S3Request& request) const;

  const std::unique_ptr<S3Wire> wire_;
};

}  // namespace curia
