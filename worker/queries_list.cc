// What there is, in pages: datasets, and objects of a driver.
#include <utility>

#include "worker/server.h"

namespace curia {
namespace {

constexpr std::int64_t kListPage = 100;

// Adds an entry; false when the page is full.
bool add_entry(ListReply& page, std::int64_t& bytes, ListEntry entry) {
  for (const auto& [column, range] : entry.ranges) bytes += std::ssize(column) + 20;
  bytes += std::ssize(entry.name) + std::ssize(entry.type.str()) + std::ssize(entry.label) + 12;
  if (!page.entries.empty() && (bytes > kListBytes || std::ssize(page.entries) == kListPage)) {
    page.more = true;
    return false;
  }
  page.entries.push_back(std::move(entry));
  return true;
}

// Before either is part of a message.
void check_names(const std::string& scheme, const std::string& prefix) {
  if (scheme != "mem" && scheme != "fs" && scheme != "oss") {
    throw Error(Code::kInvalid, "a list of objects is of mem, fs or oss");
  }
  if (std::ssize(prefix) <= kMaxUriBytes && Uri::may_hold(prefix)) return;
  throw Error(Code::kInvalid, "a prefix has what a URI may have: at most " +
                                  std::to_string(kMaxUriBytes) + " letters, digits and ._=+@,~-/");
}

// The key behind which the list goes on.
std::string key_after(const ListRequest& request) {
  if (request.after.empty()) return {};
  const Uri uri = Uri::parse(request.after);
  if (uri.scheme() == request.scheme) return std::string(uri.rest());
  throw Error(Code::kInvalid, "a list of " + request.scheme + ":// cannot go on behind a name in " +
                                  std::string(uri.scheme()) + "://");
}

}  // namespace

void Server::list(ConnId conn, const Peer& peer, const Packet& packet) {
  const auto request = decode<ListRequest>(packet.metadata);
  const std::shared_ptr<WorkerSession> session = held(conn, peer, packet.header).session;
  ListReply answer;
  std::int64_t bytes = 0;
  if (request.datasets) {
    for (const auto& [name, dataset] : parts_.datasets) {
      if (name <= request.after) continue;
      if (!add_entry(answer, bytes,
                     {name, dataset.type, "{" + parts_.party + "/" + name + "}", dataset.ranges})) {
        break;
      }
    }
    return reply(conn, packet.header, kReply, encode(answer));
  }
  check_names(request.scheme, request.prefix);
  const Backend& store = parts_.store->backend(request.scheme);
  const std::string begin = request.scheme + (request.scheme == "fs" ? ":///" : "://");
  const Owner owner{session->driver(), session->id()};
  for (const Entry& entry : store.list(owner, request.prefix, key_after(request), kListPage + 1)) {
    if (!add_entry(answer, bytes,
                   {begin + entry.key, entry.meta->type, entry.meta->label->str(), {}})) {
      break;
    }
  }
  reply(conn, packet.header, kReply, encode(answer));
}

}  // namespace curia
