// A file backend in a temporary folder, which can be started again over the same files.
#pragma once

#include <memory>
#include <string>

#include "store/file_backend.h"
#include "tests/support/temporary_folder.h"

namespace curia {

struct FileWorld {
  TemporaryFolder folder;
  FileStoreOptions options;
  std::unique_ptr<FileBackend> store;

  explicit FileWorld(Disk* disk = &Disk::system()) {
    options.root = folder / "objects";
    options.state = folder / "state";
    options.key.fill(7);
    options.disk = disk;
    std::filesystem::create_directories(options.state);
  }
  FileBackend& start() {
    store.reset();
    store = std::make_unique<FileBackend>(options);
    return *store;
  }
  std::string file(const std::string& key) const { return options.root + "/" + key; }
};

}  // namespace curia
