// What may go wrong on the way to an S3 server and back.
#include <doctest/doctest.h>

#include "store/s3_upload.h"
#include "tests/store/scripted_s3.h"

using namespace curia;

namespace {

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string read(S3Client& client, std::int64_t bytes, std::int64_t total, std::int64_t from = 0) {
  std::string found;
  client.get("bucket", "key", from, bytes, total,
             [&found](std::int64_t, std::span<const std::uint8_t> data) {
               found.append(data.begin(), data.end());
             });
  return found;
}

}  // namespace

TEST_CASE("S3 faults: a server that fails is asked again, with pauses that grow, and then not") {
  Scripted world;
  world.server.answer(http_answer(503, xml_error("SlowDown")));
  world.server.answer(http_answer(500, ""));
  world.server.answer(http_answer(200, ""));
  world.server.answer(http_answer(503, xml_error("SlowDown")));
  S3Client client(world.options());
  client.put("bucket", "key", bytes_of("hello"), S3Write::kOver);
  CHECK(world.pauses == std::vector<std::int64_t>{100, 200});
  for (const std::string& request : world.server.requests()) {
    CHECK(contains(request, "PUT /bucket/key HTTP/1.1"));
    CHECK(request.ends_with("hello"));
  }
  const Error error =
      error_of([&] { client.put("bucket", "key", bytes_of("hello"), S3Write::kOver); });
  checked(error, Code::kOverloaded, "S3 put of oss://bucket/key at " + world.server.endpoint());
  CHECK(contains(error.message(), "503 SlowDown"));
  CHECK(contains(error.message(), "(3 attempts)"));
  CHECK(world.server.requests().size() == 6);
}

TEST_CASE("S3 faults: a refusal is not asked again") {
  for (const auto& [status, code] :
       {std::pair{400, Code::kFailed}, std::pair{403, Code::kFailed},
        std::pair{404, Code::kNotFound}, std::pair{412, Code::kImmutable},
        std::pair{429, Code::kFailed}, std::pair{501, Code::kUnimplemented}}) {
    CAPTURE(status);
    Scripted world;
    world.server.answer(http_answer(status, xml_error("SomeName")));
    S3Client client(world.options());
    checked(error_of([&] { client.put("bucket", "key", {}, S3Write::kOver); }), code,
            std::to_string(status) + " SomeName");
    CHECK(world.server.requests().size() == 1);
  }
}

TEST_CASE("S3 faults: a redirect is refused, wherever it leads") {
  for (const int status : {301, 302, 303, 307, 308}) {
    CAPTURE(status);
    Scripted elsewhere;
    elsewhere.server.answer(http_answer(200, ""));
    Scripted world;
    world.server.answer(
        http_answer(status, "", "Location: " + elsewhere.server.endpoint() + "/bucket/key\r\n"));
    S3Client client(world.options());
    const auto attempts = {
        std::function<void()>([&] { read(client, 5, 5); }),
        std::function<void()>([&] { client.put("bucket", "key", bytes_of("x"), S3Write::kOver); }),
        std::function<void()>([&] { client.head("bucket", "key"); }),
        std::function<void()>([&] { client.list("bucket", "", ""); })};
    for (const auto& attempt : attempts) {
      checked(error_of(attempt), Code::kFailed, "the server redirects");
    }
    CHECK(world.server.requests().size() == attempts.size());
    CHECK(elsewhere.server.requests().empty());
  }
}

TEST_CASE("S3 faults: an answer that is cut goes on where it ended") {
  Scripted world;
  world.server.answer(
      "HTTP/1.1 206 it\r\nETag: \"t\"\r\nContent-Range: bytes 0-9/10\r\n"
      "Content-Length: 10\r\n\r\n0123");
  world.server.answer(
      "HTTP/1.1 206 it\r\nETag: \"t\"\r\nContent-Range: bytes 4-9/10\r\n"
      "Content-Length: 6\r\n\r\n4");
  world.server.answer(http_part("56789", 5, 10));
  S3Client client(world.options());
  CHECK(read(client, 10, 10) == "0123456789");
  const auto requests = world.server.requests();
  REQUIRE(requests.size() == 3);
  CHECK(contains(requests[0], "Range: bytes=0-9"));
  CHECK(contains(requests[1], "Range: bytes=4-9"));
  CHECK(contains(requests[2], "Range: bytes=5-9"));
  CHECK(contains(requests[2], "If-Match: \"t\""));
}

TEST_CASE("S3 faults: a cut answer does not go on with another object") {
  const std::string cut =
      "HTTP/1.1 206 it\r\nETag: \"t\"\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n"
      "0123";
  for (const std::string& other :
       {http_part("456789", 4, 10, "\"u\""), http_answer(412, xml_error("PreconditionFailed"))}) {
    Scripted world;
    world.server.answer(cut);
    world.server.answer(other);
    S3Client client(world.options());
    CHECK(code_of([&] { read(client, 10, 10); }) == Code::kCorrupt);
  }
}

TEST_CASE("S3 faults: an answer of another length or place than was asked for is refused") {
  const auto answered = [](const std::string& answer) {
    Scripted world;
    world.server.answer(answer);
    S3Client client(world.options());
    return error_of([&] { read(client, 4, 10, 2); });
  };
  CHECK(answered(http_part("2345", 2, 11)).code() == Code::kCorrupt);
  CHECK(answered(http_part("0123", 0, 10)).code() == Code::kFailed);
  CHECK(answered(http_answer(200, "0123456789")).code() == Code::kFailed);
  checked(answered(http_part("23456789", 2, 10)), Code::kFailed, "more than it was asked for");
  // Too short; and again from its beginning, where its rest was asked for.
  checked(answered(http_part("23", 2, 10)), Code::kFailed, "answers with another one");
  CHECK(answered("HTTP/1.1 206 it\r\nContent-Range: nonsense\r\nContent-Length: 4\r\n\r\n2345")
            .code() == Code::kFailed);
  CHECK(answered("nonsense\r\n\r\n").code() == Code::kOverloaded);
  CHECK(answered(http_answer(416, "")).code() == Code::kCorrupt);
}

TEST_CASE("S3 faults: a server that says nothing is given up in time, and named") {
  Scripted world;
  world.server.answer(HttpScript::kSilence);
  S3Options options = world.options();
  options.attempts = 1;
  S3Client client(options);
  const Error error = error_of([&] { client.head("bucket", "key"); });
  checked(error, Code::kTimeout, "S3 look at oss://bucket/key at " + world.server.endpoint());
  CHECK(contains(error.message(), "try again"));
}

TEST_CASE("S3 faults: nobody listens") {
  std::string endpoint;
  {
    HttpScript gone;
    gone.answer("");
    endpoint = gone.endpoint();
  }
  Scripted world;
  S3Options options = world.options();
  options.endpoint = endpoint;
  S3Client client(options);
  checked(error_of([&] { client.erase("bucket", "key"); }), Code::kOverloaded,
          "S3 removal of oss://bucket/key at " + endpoint);
  CHECK(world.pauses.size() == 2);
}

TEST_CASE("S3 faults: an answer without an end is cut off, whatever it answers") {
  const std::string huge(std::size_t{6} << 20, 'x');
  for (const int status : {200, 400, 503}) {
    CAPTURE(status);
    Scripted world;
    world.server.answer(http_answer(status, huge));
    S3Client client(world.options());
    checked(error_of([&] { client.list("bucket", "", ""); }), Code::kFailed, "more than 4 MiB");
  }
  Scripted world;
  world.server.answer("HTTP/1.1 200 it\r\nX-Long: " + huge + "\r\n\r\n");
  S3Client client(world.options());
  CHECK_NOTHROW(error_of([&] { client.list("bucket", "", ""); }));
}

TEST_CASE("S3 faults: a list that is none is refused, not taken for an empty one") {
  const std::string list = "<ListBucketResult>";
  for (const std::string& body :
       {std::string(), std::string("<html></html>"),
        list + "<Contents><Key>a</Key></Contents></ListBucketResult>",
        list + "<Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        list +
            "<Contents><Key>a</Key><Size>9999999999999999999</Size></Contents></ListBucketResult>",
        list + "<IsTruncated>true</IsTruncated></ListBucketResult>", list}) {
    CAPTURE(body);
    Scripted world;
    world.server.answer(http_answer(200, body));
    S3Client client(world.options());
    checked(error_of([&] { client.list("bucket", "p/", ""); }), Code::kFailed, "S3 list of");
  }
}

TEST_CASE("S3 faults: requests are signed, with the sum of their body and the session's token") {
  Scripted world;
  world.server.answer(http_answer(200, ""));
  S3Client client(world.options());
  client.put("bucket", "a+b/c", bytes_of("hello"), S3Write::kNew);
  const std::string request = world.server.requests().at(0);
  CHECK(contains(request, "PUT /bucket/a%2Bb/c HTTP/1.1"));
  CHECK(contains(request,
                 "x-amz-content-sha256: "
                 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"));
  CHECK(contains(request, std::string("x-amz-security-token: ") + kToken));
  CHECK(contains(request, "If-None-Match: *"));
  CHECK(contains(request,
                 "SignedHeaders=content-type;host;if-none-match;x-amz-content-sha256;"
                 "x-amz-date;x-amz-security-token"));
  CHECK_FALSE(contains(request, kSecret));
}

TEST_CASE("S3 faults: an upload that fails half-way is given up at the server") {
  Scripted world;
  world.server.answer(http_answer(200, "<R><UploadId>u&amp;1</UploadId></R>"));  // begin
  world.server.answer(http_answer(200, "", "ETag: \"one\"\r\n"));                // the first part
  world.server.answer(http_answer(403, xml_error("AccessDenied")));
  world.server.answer(http_answer(204, ""));
  S3Options options = world.options();
  options.part_bytes = 4;
  S3Client client(options);
  const auto upload = [&] {
    S3Upload parts(client, "bucket", "key", 12, S3Write::kOver);
    parts.add(bytes_of("0123456789ab"));
    parts.finish();
  };
  checked(error_of(upload), Code::kFailed, "S3 upload of a part of oss://bucket/key");
  const auto requests = world.server.requests();
  REQUIRE(requests.size() == 4);
  CHECK(contains(requests[0], "POST /bucket/key?uploads="));
  CHECK(contains(requests[1], "PUT /bucket/key?partNumber=1&uploadId=u%261"));
  CHECK(contains(requests[3], "DELETE /bucket/key?uploadId=u%261"));
}

TEST_CASE("S3 faults: an upload that the server says is done, and then that it is not, is not") {
  Scripted world;
  world.server.answer(http_answer(200, "<R><UploadId>u</UploadId></R>"));
  world.server.answer(http_answer(200, "", "ETag: \"one\"\r\n"));
  world.server.answer(http_answer(200, "", "ETag: \"two\"\r\n"));
  world.server.answer(http_answer(200, xml_error("InternalError")));
  S3Options options = world.options();
  options.part_bytes = 4;
  S3Client client(options);
  S3Upload parts(client, "bucket", "key", 8, S3Write::kOver);
  parts.add(bytes_of("01234567"));
  checked(error_of([&] { parts.finish(); }), Code::kOverloaded, "200 InternalError");
  CHECK(contains(world.server.requests().at(3), "<PartNumber>2</PartNumber><ETag>&quot;two&quot;"));
}

TEST_CASE("S3 faults: an endpoint is a host, sealed unless it is this machine") {
  for (const char* good : {"https://s3.example.org", "https://10.0.0.7:9000",
                           "http://127.0.0.1:9000", "http://localhost:1", "http://[::1]:9000"}) {
    CAPTURE(good);
    CHECK_NOTHROW(check_s3_endpoint(good));
  }
  for (const char* bad : {"", "s3.example.org", "http://", "https://", "http://s3.example.org",
                          "http://169.254.169.254", "http://localhost.example.org",
                          "http://127.0.0.1@evil.org", "https://user@host", "https://host/path",
                          "https://host?x", "file:///etc/passwd", "ftp://host", "https://ho st"}) {
    CAPTURE(bad);
    CHECK(code_of([&] { check_s3_endpoint(bad); }) == Code::kInvalid);
  }
}
