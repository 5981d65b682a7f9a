#include "store/s3_upload.h"

#include <algorithm>
#include <utility>

namespace curia {
namespace {

constexpr int kMostParts = 9'000;  // the protocol has 10,000

}  // namespace

S3Upload::S3Upload(S3Client& client, std::string bucket, std::string key, std::int64_t total,
                   S3Write write)
    : client_(client),
      bucket_(std::move(bucket)),
      key_(std::move(key)),
      write_(write),
      part_bytes_(std::max(client.options().part_bytes, total / kMostParts + 1)) {
  part_.reserve(static_cast<std::size_t>(std::min(total, part_bytes_)));
}

S3Upload::~S3Upload() {
  for (const auto& part : moving_) part.wait();
  if (upload_.empty()) return;
  try {
    client_.abort_upload(bucket_, key_, upload_);
  } catch (const Error&) {
    // Its parts stay until the next start, or the bucket's own rule for unfinished uploads.
  }
}

void S3Upload::wait_for(std::size_t most) {
  while (moving_.size() > most) {
    std::future<std::string> first = std::move(moving_.front());
    moving_.pop_front();
    tags_.push_back(first.get());
  }
}

void S3Upload::flush() {
  if (upload_.empty()) upload_ = client_.begin_upload(bucket_, key_);
  wait_for(static_cast<std::size_t>(client_.options().in_flight) - 1);
  const int number = static_cast<int>(tags_.size() + moving_.size()) + 1;
  std::vector<std::uint8_t> next;
  next.reserve(part_.size());
  moving_.push_back(
      std::async(std::launch::async, [this, number, part = std::exchange(part_, std::move(next))] {
        return client_.put_part(bucket_, key_, upload_, number, part);
      }));
}

void S3Upload::add(std::span<const std::uint8_t> data) {
  while (!data.empty()) {
    // A full part goes only when more comes: so what fits one is put at once.
    if (std::ssize(part_) == part_bytes_) flush();
    const std::size_t room = static_cast<std::size_t>(part_bytes_) - part_.size();
    const std::size_t size = std::min(room, data.size());
    part_.insert(part_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size));
    data = data.subspan(size);
  }
}

void S3Upload::finish() {
  if (upload_.empty()) return client_.put(bucket_, key_, part_, write_);
  flush();
  wait_for(0);
  client_.finish_upload(bucket_, key_, upload_, tags_, write_);
  upload_.clear();
}

}  // namespace curia
