#include "tests/store/http_script.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "protocol/error.h"

namespace curia {

const std::string HttpScript::kSilence = "silence";

HttpScript::HttpScript() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  if (listener_ < 0 || ::bind(listener_, any, size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, any, &size) != 0) {
    throw Error(Code::kFailed, "cannot listen on the loopback");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

HttpScript::~HttpScript() {
  over_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  for (const int fd : silent_) ::close(fd);
  ::close(listener_);
}

std::vector<std::string> HttpScript::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::string HttpScript::receive(int fd) {
  std::string text;
  std::size_t wanted = std::string::npos;
  char bytes[65536];
  while (text.size() < wanted) {
    const ssize_t got = ::recv(fd, bytes, sizeof(bytes), 0);
    if (got <= 0) break;
    text.append(bytes, static_cast<std::size_t>(got));
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string::npos || wanted != std::string::npos) continue;
    std::string head = text.substr(0, end);
    std::transform(head.begin(), head.end(), head.begin(), ::tolower);
    const std::size_t length = head.find("content-length: ");
    wanted = end + 4;
    if (length != std::string::npos) wanted += std::strtoull(&head[length + 16], nullptr, 10);
    if (head.find("expect: 100-continue") != std::string::npos) {
      const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      ::send(fd, go_on.data(), go_on.size(), MSG_NOSIGNAL);
    }
  }
  return text;
}

void HttpScript::run() {
  while (!over_) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::string request = receive(fd);
    std::size_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = std::min(requests_.size(), answers_.size() - 1);
      requests_.push_back(request);
    }
    const std::string text = answers_.at(number)(request);
    if (text == kSilence) {
      silent_.push_back(fd);
      continue;
    }
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t sent = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) break;
      at += static_cast<std::size_t>(sent);
    }
    ::close(fd);
  }
}

std::string http_answer(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) +
         " it\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         headers + "\r\n" + body;
}

std::string http_part(const std::string& part, std::int64_t begin, std::int64_t total,
                      const std::string& tag) {
  return http_answer(206, part,
                     "ETag: " + tag + "\r\nContent-Range: bytes " + std::to_string(begin) + "-" +
                         std::to_string(begin + std::ssize(part) - 1) + "/" +
                         std::to_string(total) + "\r\n");
}

}  // namespace curia
