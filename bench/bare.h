// What the data link is measured against: bare blocking TCP sockets between two processes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "protocol/value.h"

namespace curia::bench {

class Clock {
 public:
  Clock();
  double seconds() const;

 private:
  double start_;
};

// User and system seconds of this process and of the children that were waited for.
double cpu_seconds();

// Two connected ends for values of fixed size; one end for each side of a fork.
class Pipe {
 public:
  class End {
   public:
    explicit End(int fd) : fd_(fd) {}
    template <class T>
    void put(const T& value) const {
      write_all(&value, sizeof(value));
    }
    template <class T>
    T get() const {
      T value;
      read_all(&value, sizeof(value));
      return value;
    }

   private:
    void write_all(const void* data, std::size_t bytes) const;
    void read_all(void* data, std::size_t bytes) const;
    int fd_;
  };

  Pipe();
  ~Pipe();
  End parent() const { return End(fds_[0]); }
  End child() const { return End(fds_[1]); }

 private:
  int fds_[2];
};

// A connected pair of blocking TCP sockets over loopback, TCP_NODELAY.
struct TcpPair {
  TcpPair();
  ~TcpPair();
  int a = -1;
  int b = -1;
};

void read_exactly(int fd, void* data, std::int64_t bytes);
void write_exactly(int fd, const void* data, std::int64_t bytes);

BufferPtr filled(std::int64_t bytes);  // touched and not constant

// Touches a buffer of this size and gives it back. The host of a virtual machine takes away what
// the machine leaves free for a while, and handing it out again costs seconds per GiB (measured:
// 0.12 to 3): that must not fall into what is measured, on either side.
void warm_free_memory(std::int64_t bytes);

// Seconds a round.
double bare_ping(std::int64_t bytes, int rounds);

struct Transfer {
  double seconds = 0;
  double cpu = 0;  // seconds of both ends together
};

// Runs `receive` in a child and `send` here, over one TCP connection, until the child has said that
// it is done.
Transfer measure(const std::function<void(int fd)>& send,
                 const std::function<void(int fd)>& receive);

// One way, from memory to memory, until the receiver has said that it has everything.
Transfer bare_transfer(std::int64_t bytes, std::int64_t record);
// Each record sealed by AES-256-GCM: one pass from source to record, one from record to
// destination.
Transfer bare_sealed_transfer(std::int64_t bytes, std::int64_t record);

}  // namespace curia::bench
