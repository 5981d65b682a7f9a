#include "protocol/link/data_dialer.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <memory>

namespace curia {

std::string numeric_host(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> guard(found, &freeaddrinfo);
  char text[INET_ADDRSTRLEN];
  if (error != 0 || found == nullptr ||
      getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), nullptr, 0,
                  NI_NUMERICHOST) != 0) {
    throw Error(Code::kInvalid, "cannot resolve host \"" + host + "\"");
  }
  return text;
}

std::uint16_t DataDialer::port() const {
  const int port = link_.port();
  return static_cast<std::uint16_t>(port < 0 ? 0 : port);
}

bool DataDialer::connected(const std::string& peer) const { return link_.connected(peer); }

DialOffer DataDialer::make_offer() { return {DataLink::make_dial("").secret}; }

DialGrant DataDialer::grant(const std::string& peer, const DialOffer& offer) {
  const DialAnswer answer = link_.answer(peer, {offer.secret});
  return {answer.token, answer.secret};
}

void DataDialer::dial(const std::string& peer, const std::string& host, std::uint16_t port,
                      const DialOffer& offer, const DialGrant& grant) {
  link_.dial(peer, numeric_host(host), port, {offer.secret}, {grant.token, grant.secret});
}

}  // namespace curia
