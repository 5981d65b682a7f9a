#include "worker/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "protocol/error.h"
#include "protocol/fields.h"

namespace curia {
namespace {

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  throw Error(Code::kInvalid, "cannot " + what + " " + path + ": " + std::strerror(errno));
}

// Closes a descriptor at the end of its scope.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

StateDir::StateDir(const std::string& path) : path_(path) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) throw Error(Code::kInvalid, "cannot make " + path_ + ": " + error.message());
  ::chmod(path_.c_str(), 0700);
  const std::string lock = path_ + "/lock";
  lock_ = ::open(lock.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock_ < 0) fail("open", lock);
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock_);
    throw Error(Code::kInvalid, "another worker is running with state_dir " + path_);
  }
}

StateDir::~StateDir() { ::close(lock_); }

std::uint64_t StateDir::next_epoch() {
  const std::string path = path_ + "/epoch";
  std::uint64_t epoch = 0;
  if (std::filesystem::exists(path)) {
    const std::string text = read_file(path);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epoch);
    if (error != std::errc() || epoch == 0 || epoch == UINT64_MAX) {
      throw Error(Code::kCorrupt, path +
                                      " does not hold an epoch; restore it, or remove the whole "
                                      "state_dir if its stored objects are not needed");
    }
  }
  ++epoch;
  replace(path, std::to_string(epoch) + "\n");
  return epoch;
}

void StateDir::replace(const std::string& path, const std::string& text) const {
  const std::string fresh = path + ".new";
  {
    const Descriptor file{::open(fresh.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)};
    if (file.fd < 0) fail("write", fresh);
    if (::write(file.fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::fsync(file.fd) != 0) {
      fail("write", fresh);
    }
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) fail("replace", path);
  const Descriptor folder{::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd < 0 || ::fsync(folder.fd) != 0) fail("sync", path_);
}

SigningKey StateDir::signing_key() {
  const std::string path = path_ + "/signing.key";
  if (!std::filesystem::exists(path)) {
    std::error_code error;
    if (std::filesystem::file_size(path_ + "/audit.log", error) > 0 && !error) {
      throw Error(Code::kCorrupt, path + " is gone, and " + path_ +
                                      "/audit.log was signed with it; restore it, or begin with a "
                                      "new state_dir");
    }
    SigningKey key = SigningKey::generate();
    replace(path, key.secret().hex() + "\n");
    return key;
  }
  std::string text = read_file(path);
  if (text.ends_with('\n')) text.pop_back();
  try {
    return SigningKey(Digest::parse(text));
  } catch (const Error&) {
    throw Error(Code::kCorrupt, path + " does not hold a signing key; restore it");
  }
}

Digest StateDir::snapshot(const std::string& name, const Digest& content) {
  const std::string path = path_ + "/snapshots.json";
  nlohmann::ordered_json known = nlohmann::ordered_json::object();
  if (std::filesystem::exists(path)) {
    known = nlohmann::ordered_json::parse(read_file(path), nullptr, false);
  }
  try {
    if (!known.is_object()) throw Error(Code::kCorrupt, "no JSON object");
    if (const auto found = known.find(name); found != known.end()) {
      const Digest lineage = Digest::parse(found->at("lineage").get<std::string>());
      if (Digest::parse(found->at("content").get<std::string>()) == content) return lineage;
    }
  } catch (const std::exception&) {
    throw Error(Code::kCorrupt, path +
                                    " does not hold the lineages of datasets; restore it, or "
                                    "remove it: then approvals of them cover nothing any more");
  }
  const Digest lineage = random_digest();
  known[name] = {{"content", content.hex()}, {"lineage", lineage.hex()}};
  replace(path, known.dump(1) + "\n");
  return lineage;
}

}  // namespace curia
