// Links between parties that live in one process (simulation, tests). Messages pass by reference.
//
// A MemoryNetwork is made once and shared by all parties; each party takes its own Link by name.
// Thread: any thread may call anything. Each lane direction has its own mutex.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "protocol/link/link.h"

namespace curia {

class MemoryHub;

class MemoryNetwork {
 public:
  MemoryNetwork();
  ~MemoryNetwork();
  MemoryNetwork(const MemoryNetwork&) = delete;
  MemoryNetwork& operator=(const MemoryNetwork&) = delete;

  // The link of the party `self`. It may outlive the network. One party may take several; they are
  // the same link.
  std::shared_ptr<Link> link(std::string_view self);

  // `party` died: the lanes of all others to it end with `error` (messages that had arrived can
  // still be received), and so do its own. Lanes of sessions that are opened later work again.
  void lose(std::string_view party, const Error& error);

 private:
  std::shared_ptr<MemoryHub> hub_;
};

}  // namespace curia
