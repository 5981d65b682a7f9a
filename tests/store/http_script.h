// An HTTP server on the loopback that answers as it is told: one answer after the other, the last
// one again and again. For what a real S3 server does not do on request.
//
// Thread: answers() before the first request; requests() any.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace curia {

class HttpScript {
 public:
  // What is sent for a request (its head and body); then the connection ends. kSilence: nothing is
  // sent, and the connection stays.
  using Answer = std::function<std::string(const std::string& request)>;
  static const std::string kSilence;

  HttpScript();
  ~HttpScript();
  HttpScript(const HttpScript&) = delete;
  HttpScript& operator=(const HttpScript&) = delete;

  void answer(Answer answer) { answers_.push_back(std::move(answer)); }
  void answer(std::string text) {
    answer([text = std::move(text)](const std::string&) { return text; });
  }

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<std::string> requests() const;  // heads and bodies, in order

 private:
  void run();
  std::string receive(int fd);

  int listener_ = -1;
  int port_ = 0;
  std::vector<Answer> answers_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::vector<int> silent_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

// A whole answer.
std::string http_answer(int status, const std::string& body, const std::string& headers = "");
// A part of an object: bytes from `begin` on, of `total`.
std::string http_part(const std::string& part, std::int64_t begin, std::int64_t total,
                      const std::string& tag = "\"t\"");

}  // namespace curia
