#include "worker/peer_heads.h"

#include <algorithm>

namespace curia {

void PeerHeads::keep(Known& known, const AuditHead& head) {
  known.key = head.key;
  known.hashes[head.sequence] = head.hash;
  if (known.hashes.size() > kMaxPeerHeads) known.hashes.erase(known.hashes.begin());
}

void PeerHeads::replay(const std::string& party, const AuditHead& head) {
  Known& known = known_[party];
  known.at_start = std::max(known.at_start, head.sequence);
  keep(known, head);
}

std::string PeerHeads::judge(const std::string& party, const AuditHead& head) {
  if (!head.good(party)) return "its signature is not good";
  Known& known = known_[party];
  if (!known.hashes.empty()) {
    const auto same = known.hashes.find(head.sequence);
    if (head.key != known.key) {
      return "it is signed with another key than record " +
             std::to_string(known.hashes.rbegin()->first);
    }
    if (same != known.hashes.end() && same->second != head.hash) {
      return "it told of another record " + std::to_string(head.sequence) + " before";
    }
    if (head.sequence < known.at_start) {
      return "it told of record " + std::to_string(known.at_start) + " before";
    }
  }
  keep(known, head);
  return "";
}

}  // namespace curia
