// The system's disk, on which one step can be let fail. Thread: one at a time.
#pragma once

#include <cerrno>

#include "store/disk.h"

namespace curia {

class FailingDisk : public Disk {
 public:
  // The step-th from now on that changes something gives this errno (a write of 0 falls short),
  // once.
  void fail(int step, int error) {
    left_ = step;
    error_ = error;
  }
  // From here on nothing fails. Was it reached?
  bool end() { return std::exchange(left_, 0) <= 0; }

  int open(int folder, const std::string& path, int flags) override {
    return system().open(folder, path, flags);
  }
  std::int64_t write(int file, const iovec* pieces, int count, std::int64_t offset) override {
    if (!fails()) return system().write(file, pieces, count, offset);
    if (error_ != 0) return -error_;
    iovec half = pieces[0];
    half.iov_len = (half.iov_len + 1) / 2;
    return system().write(file, &half, 1, offset);
  }
  std::int64_t read(int file, void* to, std::int64_t bytes, std::int64_t offset) override {
    return system().read(file, to, bytes, offset);
  }
  int reserve(int file, std::int64_t offset, std::int64_t bytes) override {
    return fails() && error_ != 0 ? -error_ : system().reserve(file, offset, bytes);
  }
  void begin_sync(int file, std::int64_t offset, std::int64_t bytes) override {
    system().begin_sync(file, offset, bytes);
  }
  int sync_data(int file) override {
    return fails() && error_ != 0 ? -error_ : system().sync_data(file);
  }
  int sync_folder(int file) override {
    return fails() && error_ != 0 ? -error_ : system().sync_folder(file);
  }
  int make_folder(int parent, const std::string& name) override {
    return fails() && error_ != 0 ? -error_ : system().make_folder(parent, name);
  }
  int rename(int from, const std::string& name, int to, const std::string& new_name,
             bool replace) override {
    return fails() && error_ != 0 ? -error_ : system().rename(from, name, to, new_name, replace);
  }
  int unlink(int folder, const std::string& name) override {
    return fails() && error_ != 0 ? -error_ : system().unlink(folder, name);
  }
  int remove_folder(int parent, const std::string& name) override {
    return fails() && error_ != 0 ? -error_ : system().remove_folder(parent, name);
  }

 private:
  bool fails() { return left_ > 0 && --left_ == 0; }

  int left_ = 0;
  int error_ = 0;
};

}  // namespace curia
