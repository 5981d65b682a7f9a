#include "driver/local_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "protocol/digest.h"
#include "store/csv.h"
#include "store/file_bytes.h"
#include "store/npy.h"

namespace curia {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTensorEnd = ".npy";
constexpr std::string_view kTableEnd = ".csv";
constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 40;

Error failed(const std::string& what, const std::string& path, const std::string& why) {
  return Error(Code::kFailed, "cannot " + what + " " + path + ": " + why);
}

// Locks a file as its writer does. False: somebody else holds it.
bool lock_file(int fd) { return ::flock(fd, LOCK_EX | LOCK_NB) == 0; }

// A file under construction, locked by its writer as long as that lives: so a leftover is known. Is
// gone again unless it was committed.
class FreshFile {
 public:
  FreshFile(const std::string& folder, std::string path) : path_(std::move(path)) {
    struct stat facts {};
    // Again where a sweep came between making and locking.
    while (fd_ < 0 || !lock_file(fd_) || ::fstat(fd_, &facts) != 0 || facts.st_nlink == 0) {
      if (fd_ >= 0) ::close(fd_);
      fresh_ = folder + "/" + random_hex(16);
      fd_ = ::open(fresh_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
      if (fd_ < 0) throw failed("make", fresh_, std::strerror(errno));
    }
  }
  ~FreshFile() {
    if (!committed_) ::unlink(fresh_.c_str());
    ::close(fd_);
  }
  FreshFile(const FreshFile&) = delete;
  FreshFile& operator=(const FreshFile&) = delete;

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) throw failed("write", path_, std::strerror(errno));
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  void commit() {
    if (::fdatasync(fd_) != 0 || ::rename(fresh_.c_str(), path_.c_str()) != 0) {
      throw failed("write", path_, std::strerror(errno));
    }
    committed_ = true;
    const std::string folder = fs::path(path_).parent_path().string();
    const int at = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) return;
    ::fsync(at);
    ::close(at);
  }

 private:
  const std::string path_;
  std::string fresh_;
  int fd_ = -1;
  bool committed_ = false;
};

// write_csv() with "name:dtype" in the header. Column names hold neither ':' nor what CSV quotes.
std::string typed_csv(const Table& table) {
  std::string header;
  for (const Column& column : table.columns) {
    if (!header.empty()) header += ",";
    header += column.name + ":" + std::string(dtype_name(column.dtype()));
  }
  const std::string text = write_csv(table);
  return header + text.substr(std::min(text.find('\n'), text.size()));
}

Table parse_typed_csv(std::string_view text, const std::string& path) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  CsvOptions options;
  options.max_bytes = options.max_line_bytes = kMaxFileBytes;
  options.columns.emplace();
  std::string plain;
  for (std::size_t at = 0; at < end;) {
    const std::size_t stop = std::min(text.find(',', at), end);
    const std::string_view field = text.substr(at, stop - at);
    const std::size_t colon = field.rfind(':');
    if (colon == std::string_view::npos) {
      throw Error(Code::kInvalid, path + ": expected \"name:dtype\" for column " +
                                      std::to_string(options.columns->size() + 1) +
                                      " of the header; this file is not of a local store");
    }
    options.columns->push_back(
        {std::string(field.substr(0, colon)), parse_dtype(field.substr(colon + 1))});
    plain += (plain.empty() ? "" : ",") + options.columns->back().name;
    at = stop + 1;
  }
  plain += text.substr(end);
  return parse_csv(plain, path, options);
}

}  // namespace

LocalStore::LocalStore(std::string folder) : folder_(std::move(folder)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (!error) fs::create_directory(unfinished(), error);
  if (error) throw failed("make the folder", folder_, error.message());
  sweep();
}

// '#' stands in no URI, so it is no value's folder.
std::string LocalStore::unfinished() const { return folder_ + "/#unfinished"; }

void LocalStore::sweep() const {
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(unfinished(), none)) {
    const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) continue;
    // Under the lock, or its writer could be the one who just made it.
    if (lock_file(fd)) ::unlink(entry.path().c_str());
    ::close(fd);
  }
}

std::string LocalStore::base(std::string_view uri) const {
  const Uri parsed = Uri::parse(
      uri.find("://") == std::string_view::npos ? "fs:///" + std::string(uri) : std::string(uri));
  return folder_ + "/" + std::string(parsed.scheme()) + "/" + std::string(parsed.rest());
}

std::string LocalStore::path_of(std::string_view uri, bool table) const {
  return base(uri) + std::string(table ? kTableEnd : kTensorEnd);
}

std::string LocalStore::find(const std::string& base) const {
  std::string found;
  fs::file_time_type youngest;
  for (const std::string_view end : {kTensorEnd, kTableEnd}) {
    const std::string path = base + std::string(end);
    std::error_code none;
    if (!fs::is_regular_file(path, none)) continue;
    const auto time = fs::last_write_time(path, none);
    if (!found.empty() && time < youngest) continue;
    found = path;
    youngest = time;
  }
  return found;
}

void LocalStore::save(std::string_view uri, const Value& value) const {
  value.check();
  const std::string path = path_of(uri, value.is_table());
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (!error) fs::create_directories(unfinished(), error);
  if (error) throw failed("make the folder of", path, error.message());
  FreshFile file(unfinished(), path);
  file.write(value.is_table() ? typed_csv(value.table()) : write_npy(value.tensor()));
  file.commit();
  // A value of the other kind that this one replaces.
  fs::remove(path_of(uri, !value.is_table()), error);
}

Value LocalStore::load(std::string_view uri) const {
  const std::string path = find(base(uri));
  if (path.empty()) {
    throw Error(Code::kNotFound, "nothing was saved as " + std::string(uri) + " in " + folder_);
  }
  if (path.ends_with(kTensorEnd)) return read_npy(path, kMaxFileBytes);
  const Slice bytes = read_file(path, kMaxFileBytes);
  return parse_typed_csv(
      {reinterpret_cast<const char*>(bytes.data), static_cast<std::size_t>(bytes.size)}, path);
}

bool LocalStore::contains(std::string_view uri) const { return !find(base(uri)).empty(); }

bool LocalStore::erase(std::string_view uri) const {
  bool erased = false;
  for (const bool table : {false, true}) {
    const std::string path = path_of(uri, table);
    std::error_code error;
    erased = fs::remove(path, error) || erased;
    if (error) throw failed("remove", path, error.message());
  }
  return erased;
}

std::vector<Uri> LocalStore::list() const {
  std::vector<Uri> found;
  for (const std::string scheme : {"fs", "mem", "oss"}) {
    const fs::path root = fs::path(folder_) / scheme;
    std::error_code none;
    for (fs::recursive_directory_iterator at(root, none), end; at != end; at.increment(none)) {
      const std::string name = fs::relative(at->path(), root, none).string();
      if (!at->is_regular_file(none)) continue;
      if (!name.ends_with(kTensorEnd) && !name.ends_with(kTableEnd)) continue;
      try {
        found.push_back(Uri::parse(scheme + (scheme == "fs" ? ":///" : "://") +
                                   name.substr(0, name.size() - kTensorEnd.size())));
      } catch (const Error&) {
        // No name that save() gives.
      }
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace curia
