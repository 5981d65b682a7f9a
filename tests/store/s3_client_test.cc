// Against a real server; s3_faults_test.cc has what a server does not do on request.
#include "store/s3_client.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "store/s3_upload.h"
#include "tests/store/real_s3.h"
#include "tests/support/errors.h"

using namespace curia;

namespace {

std::vector<std::uint8_t> numbered(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return bytes;
}

std::vector<std::uint8_t> part_of(S3Client& client, const std::string& key, std::int64_t offset,
                                  std::int64_t bytes, std::int64_t total) {
  std::vector<std::uint8_t> found;
  client.get(RealS3::server().bucket, key, offset, bytes, total,
             [&](std::int64_t at, std::span<const std::uint8_t> data) {
               CHECK(at == offset + std::ssize(found));
               found.insert(found.end(), data.begin(), data.end());
             });
  return found;
}

void check_round_trip(S3Client& client, const std::string& key) {
  const std::string& bucket = RealS3::server().bucket;
  const auto bytes = numbered(100'000);
  CHECK_FALSE(client.head(bucket, key));
  client.put(bucket, key, bytes, S3Write::kOver);
  CHECK(client.head(bucket, key) == 100'000);
  CHECK(part_of(client, key, 0, 100'000, 100'000) == bytes);
  const std::vector<std::uint8_t> middle(bytes.begin() + 70'000, bytes.begin() + 70'010);
  CHECK(part_of(client, key, 70'000, 10, 100'000) == middle);
  client.erase(bucket, key);
  CHECK_FALSE(client.head(bucket, key));
  client.erase(bucket, key);
}

}  // namespace

TEST_CASE("S3Client: the server under test refuses a wrong secret and an anonymous caller") {
  CHECK_FALSE(RealS3::server().endpoint.empty());
}

TEST_CASE("S3Client: what was put is read back, in parts too, with any key a URI may have") {
  S3Client client(RealS3::server().options());
  for (const char* key : {"client/a", "client/a=b+c@d,e~f_g-h.i/j", "client/deep/er/still"}) {
    CAPTURE(key);
    check_round_trip(client, key);
  }
}

TEST_CASE("S3Client: the bucket may stand in the host's name") {
  // Names beneath localhost are this machine's.
  S3Options options = RealS3::server().options();
  options.endpoint.replace(options.endpoint.find("127.0.0.1"), 9, "localhost");
  options.virtual_host = true;
  if (RealS3::server().name == "moto") return;  // which knows its own domains only
  S3Client client(options);
  check_round_trip(client, "virtual/a+b");
  CHECK(client.list(RealS3::server().bucket, "virtual/", "").objects.empty());
}

TEST_CASE("S3Client: a list goes on over pages, in order of keys, beneath its prefix") {
  const std::string& bucket = RealS3::server().bucket;
  S3Client client(RealS3::server().options());
  std::vector<std::string> keys = {"list/a", "list/a=1+2", "list/b/c", "list/b/d", "list/e"};
  for (const std::string& key : keys) client.put(bucket, key, numbered(3), S3Write::kOver);
  client.put(bucket, "listless", numbered(3), S3Write::kOver);
  std::vector<std::string> found;
  std::string next;
  int pages = 0;
  do {
    const S3Page page = client.list(bucket, "list/", next, 2);
    for (const S3Object& object : page.objects) {
      found.push_back(object.key);
      CHECK(object.bytes == 3);
    }
    next = page.next;
    ++pages;
  } while (!next.empty());
  CHECK(found == keys);
  CHECK(pages >= 3);
  keys.emplace_back("listless");
  for (const std::string& key : keys) client.erase(bucket, key);
  CHECK(client.list(bucket, "list", "").objects.empty());
}

TEST_CASE("S3Client: a large object goes up in parts; one that is given up leaves nothing") {
  const std::string& bucket = RealS3::server().bucket;
  S3Options options = RealS3::server().options();
  options.part_bytes = 5 << 20;  // the least that servers take
  S3Client client(options);
  const auto bytes = numbered((std::size_t{12} << 20) + 77);
  const auto total = std::ssize(bytes);
  for (const bool finished : {false, true}) {
    S3Upload upload(client, bucket, "large/one", total, S3Write::kOver);
    const std::span<const std::uint8_t> all(bytes);
    for (std::size_t at = 0; at < bytes.size(); at += 1'000'003) {
      upload.add(all.subspan(at, std::min<std::size_t>(1'000'003, bytes.size() - at)));
    }
    if (finished) upload.finish();
    CHECK(client.head(bucket, "large/one").has_value() == finished);
  }
  CHECK(part_of(client, "large/one", 0, total, total) == bytes);
  client.erase(bucket, "large/one");
}

TEST_CASE("S3Client: an object that must be new is not written over") {
  const std::string& bucket = RealS3::server().bucket;
  S3Client client(RealS3::server().options());
  client.put(bucket, "new/one", numbered(10), S3Write::kNew);
  CHECK(code_of([&] { client.put(bucket, "new/one", numbered(11), S3Write::kNew); }) ==
        Code::kImmutable);
  CHECK(client.head(bucket, "new/one") == 10);
  client.put(bucket, "new/one", numbered(12), S3Write::kOver);
  CHECK(client.head(bucket, "new/one") == 12);
  client.erase(bucket, "new/one");
}

TEST_CASE("S3Client: an object that is not there, or has another size, is told apart") {
  const std::string& bucket = RealS3::server().bucket;
  S3Client client(RealS3::server().options());
  CHECK(code_of([&] { part_of(client, "none", 0, 10, 10); }) == Code::kNotFound);
  client.put(bucket, "short", numbered(10), S3Write::kOver);
  CHECK(code_of([&] { part_of(client, "short", 0, 20, 20); }) == Code::kCorrupt);
  CHECK(code_of([&] { part_of(client, "short", 15, 5, 20); }) == Code::kCorrupt);
  CHECK(code_of([&] { part_of(client, "short", 0, 5, 9); }) == Code::kCorrupt);
  CHECK(part_of(client, "short", 0, 0, 10).empty());
  client.erase(bucket, "short");
  const Error error = error_of([&] { client.list("no-such-bucket", "", ""); });
  CHECK(contains(error.message(), "oss://no-such-bucket at " + RealS3::server().endpoint));
}
