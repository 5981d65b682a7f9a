#include "tests/store/real_s3.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/support/errors.h"

namespace curia {
namespace {

std::string variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

void check_refusals(const RealS3& server) {
  const auto refuses = [&server](const S3Credentials& credentials, const std::string& how) {
    S3Options options = server.options();
    options.credentials = credentials;
    S3Client client(options);
    CHECK(says(error_of([&] { client.list(server.bucket, "", ""); }), how));
    CHECK(says(error_of([&] { client.put(server.bucket, "x", {}, S3Write::kOver); }), how));
    CHECK(says(error_of([&] { client.head(server.bucket, "x"); }), how));
  };
  S3Credentials wrong = server.credentials;
  wrong.secret.back() = wrong.secret.back() == 'x' ? 'y' : 'x';
  refuses(wrong, "the server refuses the worker's credentials (403");
  // moto fails (500) where a request has no signature at all.
  refuses({}, server.name == "moto" ? "the server fails (500" : "credentials (403");
  S3Client client(server.options());
  CHECK(client.list(server.bucket, "", "").objects.empty());
}

}  // namespace

const RealS3& RealS3::server() {
  static const RealS3 found = [] {
    RealS3 server{variable("CURIA_S3_SERVER"),
                  variable("CURIA_S3_ENDPOINT"),
                  variable("CURIA_S3_BUCKET"),
                  {variable("CURIA_S3_ID"), variable("CURIA_S3_SECRET"), ""}};
    REQUIRE_MESSAGE(!server.endpoint.empty(), "run this by tests/store/s3_with_server.py");
    check_refusals(server);
    return server;
  }();
  return found;
}

}  // namespace curia
