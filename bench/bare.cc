#include "bench/bare.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

namespace curia::bench {
namespace {

void check(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

constexpr std::int64_t kTag = 16;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The plainest use of AES-256-GCM there is: a fixed key, a counter as nonce, no associated data.
class Gcm {
 public:
  explicit Gcm(bool encrypt) : context_(EVP_CIPHER_CTX_new()), encrypt_(encrypt) {
    const std::uint8_t key[32] = {1, 2, 3};
    check(EVP_CipherInit_ex(context_, EVP_aes_256_gcm(), nullptr, key, nullptr, encrypt) == 1,
          "AES-256-GCM");
  }
  ~Gcm() { EVP_CIPHER_CTX_free(context_); }
  Gcm(const Gcm&) = delete;
  Gcm& operator=(const Gcm&) = delete;

  void run(const std::uint8_t* in, std::uint8_t* out, std::int64_t bytes, std::uint8_t* tag) {
    std::uint8_t nonce[12] = {};
    std::memcpy(nonce, &counter_, sizeof(counter_));
    counter_++;
    int done = 0;
    bool ok = EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, nonce, -1) == 1 &&
              EVP_CipherUpdate(context_, out, &done, in, static_cast<int>(bytes)) == 1;
    if (!encrypt_) ok = ok && EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, kTag, tag) == 1;
    ok = ok && EVP_CipherFinal_ex(context_, out, &done) == 1;
    if (encrypt_) ok = ok && EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, kTag, tag) == 1;
    check(ok, "a sealed record");
  }

 private:
  EVP_CIPHER_CTX* context_;
  const bool encrypt_;
  std::uint64_t counter_ = 0;
};

}  // namespace

Clock::Clock() : start_(now()) {}
double Clock::seconds() const { return now() - start_; }

double cpu_seconds() {
  double total = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    for (const timeval& part : {usage.ru_utime, usage.ru_stime}) {
      total += static_cast<double>(part.tv_sec) + static_cast<double>(part.tv_usec) * 1e-6;
    }
  }
  return total;
}

Transfer measure(const std::function<void(int)>& send, const std::function<void(int)>& receive) {
  const TcpPair tcp;
  const double cpu = cpu_seconds();
  const pid_t pid = fork();
  check(pid >= 0, "fork");
  if (pid == 0) {
    receive(tcp.b);
    write_exactly(tcp.b, "x", 1);
    _exit(0);
  }
  const Clock clock;
  send(tcp.a);
  char done;
  read_exactly(tcp.a, &done, 1);
  Transfer result{clock.seconds(), 0};
  waitpid(pid, nullptr, 0);
  result.cpu = cpu_seconds() - cpu;
  return result;
}

void read_exactly(int fd, void* data, std::int64_t bytes) {
  auto* to = static_cast<std::uint8_t*>(data);
  while (bytes > 0) {
    const ssize_t got = ::recv(fd, to, static_cast<std::size_t>(bytes), MSG_WAITALL);
    check(got > 0, "recv");
    to += got;
    bytes -= got;
  }
}

void write_exactly(int fd, const void* data, std::int64_t bytes) {
  const auto* from = static_cast<const std::uint8_t*>(data);
  while (bytes > 0) {
    const ssize_t put = ::send(fd, from, static_cast<std::size_t>(bytes), MSG_NOSIGNAL);
    check(put > 0, "send");
    from += put;
    bytes -= put;
  }
}

void Pipe::End::write_all(const void* data, std::size_t bytes) const {
  write_exactly(fd_, data, static_cast<std::int64_t>(bytes));
}
void Pipe::End::read_all(void* data, std::size_t bytes) const {
  read_exactly(fd_, data, static_cast<std::int64_t>(bytes));
}

Pipe::Pipe() { check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds_) == 0, "socketpair"); }
Pipe::~Pipe() {
  ::close(fds_[0]);
  ::close(fds_[1]);
}

TcpPair::TcpPair() {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  check(bind(listener, generic, size) == 0 && listen(listener, 1) == 0 &&
            getsockname(listener, generic, &size) == 0,
        "listen");
  a = ::socket(AF_INET, SOCK_STREAM, 0);
  check(connect(a, generic, size) == 0, "connect");
  b = accept(listener, nullptr, nullptr);
  check(b >= 0, "accept");
  ::close(listener);
  const int on = 1;
  setsockopt(a, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(b, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

TcpPair::~TcpPair() {
  ::close(a);
  ::close(b);
}

BufferPtr filled(std::int64_t bytes) {
  auto buffer = Buffer::allocate(bytes);
  for (std::int64_t i = 0; i + 8 <= bytes; i += 8) {
    const std::uint64_t word = static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15u;
    std::memcpy(buffer->data() + i, &word, 8);
  }
  return buffer;
}

void warm_free_memory(std::int64_t bytes) {
  constexpr std::int64_t kPage = 4096;
  const auto buffer = Buffer::allocate(bytes);
  auto* at = static_cast<volatile std::uint8_t*>(buffer->data());
  for (std::int64_t i = 0; i < bytes; i += kPage) at[i] = 1;
}

double bare_ping(std::int64_t bytes, int rounds) {
  const int warm_up = 1000;
  std::vector<std::uint8_t> ball(static_cast<std::size_t>(bytes), 1);
  double seconds = 0;
  measure(
      [&](int fd) {
        Clock clock;
        for (int i = 0; i < rounds + warm_up; ++i) {
          if (i == warm_up) clock = Clock();
          write_exactly(fd, ball.data(), bytes);
          read_exactly(fd, ball.data(), bytes);
        }
        seconds = clock.seconds();
      },
      [&](int fd) {
        for (int i = 0; i < rounds + warm_up; ++i) {
          read_exactly(fd, ball.data(), bytes);
          write_exactly(fd, ball.data(), bytes);
        }
      });
  return seconds / rounds;
}

Transfer bare_transfer(std::int64_t bytes, std::int64_t record) {
  const BufferPtr source = filled(bytes);
  return measure(
      [&](int fd) {
        for (std::int64_t at = 0; at < bytes; at += record) {
          write_exactly(fd, source->data() + at, std::min(record, bytes - at));
        }
      },
      [&](int fd) {
        const auto destination = Buffer::allocate(bytes);
        read_exactly(fd, destination->data(), bytes);
      });
}

Transfer bare_sealed_transfer(std::int64_t bytes, std::int64_t record) {
  const BufferPtr source = filled(bytes);
  return measure(
      [&](int fd) {
        std::vector<std::uint8_t> out(static_cast<std::size_t>(record + kTag));
        Gcm gcm(true);
        for (std::int64_t at = 0; at < bytes; at += record) {
          const std::int64_t count = std::min(record, bytes - at);
          gcm.run(source->data() + at, out.data(), count, out.data() + count);
          write_exactly(fd, out.data(), count + kTag);
        }
      },
      [&](int fd) {
        const auto destination = Buffer::allocate(bytes);
        std::vector<std::uint8_t> in(static_cast<std::size_t>(record + kTag));
        Gcm gcm(false);
        for (std::int64_t at = 0; at < bytes; at += record) {
          const std::int64_t count = std::min(record, bytes - at);
          read_exactly(fd, in.data(), count + kTag);
          gcm.run(in.data(), destination->data() + at, count, in.data() + count);
        }
      });
}

}  // namespace curia::bench
