// The file that lets one `curia` command go on where another left off: the session, the cluster
// file it belongs to, and the references that runs and puts gave, by name.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "driver/ref.h"
#include "driver/saved_session.h"

namespace curia {

inline constexpr std::chrono::seconds kDefaultSessionLease{600};

struct SessionFile {
  std::string path;
  std::string cluster;  // absolute path
  std::chrono::seconds lease = kDefaultSessionLease;
  SavedSession saved;
  std::map<std::string, Ref> refs;

  // Errors: kInvalid, naming file and field.
  static SessionFile load(const std::string& path);
  // Replaces the file at once, mode 0600. Errors: kInvalid.
  void save() const;
};

}  // namespace curia
