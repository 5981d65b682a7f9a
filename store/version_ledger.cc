#include "store/version_ledger.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "protocol/codec.h"

namespace curia {
namespace {

constexpr const char* kWrites = "cannot write the ledger of versions";
constexpr const char* kName = "versions";
constexpr const char* kFreshName = "versions.new";
constexpr std::int64_t kReserveBytes = 64 << 10;
constexpr std::size_t kMaxRecordBytes = 1024;
constexpr std::int64_t kMaxLedgerBytes = std::int64_t{8} << 30;
// A new file is written when the old one is this much larger than its entries need.
constexpr std::int64_t kSlackBytes = 1 << 20;
constexpr std::int64_t kEntryBytes = 256;

}  // namespace

VersionLedger::VersionLedger(Disk& disk, const std::string& folder, const StoreKey& key)
    : disk_(disk), path_(folder + "/" + kName) {
  hkdf_sha256("curia versions 1", key, "ledger", key_);
  folder_ = FileHandle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_.open()) {
    throw Error(Code::kInvalid, "cannot open " + folder + ": " + std::strerror(errno));
  }
  load();
}

std::string VersionLedger::frame(Kind kind, const std::string& key, const LedgerEntry& entry) {
  std::string record;
  WireWriter writer(record);
  // The lowest number that stays open once this record is written.
  auto open = open_.begin();
  if (kind == Kind::kPut && open != open_.end() && *open == entry.sequence) ++open;
  const std::uint64_t open_from = open == open_.end() ? next_ : *open;
  writer(static_cast<std::uint8_t>(kind), open_from, entry.sequence, key,
         static_cast<std::uint64_t>(entry.version), entry.principal);
  std::string sealed(reinterpret_cast<const char*>(chain_.bytes.data()), chain_.bytes.size());
  sealed += record;
  chain_ = hmac_sha256(key_, {reinterpret_cast<const std::uint8_t*>(sealed.data()), sealed.size()});
  const auto size = static_cast<std::uint32_t>(record.size());
  std::string out(reinterpret_cast<const char*>(&size), sizeof(size));
  out += record;
  out.append(reinterpret_cast<const char*>(chain_.bytes.data()), chain_.bytes.size());
  return out;
}

bool VersionLedger::take(const std::string& text, std::size_t& at) {
  std::uint32_t size = 0;
  if (text.size() - at < sizeof(size)) return false;
  std::memcpy(&size, text.data() + at, sizeof(size));
  if (size == 0 || size > kMaxRecordBytes || text.size() - at - sizeof(size) < size + 32) {
    return false;
  }
  const std::string record = text.substr(at + sizeof(size), size);
  std::string sealed(reinterpret_cast<const char*>(chain_.bytes.data()), chain_.bytes.size());
  sealed += record;
  const Digest seal =
      hmac_sha256(key_, {reinterpret_cast<const std::uint8_t*>(sealed.data()), sealed.size()});
  if (std::memcmp(seal.bytes.data(), text.data() + at + sizeof(size) + size, 32) != 0) return false;
  WireReader reader(record);
  std::uint8_t kind = 0;
  std::string key;
  std::uint64_t version = 0;
  LedgerEntry entry;
  reader(kind, open_from_, entry.sequence, key, version, entry.principal);
  reader.finish();
  entry.version = static_cast<std::int64_t>(version);
  next_ = std::max({next_, open_from_, entry.sequence + 1});
  if (kind == static_cast<std::uint8_t>(Kind::kPut)) {
    erased_.erase(key);
    entries_.insert_or_assign(key, std::move(entry));
  } else if (kind == static_cast<std::uint8_t>(Kind::kErase)) {
    entries_.erase(key);
    erased_.insert_or_assign(key, entry.sequence);
  }
  chain_ = seal;
  at += sizeof(size) + size + 32;
  return true;
}

void VersionLedger::load() {
  file_ = FileHandle(disk_.open(folder_.fd(), kName, O_RDWR));
  if (!file_.open()) {
    const std::lock_guard lock(mutex_);
    return rewrite();
  }
  struct stat info {};
  if (::fstat(file_.fd(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > kMaxLedgerBytes) {
    throw Error(Code::kCorrupt, path_ + ": expected a regular file of at most 8 GiB");
  }
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  read_all(disk_, file_.fd(), text.data(), info.st_size, 0, path_);
  std::size_t at = 0;
  while (take(text, at)) {
  }
  // What follows is empty, or one record that a crash cut.
  const std::size_t rest = text.find_last_not_of('\0');
  if (at == 0 || (rest != std::string::npos && rest >= at + kMaxRecordBytes)) {
    throw Error(Code::kCorrupt,
                path_ +
                    " is not what this worker wrote. Restore it, or remove it: then the worker "
                    "takes all files of its store as they are, also older versions");
  }
  end_ = static_cast<std::int64_t>(at);
}

void VersionLedger::replace(std::map<std::string, LedgerEntry> entries, std::uint64_t last) {
  const std::lock_guard lock(mutex_);
  entries_ = std::move(entries);
  erased_.clear();
  next_ = std::max(next_, last + 1);
  rewrite();
}

std::uint64_t VersionLedger::next_sequence() {
  const std::lock_guard lock(mutex_);
  open_.insert(open_.end(), next_);
  return next_++;
}

void VersionLedger::give_up(std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  open_.erase(sequence);
}

void VersionLedger::rewrite() {
  const std::string what = kWrites;
  broken_ = true;
  chain_ = {};
  std::string text = frame(Kind::kBegin, "", {});
  for (const auto& [key, entry] : entries_) text += frame(Kind::kPut, key, entry);
  for (const auto& [key, sequence] : erased_) text += frame(Kind::kErase, key, {sequence, 0, ""});
  const int made = disk_.open(folder_.fd(), kFreshName, O_RDWR | O_CREAT | O_TRUNC);
  if (made < 0) throw_disk_error(what, -made);
  FileHandle fresh(made);
  iovec piece{text.data(), text.size()};
  write_all(disk_, fresh.fd(), 0, &piece, 1, what);
  int error = disk_.sync_data(fresh.fd());
  if (error >= 0) error = disk_.rename(folder_.fd(), kFreshName, folder_.fd(), kName, true);
  if (error >= 0) error = disk_.sync_folder(folder_.fd());
  if (error < 0) throw_disk_error(what, -error);
  file_ = std::move(fresh);
  end_ = reserved_ = std::ssize(text);
  broken_ = false;
}

void VersionLedger::reserve_ahead() {
  if (broken_) rewrite();
  if (reserved_ - end_ >= static_cast<std::int64_t>(kMaxRecordBytes)) return;
  const int error = disk_.reserve(file_.fd(), end_, kReserveBytes);
  if (error < 0 && error != -EOPNOTSUPP) throw_disk_error(kWrites, -error);
  reserved_ = end_ + kReserveBytes;
}

void VersionLedger::make_room() {
  const std::lock_guard lock(mutex_);
  reserve_ahead();
}

void VersionLedger::append(Kind kind, const std::string& key, const LedgerEntry& entry) {
  if (broken_ || end_ > kSlackBytes + 4 * kEntryBytes * std::ssize(entries_)) rewrite();
  const std::string what = kWrites;
  const Digest before = chain_;
  std::string text = frame(kind, key, entry);
  iovec piece{text.data(), text.size()};
  try {
    write_all(disk_, file_.fd(), end_, &piece, 1, what);
    if (const int error = disk_.sync_data(file_.fd()); error < 0) throw_disk_error(what, -error);
  } catch (const Error&) {
    // Whether the record is on the disk nobody knows: the next one goes to a new file.
    chain_ = before;
    broken_ = true;
    throw;
  }
  end_ += std::ssize(text);
}

void VersionLedger::put(const std::string& key, LedgerEntry entry) {
  const std::lock_guard lock(mutex_);
  append(Kind::kPut, key, entry);
  open_.erase(entry.sequence);
  erased_.erase(key);
  entries_.insert_or_assign(key, std::move(entry));
}

void VersionLedger::remember(const std::string& key, LedgerEntry entry) {
  const std::lock_guard lock(mutex_);
  broken_ = true;
  open_.erase(entry.sequence);
  erased_.erase(key);
  entries_.insert_or_assign(key, std::move(entry));
}

void VersionLedger::erase(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  append(Kind::kErase, key, found->second);
  erased_.insert_or_assign(key, found->second.sequence);
  entries_.erase(found);
}

void VersionLedger::finish_erase(const std::string& key) {
  const std::lock_guard lock(mutex_);
  erased_.erase(key);
}

}  // namespace curia
