// What another process of the same driver needs to go on with a session: data, not a right. The
// workers let only the principal that opened a session resume it, and only at its latest
// generation; the process that resumes raises it, and the older one is told SESSION_OVER.
//
//   curia::SavedSession saved = session.detach();        // this process
//   curia::ConnectionOptions options;
//   options.resume = saved;                              // the next one
//   curia::Session again = curia::connect("cluster.json", options);
//
// Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "protocol/session_id.h"

namespace curia {

struct SavedSession {
  struct Worker {
    std::uint64_t epoch = 0;
    std::uint64_t generation = 0;
    bool operator==(const Worker&) const = default;
  };

  SessionId id{};
  std::string driver;
  std::map<std::string, Worker> workers;

  bool operator==(const SavedSession&) const = default;

  // One JSON object, and back. Errors: kInvalid, naming `file` and the field.
  std::string json() const;
  static SavedSession parse(std::string_view json, const std::string& file);
};

}  // namespace curia
