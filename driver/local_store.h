// A folder where a driver keeps what it fetched, by URI.
//
//   curia::LocalStore store("fetched");
//   store.save(ref.uri().str(), session.fetch(ref));      // fetched/mem/<uuid>.npy
//   store.save("means", session.fetch(refs["means"]));    // fetched/fs/means.npy
//   curia::Value means = store.load("means");
//
// Tensors are .npy files, tables .csv files whose header says "name:dtype", so that every type
// comes back as it was. A value is replaced as a whole or not at all, also when the power fails.
// Thread: any; several processes may share a folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/uri.h"
#include "protocol/value.h"

namespace curia {

class LocalStore {
 public:
  // Makes the folder where there is none, and removes what a crash left of unfinished saves.
  // Errors: kFailed.
  explicit LocalStore(std::string folder);

  // uri: a URI, or a name "x" that stands for fs:///x.
  // Replaces what was there. Errors: kInvalid for a bad URI or name; the value's own, when it is
  // one (nothing is stored); kFailed, also for a full disk, with the older value intact.
  void save(std::string_view uri, const Value& value) const;
  // Errors: kNotFound; kInvalid when the file is not what save() writes; kFailed.
  Value load(std::string_view uri) const;
  bool contains(std::string_view uri) const;
  // Whether there was one. Errors: kFailed.
  bool erase(std::string_view uri) const;
  // Sorted. Files that are not of this store are passed over.
  std::vector<Uri> list() const;

  // The file that save() makes for a tensor (or a table).
  std::string path_of(std::string_view uri, bool table) const;

 private:
  // The file there is, the younger one if there are two; "" if none.
  std::string find(const std::string& base) const;
  std::string base(std::string_view uri) const;
  std::string unfinished() const;  // the folder of what is being written
  void sweep() const;

  std::string folder_;
};

}  // namespace curia
