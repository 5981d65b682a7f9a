#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>

#include "protocol/error.h"
#include "protocol/link/keys.h"
#include "tests/support/temporary_folder.h"

using namespace curia;

namespace {

// A key file of alice in a folder of its own.
class KeyFile {
 public:
  const std::string& path() const { return path_; }
  void write(const std::string& text) const {
    std::ofstream(path_) << text;
    chmod(path_.c_str(), 0600);
  }

 private:
  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "alice.key";
};

template <class Fn>
std::string message_of(Code code, Fn fn) {
  try {
    fn();
  } catch (const Error& error) {
    return error.code() == code ? error.message() : "another code: " + error.message();
  }
  return "no error";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Keys: a pair fits together, and no two are the same") {
  const KeyPair one = generate_keys();
  const KeyPair two = generate_keys();
  CHECK(one.public_key.size() == 40);
  CHECK(public_key(one.secret_key) == one.public_key);
  CHECK(one.secret_key != two.secret_key);
}

TEST_CASE("Keys: what is not a key is refused, naming what it was meant for") {
  const std::string good = generate_keys().public_key;
  check_key(good, "public key of alice");
  const std::string shorter = good.substr(1);
  CHECK(has(message_of(Code::kInvalid, [&] { check_key(shorter, "public key of alice"); }),
            "public key of alice is not a key: expected 40 characters of Z85, found 39"));
  for (const std::string& bad : {std::string(40, '"'), std::string(40, '\0'), std::string(40, '#'),
                                 good.substr(0, 39) + "\n", std::string()}) {
    CHECK(has(message_of(Code::kInvalid, [&] { check_key(bad, "x"); }), "x is not a key"));
  }
}

TEST_CASE("Keys: a key file keeps the pair, readable by its owner only") {
  const KeyFile file;
  const KeyPair keys = generate_keys();
  save_keys(file.path(), keys);
  struct stat info {};
  REQUIRE(stat(file.path().c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  const KeyPair back = load_keys(file.path());
  CHECK(back.public_key == keys.public_key);
  CHECK(back.secret_key == keys.secret_key);
}

TEST_CASE("Keys: a key file is never overwritten") {
  const KeyFile file;
  const KeyPair keys = generate_keys();
  save_keys(file.path(), keys);
  CHECK(has(message_of(Code::kInvalid, [&] { save_keys(file.path(), generate_keys()); }),
            "never overwritten"));
  CHECK(load_keys(file.path()).secret_key == keys.secret_key);
}

TEST_CASE("Keys: a key file that others can read is refused, with the way out") {
  const KeyFile file;
  save_keys(file.path(), generate_keys());
  for (const mode_t mode : {0640, 0604, 0660, 0602}) {
    chmod(file.path().c_str(), mode);
    CHECK(has(message_of(Code::kInvalid, [&] { load_keys(file.path()); }),
              "chmod 600 " + file.path()));
  }
  chmod(file.path().c_str(), 0600);
  CHECK(load_keys(file.path()).public_key.size() == 40);
}

TEST_CASE("Keys: a broken key file is refused, and the message never holds the secret") {
  const KeyFile file;
  const KeyPair keys = generate_keys();
  const std::string other = generate_keys().public_key;
  const auto json = [](const std::string& open, const std::string& secret) {
    return "{\"public\": \"" + open + "\", \"secret\": \"" + secret + "\"}";
  };
  for (const std::string& text :
       {std::string(), std::string("[]"), "{\"secret\": \"" + keys.secret_key,
        json(other, keys.secret_key), json(keys.public_key, keys.secret_key.substr(1)),
        "{\"public\": 1, \"secret\": \"" + keys.secret_key + "\"}", "\"" + keys.secret_key + "\"",
        json(keys.public_key, keys.secret_key) + std::string(5000, ' ')}) {
    file.write(text);
    const std::string message = message_of(Code::kInvalid, [&] { load_keys(file.path()); });
    CHECK(has(message, file.path()));
    CHECK(!has(message, keys.secret_key.substr(1)));
  }
  file.write(json(keys.public_key, keys.secret_key));
  CHECK(load_keys(file.path()).secret_key == keys.secret_key);
}

TEST_CASE("Keys: a missing key file is NOT_FOUND, and a folder is no key file") {
  const KeyFile file;
  CHECK(has(message_of(Code::kNotFound, [&] { load_keys(file.path()); }), file.path()));
  CHECK(has(message_of(Code::kInvalid, [&] { load_keys("/tmp"); }), "regular file"));
}
