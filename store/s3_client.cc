#include "store/s3_client.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "protocol/digest.h"
#include "store/s3_request.h"
#include "store/s3_text.h"

namespace curia {
namespace {

constexpr std::int64_t kMaxPauseMs = 5'000;

}  // namespace

S3Client::S3Client(S3Options options) : wire_(std::make_unique<S3Wire>(std::move(options))) {}

S3Client::~S3Client() = default;

const S3Options& S3Client::options() const { return wire_->options(); }

S3Answer S3Client::perform(const S3Request& request) const {
  S3Answer answer;
  const S3Options& options = wire_->options();
  std::int64_t pause = options.pause_ms;
  for (;;) {
    ++answer.attempts;
    const auto failure = wire_->attempt(request, answer);
    if (!failure) return answer;
    if (answer.attempts >= options.attempts) {
      throw Error(failure->code(),
                  failure->message() + " (" + std::to_string(answer.attempts) + " attempts)");
    }
    if (options.pause) {
      options.pause(pause);
    } else {
      // Not all who wait for a server come back at the same moment.
      std::uint8_t dice = 0;
      random_bytes({&dice, 1});
      std::this_thread::sleep_for(std::chrono::milliseconds(pause + pause * dice / 256));
    }
    pause = std::min(kMaxPauseMs, pause * 2);
  }
}

void S3Client::put(const std::string& bucket, const std::string& key,
                   std::span<const std::uint8_t> data, S3Write write) {
  S3Request request{"PUT", "put of", bucket, key};
  request.body = data;
  if (write == S3Write::kNew) request.headers.emplace_back("If-None-Match: *");
  perform(request);
}

void S3Client::get(const std::string& bucket, const std::string& key, std::int64_t offset,
                   std::int64_t bytes, std::int64_t total, const Sink& sink) {
  if (bytes == 0) return;
  S3Request request{"GET", "get of", bucket, key};
  request.offset = offset;
  request.bytes = bytes;
  request.total = total;
  request.sink = &sink;
  try {
    perform(request);
  } catch (const Error& error) {
    // Another object than the one that the first bytes were of.
    if (error.code() != Code::kImmutable) throw;
    throw Error(Code::kCorrupt, error.message());
  }
}

std::optional<std::int64_t> S3Client::head(const std::string& bucket, const std::string& key) {
  try {
    const S3Answer answer = perform({"HEAD", "look at", bucket, key});
    return std::max<std::int64_t>(0, answer.length);
  } catch (const Error& error) {
    if (error.code() == Code::kNotFound) return std::nullopt;
    throw;
  }
}

void S3Client::erase(const std::string& bucket, const std::string& key) {
  try {
    perform({"DELETE", "removal of", bucket, key});
  } catch (const Error& error) {
    if (error.code() != Code::kNotFound) throw;
  }
}

S3Page S3Client::list(const std::string& bucket, const std::string& prefix, const std::string& next,
                      std::int64_t limit) {
  const std::string whole;
  S3Request request{"GET", "list of", bucket, whole};
  if (!next.empty()) request.query.emplace_back("continuation-token", next);
  request.query.emplace_back("list-type", "2");
  request.query.emplace_back("max-keys", std::to_string(limit));
  if (!prefix.empty()) request.query.emplace_back("prefix", prefix);
  const std::string place = wire_->place_of(request);
  try {
    return parse_s3_page(perform(request).body);
  } catch (const Error& error) {
    if (error.message().starts_with("S3 ")) throw;
    throw Error(error.code(), place + ": " + error.message());
  }
}

std::string S3Client::begin_upload(const std::string& bucket, const std::string& key) {
  S3Request request{"POST", "upload of", bucket, key};
  request.query = {{"uploads", ""}};
  const std::string place = wire_->place_of(request);
  std::string upload = xml_text(perform(request).body, "UploadId");
  if (upload.empty()) throw Error(Code::kFailed, place + ": the server names no upload");
  return upload;
}

std::string S3Client::put_part(const std::string& bucket, const std::string& key,
                               const std::string& upload, int number,
                               std::span<const std::uint8_t> data) {
  S3Request request{"PUT", "upload of a part of", bucket, key};
  request.query = {{"partNumber", std::to_string(number)}, {"uploadId", upload}};
  request.body = data;
  const std::string place = wire_->place_of(request);
  std::string tag = perform(request).tag;
  if (tag.empty()) throw Error(Code::kFailed, place + ": the server gives no tag");
  return tag;
}

void S3Client::finish_upload(const std::string& bucket, const std::string& key,
                             const std::string& upload, const std::vector<std::string>& tags,
                             S3Write write) {
  const std::string body = s3_parts_xml(tags);
  S3Request request{"POST", "end of the upload of", bucket, key};
  request.query = {{"uploadId", upload}};
  request.body = {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()};
  if (write == S3Write::kNew) request.headers.emplace_back("If-None-Match: *");
  const std::string place = wire_->place_of(request);
  const S3Answer answer = perform(request);
  // The server may find out after it has said 200.
  if (xml_text(answer.body, "ETag").empty()) {
    throw Error(Code::kOverloaded,
                place + ": the server fails (200 " + s3_error_name(answer.body) + "); try again");
  }
}

std::vector<std::pair<std::string, std::string>> S3Client::list_uploads(const std::string& bucket,
                                                                        const std::string& prefix) {
  const std::string whole;
  S3Request request{"GET", "list of uploads to", bucket, whole};
  if (!prefix.empty()) request.query.emplace_back("prefix", prefix);
  request.query.emplace_back("uploads", "");
  return parse_s3_uploads(perform(request).body, prefix);
}

void S3Client::abort_upload(const std::string& bucket, const std::string& key,
                            const std::string& upload) {
  S3Request request{"DELETE", "end of the upload of", bucket, key};
  request.query = {{"uploadId", upload}};
  perform(request);
}

}  // namespace curia
