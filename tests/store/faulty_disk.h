// A disk on which a chosen step fails, falls short, or is the last one before the power goes, with
// or without what was not synced. Steps are the calls that change something, counted from 1.
//
// Thread: one.
#pragma once

#include <string>
#include <vector>

#include "store/disk.h"

namespace curia {

// Thrown by the step at which the power goes, and by all that come after it.
struct PowerCut {};

enum class Fault {
  kNone,
  kIo,         // EIO
  kFull,       // ENOSPC, from this step on, for all that takes more space
  kShort,      // writes half of what it was given; other steps are done as they are
  kCutBefore,  // the power goes before the step is done
  kCutAfter,
};

class FaultyDisk : public Disk {
 public:
  // The next step is step 1.
  void arm(int step, Fault fault);
  int steps() const { return steps_; }
  // After a cut: takes back what was not synced, contents or names or both.
  void lose_unsynced(bool contents, bool names);

  int open(int folder, const std::string& path, int flags) override;
  std::int64_t write(int file, const iovec* pieces, int count, std::int64_t offset) override;
  std::int64_t read(int file, void* to, std::int64_t bytes, std::int64_t offset) override;
  int reserve(int file, std::int64_t offset, std::int64_t bytes) override;
  void begin_sync(int file, std::int64_t offset, std::int64_t bytes) override;
  int sync_data(int file) override;
  int sync_folder(int file) override;
  int make_folder(int parent, const std::string& name) override;
  int rename(int from, const std::string& name, int to, const std::string& new_name,
             bool replace) override;
  int unlink(int folder, const std::string& name) override;
  int remove_folder(int parent, const std::string& name) override;

 private:
  // What a step that was not synced did, to be taken back.
  struct Change {
    enum class Kind { kWrite, kCreate, kFolder, kRename, kUnlink, kFolderGone } kind;
    std::string path;      // of the file, folder or new name
    std::string old_path;  // of a rename
    bool had_content = false;
    std::string content;      // of the file before
    std::uint64_t inode = 0;  // of the written file, or of the folder whose names changed
  };

  // 0: go on; else minus an errno to return. cut_after_ is set where the power goes afterwards.
  enum class Takes { kNothing, kSpace, kWrite };
  int step(Takes takes, bool fits = false);
  template <class Work>
  auto then(const Work& work);
  void note(Change change) { changes_.push_back(std::move(change)); }
  void forget(std::uint64_t inode, bool contents);

  Disk& disk_ = Disk::system();
  int steps_ = 0;
  int at_ = 0;
  Fault fault_ = Fault::kNone;
  bool off_ = false;
  bool cut_after_ = false;
  bool half_ = false;
  std::vector<Change> changes_;
};

}  // namespace curia
