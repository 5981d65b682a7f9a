// An S3 client's options for an HTTP server that answers as it is told, with secrets that must not
// show up in errors. Thread: one.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "store/s3_client.h"
#include "tests/store/http_script.h"
#include "tests/support/errors.h"

namespace curia {

inline constexpr const char* kSecret = "canary-secret-5150";
inline constexpr const char* kToken = "canary-token-5150";

struct Scripted {
  HttpScript server;
  std::vector<std::int64_t> pauses;
  S3Options options() {
    S3Options options;
    options.endpoint = server.endpoint();
    options.credentials = {"canary-id-5150", kSecret, kToken};
    options.attempts = 3;
    options.in_flight = 1;
    options.silence_seconds = 1;
    options.pause = [this](std::int64_t ms) { pauses.push_back(ms); };
    return options;
  }
};

inline std::string xml_error(const std::string& name) {
  return "<?xml version=\"1.0\"?><Error><Code>" + name +
         "</Code><Message>of the server</Message></Error>";
}

inline Error checked(const Error& error, Code code, const std::string& part) {
  CHECK(error.code() == code);
  CHECK(contains(error.message(), part));
  for (const char* canary : {"canary", "of the server", "Signature="}) {
    CHECK_FALSE(contains(error.message(), canary));
  }
  return error;
}

}  // namespace curia
