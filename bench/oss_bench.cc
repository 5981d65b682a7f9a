// Objects at an S3 server: put and get beside the curl command with the same server. The server is
// the one that tests/store/s3_with_server.py started; without it there are no figures.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <numeric>
#include <string>

#include "bench/benches.h"
#include "protocol/error.h"
#include "store/s3_backend.h"
#include "tests/support/temporary_folder.h"

namespace curia::bench {
namespace {

constexpr std::int64_t kBytes = std::int64_t{256} << 20;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

// Errors: kFailed where curl is not there, or the server refuses.
void curl(std::vector<std::string> words) {
  std::vector<std::string> all = {"curl", "--silent", "--fail"};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> pointers;
  for (std::string& word : all) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  int status = -1;
  if (::posix_spawnp(&child, "curl", nullptr, nullptr, pointers.data(), environ) != 0 ||
      ::waitpid(child, &status, 0) != child || status != 0) {
    throw Error(Code::kFailed, "the curl command failed; is it installed?");
  }
}

}  // namespace

std::vector<Figure> bench_oss(int runs) {
  S3Options server;
  server.endpoint = variable("CURIA_S3_ENDPOINT");
  server.credentials = {variable("CURIA_S3_ID"), variable("CURIA_S3_SECRET"), ""};
  const std::string bucket = variable("CURIA_S3_BUCKET");
  if (server.endpoint.empty()) return {};
  const TemporaryFolder folder(TemporaryFolder::Place::kDisk);
  S3StoreOptions options{
      .server = server, .buckets = {{bucket, {"bench/", false}}}, .state = folder / "oss"};
  S3Backend store(options);

  auto buffer = Buffer::allocate(kBytes);
  std::iota(buffer->data(), buffer->data() + kBytes, std::uint8_t{0});
  const std::string plain = folder / "plain";
  std::ofstream(plain, std::ios::binary)
      .write(reinterpret_cast<const char*>(buffer->data()), kBytes);
  const auto value =
      std::make_shared<const Value>(Tensor{DType::kU8, {kBytes}, Slice(BufferPtr(buffer))});
  auto meta = std::make_shared<ObjectMeta>();
  meta->label = std::make_shared<const Label>();

  // The file is summed once, not in each round: the command cannot sign what it has not read.
  const std::vector<std::string> sign = {"--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                                         server.credentials.id + ":" + server.credentials.secret};
  const std::string url = server.endpoint + "/" + bucket + "/plain";
  const auto with = [&sign](std::vector<std::string> words) {
    words.insert(words.end(), sign.begin(), sign.end());
    return words;
  };
  const std::string sum = sha256({buffer->data(), static_cast<std::size_t>(kBytes)}).hex();
  const std::string empty = sha256({}).hex();
  const std::string key = bucket + "/bench/k";
  std::vector<double> put, put_limit, get, get_limit;
  for (int i = 0; i <= runs; ++i) {  // the first round is not counted
    put_limit.push_back(seconds_of([&] {
      curl(with({"--header", "x-amz-content-sha256: " + sum, "--upload-file", plain, url}));
    }));
    put.push_back(seconds_of([&] { store.put(key, value, meta, 0); }));
    get_limit.push_back(seconds_of([&] {
      curl(with({"--header", "x-amz-content-sha256: " + empty, "--output", folder / "got", url}));
    }));
    get.push_back(seconds_of([&] { store.get(key); }));
    store.erase(key);
    if (i == 0) {
      for (auto* times : {&put, &put_limit, &get, &get_limit}) times->clear();
    }
  }
  curl(with({"--header", "x-amz-content-sha256: " + empty, "--request", "DELETE", url}));
  const auto rate = [](const std::vector<double>& times) {
    return static_cast<double>(kBytes) / median(times);
  };
  return {of_rate("oss_put", "B/s", rate(put), rate(put_limit), 0.8),
          of_rate("oss_get", "B/s", rate(get), rate(get_limit), 0.8)};
}

}  // namespace curia::bench
