#include "store/s3_request.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <utility>

#include "protocol/digest.h"
#include "store/s3_text.h"

namespace curia {
namespace {

constexpr std::size_t kMaxTagBytes = 256;
constexpr std::size_t kMostIdle = 8;  // connections that are kept
constexpr long kLeastBytesASecond = 64;

bool is_name_of_host(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  });
}

// Without the port.
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

bool is_success(long status) { return status >= 200 && status < 300; }

}  // namespace

void check_s3_endpoint(const std::string& endpoint) {
  const bool sealed = endpoint.starts_with("https://");
  const bool open = endpoint.starts_with("http://");
  const std::string_view authority =
      std::string_view(endpoint).substr(sealed ? 8 : std::min<std::size_t>(7, endpoint.size()));
  if ((!sealed && !open) || !is_name_of_host(authority)) {
    throw Error(Code::kInvalid,
                "expected \"https://host\" or \"https://host:port\", without a path or user");
  }
  const std::string_view host = host_of(authority);
  if (open && host != "127.0.0.1" && host != "localhost" && host != "[::1]") {
    throw Error(Code::kInvalid,
                "http:// lets everybody on the way read what is stored; expected https://, or a "
                "server on this machine");
  }
}

struct S3Wire::Pool {
  std::mutex mutex;
  std::vector<CURL*> idle;
  ~Pool() {
    for (CURL* handle : idle) curl_easy_cleanup(handle);
  }
};

// A connection for one request.
class S3Wire::Handle {
 public:
  explicit Handle(Pool& pool) : pool_(pool) {
    {
      const std::lock_guard lock(pool_.mutex);
      if (!pool_.idle.empty()) {
        curl_ = pool_.idle.back();
        pool_.idle.pop_back();
      }
    }
    if (curl_ == nullptr) curl_ = curl_easy_init();
    if (curl_ == nullptr) throw Error(Code::kOverloaded, "no memory for a connection");
  }
  ~Handle() {
    curl_slist_free_all(headers_);
    curl_easy_reset(curl_);
    const std::lock_guard lock(pool_.mutex);
    if (pool_.idle.size() < kMostIdle) {
      pool_.idle.push_back(curl_);
    } else {
      curl_easy_cleanup(curl_);
    }
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  CURL* get() const { return curl_; }
  template <class Value>
  void set(CURLoption option, Value value) {
    if (curl_easy_setopt(curl_, option, value) != CURLE_OK) {
      throw Error(Code::kFailed, "libcurl refused an option; it was built without what S3 takes");
    }
  }
  void header(const std::string& line) {
    curl_slist* more = curl_slist_append(headers_, line.c_str());
    if (more == nullptr) throw Error(Code::kOverloaded, "no memory for a request");
    headers_ = more;
  }
  void use_headers() { set(CURLOPT_HTTPHEADER, headers_); }

 private:
  Pool& pool_;
  CURL* curl_ = nullptr;
  curl_slist* headers_ = nullptr;
};

S3Wire::S3Wire(S3Options options) : options_(std::move(options)), pool_(std::make_unique<Pool>()) {
  check_s3_endpoint(options_.endpoint);
  expect(options_.attempts >= 1 && options_.part_bytes >= 1 && options_.in_flight >= 1,
         "at least one attempt and one byte");
  const Handle first(*pool_);  // starts libcurl, before there are other threads
}

S3Wire::~S3Wire() = default;

std::string S3Wire::url_of(const S3Request& request) const {
  std::string url = options_.endpoint;
  if (options_.virtual_host) {
    url.insert(url.find("://") + 3, request.bucket + ".");
  } else {
    url += "/" + request.bucket;
  }
  if (!request.key.empty() || options_.virtual_host) url += "/" + s3_encoded(request.key, false);
  char mark = '?';
  for (const auto& [name, value] : request.query) {
    url += mark + s3_encoded(name, true) + "=" + s3_encoded(value, true);
    mark = '&';
  }
  return url;
}

std::string S3Wire::place_of(const S3Request& request) const {
  return "S3 " + request.what + " oss://" + request.bucket +
         (request.key.empty() ? "" : "/" + request.key) + " at " + options_.endpoint;
}

void S3Wire::refused(const S3Request& request, const S3Answer& answer) const {
  const std::string name = s3_error_name(answer.body);
  const std::string status = std::to_string(answer.status) + (name.empty() ? "" : " " + name);
  const std::string place = place_of(request) + ": ";
  switch (answer.status) {
    case 401:
    case 403:
      throw Error(Code::kFailed, place + "the server refuses the worker's credentials (" + status +
                                     "); the worker's owner checks the credentials of oss and what "
                                     "the server lets them do");
    case 404:
      throw Error(Code::kNotFound, place + "there is none (" + status + ")");
    case 412:
      throw Error(Code::kImmutable, place + "another object is there (" + status + ")");
    case 416:
      throw Error(Code::kCorrupt, place + "the object is shorter than when it was written");
    case 501:
      throw Error(Code::kUnimplemented, place + "the server does not offer this (" + status + ")");
    default:
      break;
  }
  if (answer.status >= 300 && answer.status < 400) {
    throw Error(Code::kFailed, place + "the server redirects (" + status +
                                   "), which is not followed; the worker's owner sets endpoint and "
                                   "region of oss to where the bucket is");
  }
  throw Error(Code::kFailed, place + "the server refuses the request (" + status + ")");
}

void S3Wire::prepare(Handle& handle, const S3Request& request, const S3Answer& answer) const {
  const std::string url = url_of(request);
  handle.set(CURLOPT_URL, url.c_str());
  handle.set(CURLOPT_PROTOCOLS_STR, "http,https");
  handle.set(CURLOPT_FOLLOWLOCATION, 0L);
  handle.set(CURLOPT_PROXY, "");
  handle.set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  handle.set(CURLOPT_NOSIGNAL, 1L);
  handle.set(CURLOPT_PATH_AS_IS, 1L);
  handle.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  handle.set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_ms));
  handle.set(CURLOPT_LOW_SPEED_LIMIT, kLeastBytesASecond);
  handle.set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.silence_seconds));
  handle.set(CURLOPT_BUFFERSIZE, 256L << 10);
  handle.set(CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
  if (!options_.ca_file.empty()) handle.set(CURLOPT_CAINFO, options_.ca_file.c_str());
  const std::string signer = "aws:amz:" + options_.region + ":s3";
  if (!options_.credentials.id.empty()) {
    handle.set(CURLOPT_AWS_SIGV4, signer.c_str());
    handle.set(CURLOPT_USERNAME, options_.credentials.id.c_str());
    handle.set(CURLOPT_PASSWORD, options_.credentials.secret.c_str());
  }
  handle.header("x-amz-content-sha256: " + sha256(request.body).hex());
  if (!options_.credentials.token.empty()) {
    handle.header("x-amz-security-token: " + options_.credentials.token);
  }
  for (const std::string& header : request.headers) handle.header(header);
  if (request.method == "HEAD") {
    handle.set(CURLOPT_NOBODY, 1L);
  } else if (request.method == "GET") {
    handle.set(CURLOPT_HTTPGET, 1L);
  } else {
    if (request.method == "PUT" || request.method == "POST") {
      handle.set(CURLOPT_POST, 1L);
      handle.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      handle.set(CURLOPT_POSTFIELDS,
                 request.body.empty() ? "" : reinterpret_cast<const char*>(request.body.data()));
      handle.header("Content-Type: application/octet-stream");
      // A server that refuses a large body does so before it comes. That header cannot be left out:
      // libcurl 7.88 would sign an empty one that it does not send.
      handle.set(CURLOPT_EXPECT_100_TIMEOUT_MS, 200L);
    }
    handle.set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  if (request.sink != nullptr) {
    handle.header("Range: bytes=" + std::to_string(request.offset + answer.received) + "-" +
                  std::to_string(request.offset + request.bytes - 1));
    if (!answer.tag.empty()) handle.header("If-Match: " + answer.tag);
  }
  handle.use_headers();
}

// What the server sends, as it comes.
class S3Wire::Reply {
 public:
  Reply(CURL* curl, const S3Request& request, S3Answer& answer, const std::string& place)
      : curl_(curl), request_(request), answer_(answer), place_(place) {}

  std::size_t header(std::string_view line) {
    const auto colon = line.find(':');
    if (line.starts_with("HTTP/")) tag_.clear();
    if (colon == std::string_view::npos) return line.size();
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    while (!value.empty() && (value.back() == '\r' || value.back() == '\n' || value.back() == ' '))
      value.remove_suffix(1);
    const char* end = value.data() + value.size();
    if (name == "etag" && value.size() <= kMaxTagBytes) tag_ = value;
    if (name == "content-length") std::from_chars(value.data(), end, answer_.length);
    if (name == "content-range" && value.starts_with("bytes ")) {
      std::from_chars(value.data() + 6, end, answer_.range_begin);
      const auto slash = value.find('/');
      if (slash != std::string_view::npos) {
        std::from_chars(value.data() + slash + 1, end, answer_.range_total);
      }
    }
    return line.size();
  }

  // Whether this is the answer to what was asked for.
  bool begin() {
    if (answer_.begun) return true;
    answer_.begun = true;
    if (request_.sink == nullptr || !is_success(answer_.status)) return true;
    if (answer_.status != 206 || answer_.range_begin != request_.offset + answer_.received) {
      answer_.wrong = Error(Code::kFailed, place_ +
                                               "asked for a part of the object, the server "
                                               "answers with another one");
    } else if (answer_.range_total != request_.total) {
      answer_.wrong =
          Error(Code::kCorrupt, place_ + "expected an object of " + std::to_string(request_.total) +
                                    " bytes, found " + std::to_string(answer_.range_total));
    } else if (!answer_.tag.empty() && tag_ != answer_.tag) {
      answer_.wrong = Error(Code::kCorrupt, place_ + "the object was replaced while it was read");
    }
    answer_.tag = tag_;
    return !answer_.wrong;
  }

  std::size_t data(const char* bytes, std::size_t size) {
    if (answer_.status == 0) curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &answer_.status);
    if (!begin()) return 0;
    const auto count = static_cast<std::int64_t>(size);
    if (request_.sink == nullptr || !is_success(answer_.status)) {
      if (std::ssize(answer_.body) + count > kMaxS3AnswerBytes) {
        answer_.wrong = Error(Code::kFailed, place_ + "the server's answer has more than " +
                                                 std::to_string(kMaxS3AnswerBytes >> 20) + " MiB");
        return 0;
      }
      answer_.body.append(bytes, size);
      return size;
    }
    if (answer_.received + count > request_.bytes) {
      answer_.wrong = Error(Code::kFailed, place_ + "the server sends more than it was asked for");
      return 0;
    }
    try {
      (*request_.sink)(request_.offset + answer_.received,
                       {reinterpret_cast<const std::uint8_t*>(bytes), size});
    } catch (...) {
      answer_.thrown = std::current_exception();
      return 0;
    }
    answer_.received += count;
    return size;
  }

  const std::string& tag() const { return tag_; }

 private:
  CURL* const curl_;
  const S3Request& request_;
  S3Answer& answer_;
  const std::string& place_;
  std::string tag_;
};

std::optional<Error> S3Wire::attempt(const S3Request& request, S3Answer& answer) const {
  Handle handle(*pool_);
  CURL* curl = handle.get();
  const std::string place = place_of(request) + ": ";
  answer.status = 0;
  answer.body.clear();
  answer.length = answer.range_begin = answer.range_total = -1;
  answer.begun = false;
  answer.wrong.reset();

  prepare(handle, request, answer);
  Reply reply(curl, request, answer, place);
  handle.set(
      CURLOPT_HEADERFUNCTION, +[](char* line, std::size_t one, std::size_t size, void* to) {
        return static_cast<Reply*>(to)->header({line, one * size});
      });
  handle.set(CURLOPT_HEADERDATA, static_cast<void*>(&reply));
  handle.set(
      CURLOPT_WRITEFUNCTION, +[](char* bytes, std::size_t one, std::size_t size, void* to) {
        return static_cast<Reply*>(to)->data(bytes, one * size);
      });
  handle.set(CURLOPT_WRITEDATA, static_cast<void*>(&reply));

  const CURLcode result = curl_easy_perform(curl);
  if (answer.thrown) std::rethrow_exception(answer.thrown);
  if (answer.wrong) throw Error(*answer.wrong);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  if (request.sink == nullptr) answer.tag = reply.tag();
  const std::string again = "; check that the server runs and can be reached, then try again";
  if (result == CURLE_OPERATION_TIMEDOUT) {
    return Error(Code::kTimeout, place + "no connection, or no progress for " +
                                     std::to_string(options_.silence_seconds) + " s" + again);
  }
  if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE) {
    throw Error(Code::kFailed, place +
                                   "the server's certificate cannot be trusted; the worker's "
                                   "owner sets ca_file of oss to who signed it");
  }
  if (result != CURLE_OK) {
    return Error(Code::kOverloaded, place + curl_easy_strerror(result) + again);
  }
  if (answer.status >= 500 && answer.status != 501) {
    const std::string name = s3_error_name(answer.body);
    return Error(Code::kOverloaded, place + "the server fails (" + std::to_string(answer.status) +
                                        (name.empty() ? "" : " " + name) + ")" + again);
  }
  if (!is_success(answer.status)) refused(request, answer);
  if (request.sink != nullptr && answer.received != request.bytes) {
    return Error(Code::kOverloaded, place + "the answer ended early" + again);
  }
  return std::nullopt;
}

}  // namespace curia
