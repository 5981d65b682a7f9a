#include "protocol/link/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "protocol/error.h"

namespace curia {
namespace {

constexpr std::size_t kKeyChars = 40;
constexpr std::size_t kMaxKeyFile = 4096;

// Owns a file descriptor.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::string reason() { return std::strerror(errno); }

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error(Code::kInvalid, "key file " + path + ": " + why);
}

void check_private(const std::string& path, int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) refuse(path, "cannot be examined: " + reason());
  if (!S_ISREG(info.st_mode)) refuse(path, "expected a regular file");
  if ((info.st_mode & 077) != 0) {
    std::array<char, 8> mode{};
    std::snprintf(mode.data(), mode.size(), "%04o", info.st_mode & 07777U);
    refuse(path, std::string("holds a secret, but its mode ") + mode.data() +
                     " lets others in; run: chmod 600 " + path);
  }
  if (info.st_uid != geteuid() && info.st_uid != 0) {
    refuse(path, "belongs to another user (uid " + std::to_string(info.st_uid) + ")");
  }
}

std::string read_all(const std::string& path, int fd) {
  std::string text(kMaxKeyFile + 1, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = read(fd, text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(path, "cannot be read: " + reason());
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  if (have > kMaxKeyFile) refuse(path, "expected at most 4096 bytes");
  text.resize(have);
  return text;
}

void write_all(const std::string& path, int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t put = write(fd, text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) refuse(path, "cannot be written: " + reason());
    done += static_cast<std::size_t>(put);
  }
  if (fsync(fd) != 0) refuse(path, "cannot be written: " + reason());
}

}  // namespace

KeyPair generate_keys() {
  std::array<char, kKeyChars + 1> open{};
  std::array<char, kKeyChars + 1> secret{};
  if (zmq_curve_keypair(open.data(), secret.data()) != 0) {
    throw Error(Code::kUnimplemented, "this libzmq was built without CURVE; install libzmq5");
  }
  return {open.data(), secret.data()};
}

std::string public_key(const std::string& secret) {
  check_key(secret, "secret key");
  std::array<char, kKeyChars + 1> open{};
  if (zmq_curve_public(open.data(), secret.c_str()) != 0) {
    throw Error(Code::kUnimplemented, "this libzmq was built without CURVE; install libzmq5");
  }
  return open.data();
}

void check_key(std::string_view key, std::string_view what) {
  const std::string wanted = "is not a key: expected 40 characters of Z85, found ";
  if (key.size() != kKeyChars) {
    throw Error(Code::kInvalid,
                std::string(what) + " " + wanted + std::to_string(key.size()) + " characters");
  }
  std::array<std::uint8_t, 32> raw{};
  const std::string text(key);  // zmq wants a terminated string, and stops at a NUL
  if (std::strlen(text.c_str()) != kKeyChars ||
      zmq_z85_decode(raw.data(), text.c_str()) == nullptr) {
    throw Error(Code::kInvalid, std::string(what) + " " + wanted + "others; was it cut or quoted?");
  }
}

void save_keys(const std::string& path, const KeyPair& keys) {
  check_key(keys.public_key, "public key");
  check_key(keys.secret_key, "secret key");
  const File file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.fd() < 0 && errno == EEXIST) {
    refuse(path, "exists already, and a key is never overwritten; choose another name");
  }
  if (file.fd() < 0) refuse(path, "cannot be created: " + reason());
  const nlohmann::ordered_json json{
      {"kind", "curia-keys"}, {"public", keys.public_key}, {"secret", keys.secret_key}};
  try {
    write_all(path, file.fd(), json.dump(2) + "\n");
  } catch (const Error&) {
    unlink(path.c_str());  // half a key would stand in the way of the next attempt
    throw;
  }
}

namespace {

std::string read_private(const std::string& path, const std::string& advice) {
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd() < 0 && errno == ENOENT) {
    throw Error(Code::kNotFound, "key file " + path + " does not exist" + advice);
  }
  if (file.fd() < 0) refuse(path, "cannot be opened: " + reason());
  check_private(path, file.fd());
  return read_all(path, file.fd());
}

}  // namespace

std::string read_private_file(const std::string& path) { return read_private(path, ""); }

KeyPair load_keys(const std::string& path) {
  // Without exceptions: those of the parser quote the text, which holds the secret.
  const auto json =
      nlohmann::json::parse(read_private(path, "; make one with keygen"), nullptr, false);
  if (!json.is_object()) refuse(path, "expected a JSON object with \"public\" and \"secret\"");
  KeyPair keys;
  for (const auto& [name, value] :
       {std::pair{"public", &keys.public_key}, std::pair{"secret", &keys.secret_key}}) {
    if (!json.contains(name) || !json[name].is_string()) {
      refuse(path, std::string("expected a text \"") + name + "\"");
    }
    *value = json[name].get<std::string>();
    check_key(*value, "key file " + path + ": \"" + name + "\"");
  }
  if (public_key(keys.secret_key) != keys.public_key) {
    refuse(path, "its public key does not belong to its secret key");
  }
  return keys;
}

}  // namespace curia
