// What the S3 backend does when its server fails, and what it never asks one for.
#include <doctest/doctest.h>

#include "store/s3_backend.h"
#include "tests/store/backend_contract.h"
#include "tests/store/scripted_s3.h"
#include "tests/support/temporary_folder.h"

using namespace curia;

namespace {

// A backend whose server has nothing at first.
struct ScriptedStore {
  Scripted world;
  TemporaryFolder folder;
  S3StoreOptions options;
  std::unique_ptr<S3Backend> store;
  std::size_t asked = 0;  // by the start

  ScriptedStore() {
    world.server.answer(http_answer(200, "<ListMultipartUploadsResult/>"));
    world.server.answer(http_answer(200, "<ListBucketResult></ListBucketResult>"));
    options.server = world.options();
    options.buckets["bucket"] = {"mine/", false};
    options.state = folder / "oss";
    options.key.fill(7);
  }
  S3Backend& start() {
    store = std::make_unique<S3Backend>(options);
    asked = world.server.requests().size();
    return *store;
  }
  void put(const std::string& key, std::int64_t version = 0) {
    store->put(key, contract_value(10, 1), contract_meta("dora"), version);
  }
  std::size_t requests() const { return world.server.requests().size() - asked; }
};

std::string body_of(const std::string& request) {
  return request.substr(request.find("\r\n\r\n") + 4);
}

}  // namespace

TEST_CASE("S3 faults: what is beyond bucket and prefix is refused without a request") {
  ScriptedStore world;
  world.start();
  for (const std::string key : {"bucket/x", "bucket/mine", "bucket/minex", "bucket/mines/x",
                                "other/mine/x", "169.254.169.254/latest/x"}) {
    CAPTURE(key);
    checked(error_of([&] { world.put(key); }), Code::kDenied, "oss://" + key);
    CHECK_FALSE(world.store->get(key));
    CHECK_FALSE(world.store->exists(key));
    CHECK_FALSE(world.store->erase(key));
  }
  for (const std::string key : {"bucket/mine/../x", "bucket/mine//x", "bucket/mine/", "bucket",
                                "bucket/mine/%2e", "Bucket/mine/x"}) {
    CAPTURE(key);
    CHECK(code_of([&] { world.put(key); }) == Code::kInvalid);
  }
  CHECK(world.requests() == 0);
}

TEST_CASE("S3 faults: a put that is refused leaves nothing, in the quota neither") {
  ScriptedStore world;
  world.world.server.answer(http_answer(403, xml_error("AccessDenied")));
  world.start();
  checked(error_of([&] { world.put("bucket/mine/x"); }), Code::kFailed, "403 AccessDenied");
  CHECK_FALSE(world.store->exists("bucket/mine/x"));
  CHECK(world.store->stats().open.bytes == 0);
  CHECK(world.store->stats().open.overhead_bytes == 0);
}

TEST_CASE("S3 faults: a put whose answer was lost took place if the object is there") {
  for (const bool there : {false, true}) {
    CAPTURE(there);
    ScriptedStore world;
    HttpScript& server = world.world.server;
    std::string file;
    for (int attempt = 0; attempt < 3; ++attempt) {
      server.answer([&file](const std::string& request) {
        file = body_of(request);
        return std::string();  // cut
      });
    }
    server.answer([&](const std::string&) {
      return there ? "HTTP/1.1 200 it\r\nConnection: close\r\nContent-Length: " +
                         std::to_string(file.size()) + "\r\n\r\n"
                   : http_answer(404, "");
    });
    server.answer([&file](const std::string&) { return http_part(file, 0, std::ssize(file)); });
    world.start();
    if (there) {
      CHECK_NOTHROW(world.put("bucket/mine/x"));
      CHECK(world.store->get("bucket/mine/x")->value->bytes() == 80);
    } else {
      CHECK(code_of([&] { world.put("bucket/mine/x"); }) == Code::kOverloaded);
    }
    CHECK(world.store->exists("bucket/mine/x") == there);
  }
}

TEST_CASE("S3 faults: a put that got through before it was tried again is not in its own way") {
  ScriptedStore world;
  HttpScript& server = world.world.server;
  std::string file;
  server.answer([&file](const std::string& request) {
    file = body_of(request);
    return std::string();
  });
  server.answer(http_answer(412, xml_error("PreconditionFailed")));
  server.answer([&file](const std::string&) {
    return "HTTP/1.1 200 it\r\nConnection: close\r\nContent-Length: " +
           std::to_string(file.size()) + "\r\n\r\n";
  });
  server.answer([&file](const std::string&) { return http_part(file, 0, std::ssize(file)); });
  world.start();
  CHECK_NOTHROW(world.put("bucket/mine/x"));
  CHECK(world.store->exists("bucket/mine/x"));
}

TEST_CASE("S3 faults: a server without conditional writes is looked at first") {
  ScriptedStore world;
  HttpScript& server = world.world.server;
  server.answer(http_answer(501, xml_error("NotImplemented")));
  server.answer(http_answer(404, ""));  // nothing there
  server.answer(http_answer(200, ""));
  server.answer("HTTP/1.1 200 it\r\nConnection: close\r\nContent-Length: 5\r\n\r\n");
  world.start();
  CHECK_NOTHROW(world.put("bucket/mine/x"));
  CHECK_FALSE(contains(server.requests().at(world.asked + 2), "If-None-Match"));
  // What is there then is no file of a worker.
  CHECK(code_of([&] { world.put("bucket/mine/y"); }) == Code::kImmutable);
}

TEST_CASE("S3 faults: a start without its server says so, and forgets nothing") {
  ScriptedStore world;
  world.world.server.answer(http_answer(200, ""));
  world.start();
  world.put("bucket/mine/x");
  world.store.reset();
  Scripted failing;
  failing.server.answer(http_answer(503, ""));
  S3StoreOptions options = world.options;
  options.server = failing.options();
  checked(error_of([&] { S3Backend backend(options); }), Code::kOverloaded, "S3 list of");
  // The server is back, without the object.
  Scripted empty;
  empty.server.answer(http_answer(200, "<ListMultipartUploadsResult/>"));
  empty.server.answer(http_answer(200, "<ListBucketResult></ListBucketResult>"));
  options.server = empty.options();
  S3Backend backend(options);
  CHECK(code_of([&] { backend.get("bucket/mine/x"); }) == Code::kCorrupt);
}

TEST_CASE("S3 faults: a removal that fails leaves the object") {
  ScriptedStore world;
  world.world.server.answer(http_answer(200, ""));
  world.world.server.answer(http_answer(403, xml_error("AccessDenied")));
  world.start();
  world.put("bucket/mine/x");
  checked(error_of([&] { world.store->erase("bucket/mine/x"); }), Code::kFailed, "403");
  CHECK(world.store->exists("bucket/mine/x"));
}

TEST_CASE("S3 faults: a bucket that others read takes nothing in the clear, and no hidden sizes") {
  ScriptedStore world;
  world.world.server.answer(http_answer(200, ""));
  world.options.buckets["bucket"].shared = true;
  checked(error_of([&] { world.start(); }), Code::kInvalid, "has readers");
  world.options.encryption.emplace().fill(9);
  world.start();
  auto meta = std::make_shared<ObjectMeta>(*contract_meta("dora"));
  meta->hidden = true;
  checked(error_of([&] { world.store->put("bucket/mine/x", contract_value(1, 1), meta, 0); }),
          Code::kDenied, "how large this result is");
  CHECK(world.requests() == 0);
  CHECK_NOTHROW(world.put("bucket/mine/x"));
}
