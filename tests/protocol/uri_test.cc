#include "protocol/uri.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "protocol/error.h"

using namespace curia;

TEST_CASE("Uri: parse() keeps a good name and splits it") {
  const Uri mem = Uri::parse("mem://0123456789abcdef0123456789abcdef");
  CHECK(mem.scheme() == "mem");
  CHECK(mem.rest() == "0123456789abcdef0123456789abcdef");
  const Uri fs = Uri::parse("fs:///run-7/model.v2");
  CHECK(fs.scheme() == "fs");
  CHECK(fs.rest() == "run-7/model.v2");
  const Uri oss = Uri::parse("oss://bucket-1/a/b");
  CHECK(oss.scheme() == "oss");
  CHECK(oss.rest() == "bucket-1/a/b");
  CHECK(oss.str() == "oss://bucket-1/a/b");
}

TEST_CASE("Uri: fresh() names differ and parse back") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const Uri uri = Uri::fresh();
    CHECK(Uri::parse(uri.str()) == uri);
    seen.insert(uri.str());
  }
  CHECK(seen.size() == 1000);
}

TEST_CASE("Uri: parse() refuses a path that could leave the root, and every second spelling") {
  const std::string bad[] = {"",
                             "mem://",
                             "mem://0123456789ABCDEF0123456789abcdef",
                             "mem://0123456789abcdef0123456789abcde",
                             "mem://0123456789abcdef0123456789abcdef0",
                             "MEM://0123456789abcdef0123456789abcdef",
                             "fs://../x",
                             "fs://x",
                             "fs:///",
                             "fs:////x",
                             "fs:///x/",
                             "fs:///x//y",
                             "fs:///../x",
                             "fs:///x/../y",
                             "fs:///./x",
                             "fs:///%2e%2e/x",
                             "fs:///x\\y",
                             "fs:///x y",
                             std::string("fs:///x\0y", 9),
                             "fs:///\xc3\xa9",
                             "oss://b/k",
                             "oss://Bucket/k",
                             "oss://-bucket/k",
                             "oss://bucket",
                             "oss://bucket/",
                             "oss://buc..ket/k",
                             "oss://169.254.169.254:80/k",
                             "http://x/y",
                             "file:///etc/passwd",
                             "/etc/passwd",
                             "fs:///" + std::string(600, 'a'),
                             "fs:///" + std::string(256, 'a')};
  for (const std::string& text : bad) {
    CAPTURE(text);
    try {
      Uri::parse(text);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == Code::kInvalid);
      CHECK(error.message().find("bad URI") == 0);
      for (const char c : error.message()) CHECK((c >= 0x20 && c < 0x7f));
    }
  }
}
