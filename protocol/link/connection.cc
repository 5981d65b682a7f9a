#include "protocol/link/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace curia {
namespace {

constexpr std::int64_t kReadAhead = 64 << 10;
constexpr std::int64_t kWorthOneRead = 4 << 10;  // of a record's rest

}  // namespace

Connection::Connection(Socket open_socket, Sealer sealer, Opener opener,
                       const HelloFrame& peer_hello)
    : socket(std::move(open_socket)),
      reader(socket.fd(), std::move(opener)),
      writer(socket.fd(), std::move(sealer)),
      hello(peer_hello) {
  // Only a recv() that leads reads without MSG_DONTWAIT: one system call instead of two.
  set_blocking(socket, kBlockingWait);
}

void RecordReader::reserve(std::int64_t bytes) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (capacity_ - end_ >= bytes) return;
  const std::int64_t held = end_ - begin_;
  if (capacity_ >= held + bytes) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, static_cast<std::size_t>(held));
  } else {
    const std::int64_t capacity = held + bytes;
    std::unique_ptr<std::uint8_t[]> larger(new std::uint8_t[static_cast<std::size_t>(capacity)]);
    if (held > 0) {
      std::memcpy(larger.get(), buffer_.get() + begin_, static_cast<std::size_t>(held));
    }
    buffer_ = std::move(larger);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = held;
}

std::int64_t RecordReader::missing() {
  const std::int64_t held = end_ - begin_;
  if (held < kRecordHeader) return kRecordHeader - held;
  return kRecordOverhead + opener_.payload_size(buffer_.get() + begin_) - held;
}

RecordReader::Fill RecordReader::fill(bool wait) {
  // A large record is read to its end and no further, so that what follows need not be moved.
  std::int64_t want = end_ == begin_ ? std::max(last_size_, kReadAhead) : missing();
  if (want < kWorthOneRead) want = kReadAhead;
  reserve(want);
  eager_ = false;
  while (true) {
    const ssize_t got =
        ::recv(fd_, buffer_.get() + end_, static_cast<std::size_t>(want), wait ? 0 : MSG_DONTWAIT);
    if (got > 0) {
      end_ += got;
      bytes_.fetch_add(static_cast<std::uint64_t>(got), std::memory_order_relaxed);
      eager_ = got == want;
      return Fill::kSome;
    }
    if (got == 0) return Fill::kClosed;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? Fill::kDrained : Fill::kClosed;
  }
}

void RecordReader::feed(std::span<const std::uint8_t> bytes) {
  reserve(static_cast<std::int64_t>(bytes.size()));
  if (!bytes.empty()) std::memcpy(buffer_.get() + end_, bytes.data(), bytes.size());
  end_ += static_cast<std::int64_t>(bytes.size());
}

std::optional<std::int64_t> RecordReader::next() {
  if (end_ - begin_ < kRecordHeader || missing() > 0) return std::nullopt;
  return opener_.payload_size(buffer_.get() + begin_);
}

void RecordReader::begin() {
  opener_.begin(buffer_.get() + begin_);
  at_ = begin_ + kRecordHeader;
}

void RecordReader::decrypt(std::uint8_t* to, std::int64_t bytes) {
  opener_.decrypt(buffer_.get() + at_, to, bytes);
  at_ += bytes;
}

void RecordReader::finish() {
  opener_.finish(buffer_.get() + at_);
  last_size_ = at_ + kRecordTag - begin_;
  begin_ = at_ + kRecordTag;
}

void RecordWriter::seal(std::span<const std::span<const std::uint8_t>> parts,
                        std::int64_t payload) {
  const std::int64_t size = payload + kRecordOverhead;
  if (begin_ == end_) begin_ = end_ = 0;
  if (capacity_ - end_ < size) {
    const std::int64_t held = end_ - begin_;
    const std::int64_t capacity = held + size + Connection::kStaging + kRecordOverhead;
    std::unique_ptr<std::uint8_t[]> larger(new std::uint8_t[static_cast<std::size_t>(capacity)]);
    if (held > 0) {
      std::memcpy(larger.get(), buffer_.get() + begin_, static_cast<std::size_t>(held));
    }
    buffer_ = std::move(larger);
    capacity_ = capacity;
    begin_ = 0;
    end_ = held;
  }
  sealer_.seal(parts, buffer_.get() + end_);
  end_ += size;
}

RecordWriter::Flush RecordWriter::flush() {
  while (begin_ < end_) {
    const ssize_t put = ::send(fd_, buffer_.get() + begin_, static_cast<std::size_t>(end_ - begin_),
                               MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put >= 0) {
      begin_ += put;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Flush::kBlocked;
    } else if (errno != EINTR) {
      return Flush::kClosed;
    }
  }
  return Flush::kDone;
}

}  // namespace curia
