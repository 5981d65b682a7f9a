// One TCP connection of the data plane whose keys are proven: records in, records out.
//
// Two roles exist for each connection, held by one thread at a time: the read role (reader) and the
// write role (writer). The holder works without the peer's mutex; taking and giving back a role
// happens under it. Everything else here is guarded by the peer's mutex.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "protocol/link/frames.h"
#include "protocol/link/pace.h"
#include "protocol/link/record.h"
#include "protocol/link/socket.h"

namespace curia {

// How long a read may wait in the kernel, where nothing but bytes or the connection's end wakes it.
inline constexpr std::chrono::milliseconds kBlockingWait{8};

// Frames that may wait to be sent before everything else. A peer that causes more and does not read
// them is cut off; an honest one never does.
inline constexpr std::int64_t kMaxQueuedFrames = 4096;

// Cuts the byte stream of a socket into records. Thread: the read role.
class RecordReader {
 public:
  RecordReader(int fd, Opener opener) : fd_(fd), opener_(std::move(opener)) {}

  enum class Fill { kSome, kDrained, kClosed };
  // One read. When `wait` is set and there is nothing, for up to kBlockingWait.
  Fill fill(bool wait);
  void feed(std::span<const std::uint8_t> bytes);  // bytes that were read before this object was
  // The last read brought all it asked for, so the next one is likely to bring more.
  bool eager() const { return eager_; }
  // Bytes read so far. Thread: any.
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // Payload bytes of the next record, nullopt until all of it is here. Errors: kCorrupt.
  std::optional<std::int64_t> next();
  // In order, for the record that next() found. Errors: kCorrupt.
  void begin();
  void decrypt(std::uint8_t* to, std::int64_t bytes);
  void finish();

 private:
  std::int64_t missing();  // bytes of the next record that are not here
  void reserve(std::int64_t bytes);

  const int fd_;
  Opener opener_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::int64_t capacity_ = 0;
  std::int64_t begin_ = 0;  // of what was read and not yet opened
  std::int64_t end_ = 0;
  std::int64_t at_ = 0;  // while a record is being opened
  std::int64_t last_size_ = 0;
  bool eager_ = false;
  std::atomic<std::uint64_t> bytes_{0};
};

// Seals records into one buffer and writes it to the socket. Thread: the write role.
class RecordWriter {
 public:
  RecordWriter(int fd, Sealer sealer) : fd_(fd), sealer_(std::move(sealer)) {}

  // Appends a record. REQUIRES: the last flush() returned kDone, or it is the second one since.
  void seal(std::span<const std::span<const std::uint8_t>> parts, std::int64_t payload);

  enum class Flush { kDone, kBlocked, kClosed };
  Flush flush();
  bool empty() const { return begin_ == end_; }

 private:
  const int fd_;
  Sealer sealer_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::int64_t capacity_ = 0;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
};

struct LaneState;

struct Connection {
  Connection(Socket open_socket, Sealer sealer, Opener opener, const HelloFrame& peer_hello);

  static constexpr std::int64_t kStaging = 64 << 10;

  const Socket socket;
  RecordReader reader;
  RecordWriter writer;
  const HelloFrame hello;

  // Scratch of the role holders.
  std::unique_ptr<std::uint8_t[]> opened;  // read role: plaintext of records with several frames
  std::int64_t opened_size = 0;
  std::unique_ptr<std::uint8_t[]> staging{new std::uint8_t[kStaging]};  // write role: small records
  std::vector<Slice> bulk;                                              // write role
  std::vector<std::span<const std::uint8_t>> parts;                     // write role

  bool reading = false;
  bool writing = false;
  bool dead = false;           // to be dropped as soon as both roles are free
  bool ready = false;          // the peer has named its lanes: sending may begin
  bool armed = false;          // the I/O thread is told of bytes to read
  bool unsent = false;         // the writer holds sealed bytes that the kernel did not take
  bool want_write = false;     // the kernel's buffer is full: the I/O thread is told when it is not
  std::uint32_t interest = 0;  // what epoll was last told

  std::deque<std::vector<std::uint8_t>> control;  // whole frames that go before everything else
  std::deque<std::shared_ptr<LaneState>> ring;    // lanes that may have bytes to send, in turn
  std::vector<std::shared_ptr<LaneState>> acks;   // lanes whose progress was not reported
  bool acks_ride = false;                         // they are worth a place in the next record
  bool acks_due = false;                          // they cannot wait for a record to ride on
  Pace pace;
  std::uint64_t arrived = 0;           // record bytes that came
  std::uint64_t arrived_reported = 0;  // of which the peer was told
  bool flow_due = false;

  std::optional<SteadyTime> acks_since;  // when the I/O thread first saw `acks`
  SteadyTime flow_at{};                  // when the last kFlow was sent
  std::uint64_t recvs = 0;               // calls of recv(), as a sign that somebody reads
  std::uint64_t recvs_seen = 0;
  SteadyTime looked_at{};   // when recvs_seen was taken
  SteadyTime lead_since{};  // when a recv() took it
  SteadyTime written_at{};
  SteadyTime checked_at{};  // of the watch for silence
  std::chrono::nanoseconds silent{0};
  std::chrono::nanoseconds stalled{0};
  std::uint64_t bytes_checked = 0;
  std::uint64_t arrived_checked = 0;
};

}  // namespace curia
