#include "protocol/link/control.h"

namespace curia {

std::int64_t Frames::bytes() const {
  std::int64_t sum = static_cast<std::int64_t>(head.size());
  for (const Slice& slice : payload) sum += slice.size;
  return sum;
}

void check_frames(const Frames& frames) {
  expect(!frames.head.empty(), "a control message needs a head, found an empty one");
  const std::int64_t count = 1 + static_cast<std::int64_t>(frames.payload.size());
  if (count > kMaxControlFrames) {
    throw Error(Code::kInvalid, "a control message has at most " +
                                    std::to_string(kMaxControlFrames) + " frames, found " +
                                    std::to_string(count) + ": send it as several messages");
  }
  const std::int64_t bytes = frames.bytes();
  if (bytes > kMaxControlMessage) {
    throw Error(Code::kInvalid, "a control message has at most " +
                                    std::to_string(kMaxControlMessage) + " bytes, found " +
                                    std::to_string(bytes) + ": send it in chunks");
  }
}

}  // namespace curia
