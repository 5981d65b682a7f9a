// The S3 server that s3_with_server.py started for this process. Thread: any.
#pragma once

#include <string>

#include "store/s3_client.h"

namespace curia {

struct RealS3 {
  std::string name;  // of the server's program
  std::string endpoint;
  std::string bucket;
  S3Credentials credentials;

  // Fails the test where there is none, or where the server takes a wrong secret or nobody's
  // request: then it says nothing about signatures.
  static const RealS3& server();

  S3Options options() const {
    return {.endpoint = endpoint, .credentials = credentials, .attempts = 2, .pause_ms = 1};
  }
};

}  // namespace curia
