// An S3 backend over the server under test, with a state of its own, which can be started again.
// Keys of tests are beneath a prefix that is empty at the beginning and at the end.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "store/s3_backend.h"
#include "tests/store/real_s3.h"
#include "tests/support/temporary_folder.h"

namespace curia {

struct S3World {
  TemporaryFolder folder;
  S3StoreOptions options;
  std::unique_ptr<S3Backend> store;
  S3Client client{RealS3::server().options()};

  explicit S3World(const std::string& prefix = "world/") {
    options.server = RealS3::server().options();
    options.buckets[RealS3::server().bucket] = {prefix, false};
    options.state = folder / "oss";
    options.key.fill(7);
    empty();
  }
  ~S3World() {
    store.reset();
    empty();
  }
  S3World(const S3World&) = delete;
  S3World& operator=(const S3World&) = delete;

  S3Backend& start() {
    store.reset();
    store = std::make_unique<S3Backend>(options);
    return *store;
  }
  const std::string& bucket() const { return RealS3::server().bucket; }
  S3Bucket& rules() { return options.buckets[bucket()]; }
  std::string prefix() { return rules().prefix; }
  // The backend's key of a name, and the server's.
  std::string key(const std::string& name) { return bucket() + "/" + prefix() + name; }
  std::string object(const std::string& name) { return prefix() + name; }

  std::vector<std::uint8_t> bytes_of(const std::string& name) {
    std::vector<std::uint8_t> bytes;
    const auto size = client.head(bucket(), object(name));
    if (!size) return bytes;
    client.get(bucket(), object(name), 0, *size, *size,
               [&](std::int64_t, std::span<const std::uint8_t> data) {
                 bytes.insert(bytes.end(), data.begin(), data.end());
               });
    return bytes;
  }
  void overwrite(const std::string& name, const std::vector<std::uint8_t>& bytes) {
    client.put(bucket(), object(name), bytes, S3Write::kOver);
  }
  void empty() {
    for (;;) {
      const S3Page page = client.list(bucket(), prefix(), "");
      if (page.objects.empty()) return;
      for (const S3Object& found : page.objects) client.erase(bucket(), found.key);
    }
  }
};

}  // namespace curia
