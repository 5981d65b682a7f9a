#include "protocol/link/zap.h"

#include <array>
#include <vector>

#include "protocol/error.h"

namespace curia {
namespace {

constexpr const char* kZapEndpoint = "inproc://zeromq.zap.01";
constexpr const char* kZapDomain = "curia";
constexpr int kZapEnforceDomain = 93;  // in the library, hidden as a draft in its header

void check(const std::map<std::string, std::string>& names) {
  for (const auto& [key, name] : names) {
    expect(!name.empty(), "a principal needs a name");
    check_key(key, "public key of " + name);
  }
}

// All frames of a request; at most eight are kept, more would not be one.
std::vector<std::string> receive_all(zmq::socket_t& socket) {
  std::vector<std::string> frames;
  zmq::message_t part;
  do {
    if (!socket.recv(part, zmq::recv_flags::dontwait)) break;
    if (frames.size() < 8) frames.push_back(part.to_string());
  } while (part.more());
  return frames;
}

// version, request id, domain, address, routing id, mechanism, credentials
std::optional<std::string> curve_key(const std::vector<std::string>& request) {
  if (request.size() != 7 || request[0] != "1.0" || request[2] != kZapDomain) return {};
  if (request[5] != "CURVE" || request[6].size() != 32) return {};
  std::array<char, 41> text{};
  if (zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(request[6].data()), 32) ==
      nullptr) {
    return {};
  }
  return text.data();
}

}  // namespace

Principals::Principals(std::map<std::string, std::string> names) : names_(std::move(names)) {
  check(names_);
}

void Principals::replace(std::map<std::string, std::string> names) {
  check(names);
  const std::lock_guard lock(mutex_);
  names_ = std::move(names);
  version_.fetch_add(1, std::memory_order_release);
}

std::optional<std::string> Principals::name_of(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(key);
  if (found == names_.end()) return {};
  return found->second;
}

ZapHandler::ZapHandler(zmq::context_t& context, const Principals& principals)
    : principals_(principals), socket_(context, zmq::socket_type::rep) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.bind(kZapEndpoint);
}

std::int64_t ZapHandler::answer() {
  std::int64_t refused = 0;
  while (true) {
    const std::vector<std::string> request = receive_all(socket_);
    if (request.empty()) return refused;
    const std::optional<std::string> key = curve_key(request);
    const bool known = key && principals_.name_of(*key);
    if (!known) ++refused;
    const std::string id = request.size() > 1 ? request[1] : "";
    const std::array<std::string, 6> reply{
        "1.0", id, known ? "200" : "400", known ? "" : "unknown key", known ? *key : "", ""};
    for (std::size_t i = 0; i < reply.size(); ++i) {
      socket_.send(zmq::buffer(reply[i]),
                   i + 1 < reply.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }
}

void secure_server(zmq::socket_t& socket, const KeyPair& keys) {
  socket.set(zmq::sockopt::curve_server, true);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
  socket.set(zmq::sockopt::zap_domain, std::string(kZapDomain));
  const int enforce = 1;
  if (zmq_setsockopt(socket.handle(), kZapEnforceDomain, &enforce, sizeof enforce) != 0) {
    throw Error(Code::kUnimplemented,
                "this libzmq cannot enforce authentication (option 93); 4.3.4 or later can");
  }
}

void secure_client(zmq::socket_t& socket, const KeyPair& keys, const std::string& server_key) {
  socket.set(zmq::sockopt::curve_serverkey, server_key);
  socket.set(zmq::sockopt::curve_publickey, keys.public_key);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
}

}  // namespace curia
