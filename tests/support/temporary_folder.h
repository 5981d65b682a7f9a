// A folder of its own for a test or bench, gone at the end. Thread: one.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "protocol/error.h"

namespace curia {

class TemporaryFolder {
 public:
  // In memory where the system has such a place, since hundreds of syncs take their time on a disk;
  // kDisk: beside other temporary files, on a real disk where those are.
  enum class Place : std::uint8_t { kMemory, kDisk };

  explicit TemporaryFolder(Place wanted = Place::kMemory) {
    const bool memory = wanted == Place::kMemory && ::access("/dev/shm", W_OK) == 0;
    const auto place =
        memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
    std::string name = (place / "curia-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error(Code::kFailed, "no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace curia
