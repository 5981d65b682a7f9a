#include "worker/oss_config.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "worker/config.h"

using namespace curia;

namespace {

constexpr const char* kCanary = "canary5150";

struct Files {
  TemporaryFolder folder;

  std::string write(const std::string& name, const std::string& text, unsigned mode = 0600) const {
    const std::string path = folder / name;
    std::ofstream(path, std::ios::trunc) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  // A worker's configuration with this for oss.
  std::string config(const std::string& oss) const {
    return write("worker.json", R"({"party": "alice", "control": "127.0.0.1:0",
      "data": "127.0.0.1:0", "key_file": "alice.key", "state_dir": "state", "oss": )" +
                                    oss + "}");
  }
  Error error(const std::string& oss) const {
    return error_of([&] { read_worker_config(config(oss)); });
  }
  // The fields of a good one, and what replaces or follows them.
  static std::string with(const std::string& rest) {
    return R"({"credentials_file": "s3.json", )" + rest + "}";
  }
};

const std::string kBuckets = R"("buckets": {"objects": {"prefix": "alice/"}})";
const std::string kEndpoint = R"("endpoint": "https://s3.example.org")";

}  // namespace

TEST_CASE("OssConfig: all fields are read, and what may be left out has its value") {
  const Files files;
  const OssConfig least =
      *read_worker_config(files.config(Files::with(kEndpoint + ", " + kBuckets))).oss;
  CHECK(least.endpoint == "https://s3.example.org");
  CHECK(least.region == "us-east-1");
  CHECK_FALSE(least.virtual_host);
  CHECK(least.encryption_key_file.empty());
  CHECK(least.buckets.at("objects") == S3Bucket{"alice/", false});
  const OssConfig most =
      *read_worker_config(files.config(Files::with(kEndpoint + R"(, "region": "eu-1",
        "style": "virtual-host", "encryption_key_file": "oss.key", "ca_file": "ca.pem",
        "quota_mib": 64, "hidden_quota_mib": 3,
        "buckets": {"a-b": {}, "c.d": {"prefix": "x/y/", "readers": ["bob"]}})")))
           .oss;
  CHECK(most.virtual_host);
  CHECK(most.region == "eu-1");
  CHECK(most.encryption_key_file == files.folder / "oss.key");
  CHECK(most.ca_file == files.folder / "ca.pem");
  CHECK(most.quota_bytes == 64 << 20);
  CHECK(most.hidden_quota_bytes == 3 << 20);
  CHECK(most.buckets.at("a-b") == S3Bucket{"", false});
  CHECK(most.buckets.at("c.d") == S3Bucket{"x/y/", true});
}

TEST_CASE("OssConfig: every error names file and field") {
  const Files files;
  const auto check = [&files](const std::string& oss, const std::string& expected) {
    CAPTURE(oss);
    const Error error = files.error(oss);
    CHECK(error.code() == Code::kInvalid);
    CHECK(says(error, "worker.json: oss" + expected));
  };
  check("7", ": expected an object");
  check(Files::with(kBuckets), ".endpoint: this field is missing");
  check(Files::with(R"("endpoint": "s3.example.org", )" + kBuckets),
        ".endpoint: expected \"https://host\"");
  check(Files::with(R"("endpoint": "http://169.254.169.254", )" + kBuckets),
        ".endpoint: http:// lets everybody");
  check(Files::with(R"("endpoint": "https://h/path", )" + kBuckets), ".endpoint: expected");
  check("{" + kEndpoint + ", " + kBuckets + "}", ".credentials_file: this field is missing");
  check(Files::with(kEndpoint), ".buckets: expected at least one");
  check(Files::with(kEndpoint + R"(, "buckets": {})"), ".buckets: expected at least one");
  check(Files::with(kEndpoint + R"(, "buckets": {"Big": {}})"), ".buckets.Big: ");
  check(Files::with(kEndpoint + R"(, "buckets": {"abc/d": {}})"), ".buckets.abc/d: ");
  check(Files::with(kEndpoint + R"(, "buckets": {"abc": {"prefix": "x"}})"),
        ".buckets.abc.prefix: expected it to end with a slash");
  check(Files::with(kEndpoint + R"(, "buckets": {"abc": {"prefix": "/"}})"),
        ".buckets.abc.prefix: ");
  check(Files::with(kEndpoint + R"(, "buckets": {"abc": {"prefix": "../"}})"),
        ".buckets.abc.prefix: ");
  check(Files::with(kEndpoint + R"(, "buckets": {"abc": {"readers": "bob"}})"),
        ".buckets.abc.readers: expected a list");
  check(Files::with(kEndpoint + R"(, "buckets": {"abc": {"readers": ["bob"]}})"),
        ".buckets.abc.readers: what is saved where others read");
  check(Files::with(kEndpoint +
                    R"(, "encryption_key_file": "k", "buckets": {"abc": {"readers": ["alice"]}})"),
        ".buckets.abc.readers: this is the worker's own name");
  check(Files::with(kEndpoint + R"(, "buckets": {"abc": {"colour": "red"}})"),
        ".buckets.abc.colour");
  check(Files::with(kEndpoint + R"(, "style": "dns", )" + kBuckets), ".style: expected \"path\"");
  check(Files::with(kEndpoint + R"(, "region": "EU WEST", )" + kBuckets), ".region: expected");
  check(Files::with(kEndpoint + R"(, "quota_mib": -1, )" + kBuckets), ".quota_mib: expected");
  check(Files::with(kEndpoint + R"(, "secret": "x", )" + kBuckets), ".secret");
}

TEST_CASE("OssConfig: credentials and keys are read from files of the owner's alone") {
  const Files files;
  const std::string good =
      std::string(R"({"access_key_id": "id", "secret_access_key": ")") + kCanary + "\"}";
  const std::string key(64, 'a');
  OssConfig config =
      *read_worker_config(files.config(Files::with(
                              kEndpoint + R"(, "encryption_key_file": "oss.key", )" + kBuckets)))
           .oss;
  const auto options = [&] { return oss_options(config, "state", {}); };
  const auto refused = [&](const std::string& expected) {
    const Error error = error_of(options);
    CHECK(says(error, expected));
    CHECK_FALSE(contains(error.what(), kCanary));
  };
  refused("s3.json does not exist");
  files.write("s3.json", good, 0644);
  refused("lets others in; run: chmod 600");
  for (const std::string& text :
       {std::string(kCanary), std::string("[]"),
        "{\"access_key_id\": \"" + std::string(kCanary) + "\"}",
        std::string(R"({"access_key_id": "i d", "secret_access_key": "canary5150"})"),
        std::string(R"({"access_key_id": "id", "secret_access_key": ""})"),
        std::string(R"({"access_key_id": "id", "secret_access_key": "canary5150\n"})"),
        std::string(R"({"access_key_id": "id", "secret_access_key": "canary5150", "x": 1})"),
        std::string(R"({"access_key_id": 7, "secret_access_key": "canary5150"})")}) {
    CAPTURE(text);
    files.write("s3.json", text);
    refused("credentials_file " + files.folder.path() + "/s3.json: ");
  }
  files.write("s3.json", good);
  refused("oss.key does not exist");
  files.write("oss.key", key, 0640);
  refused("lets others in");
  for (const std::string& text : {std::string(kCanary), std::string(62, 'a'), std::string(66, 'a'),
                                  std::string(64, 'G'), std::string()}) {
    files.write("oss.key", text);
    refused("encryption_key_file " + files.folder.path() + "/oss.key: expected 64");
  }
  files.write("oss.key", key + "\n");
  const S3StoreOptions read = options();
  CHECK(read.server.credentials.id == "id");
  CHECK(read.server.credentials.secret == kCanary);
  CHECK(read.encryption->at(0) == 0xaa);
  CHECK(read.state == "state/oss");
  CHECK(read.buckets == config.buckets);
}
