#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "protocol/error.h"
#include "protocol/link/keys.h"

using namespace curia;

namespace {

// A folder that is gone with the object.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/curia-keys-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() {
    unlink(file().c_str());
    rmdir(path_.c_str());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file() const { return path_ + "/alice.key"; }
  void write(const std::string& text) const {
    std::ofstream(file()) << text;
    chmod(file().c_str(), 0600);
  }

 private:
  std::string path_;
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
  const Folder folder;
  const KeyPair keys = generate_keys();
  save_keys(folder.file(), keys);
  struct stat info {};
  REQUIRE(stat(folder.file().c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  const KeyPair back = load_keys(folder.file());
  CHECK(back.public_key == keys.public_key);
  CHECK(back.secret_key == keys.secret_key);
}

TEST_CASE("Keys: a key file is never overwritten") {
  const Folder folder;
  const KeyPair keys = generate_keys();
  save_keys(folder.file(), keys);
  CHECK(has(message_of(Code::kInvalid, [&] { save_keys(folder.file(), generate_keys()); }),
            "never overwritten"));
  CHECK(load_keys(folder.file()).secret_key == keys.secret_key);
}

TEST_CASE("Keys: a key file that others can read is refused, with the way out") {
  const Folder folder;
  save_keys(folder.file(), generate_keys());
  for (const mode_t mode : {0640, 0604, 0660, 0602}) {
    chmod(folder.file().c_str(), mode);
    CHECK(has(message_of(Code::kInvalid, [&] { load_keys(folder.file()); }),
              "chmod 600 " + folder.file()));
  }
  chmod(folder.file().c_str(), 0600);
  CHECK(load_keys(folder.file()).public_key.size() == 40);
}

TEST_CASE("Keys: a broken key file is refused, and the message never holds the secret") {
  const Folder folder;
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
    folder.write(text);
    const std::string message = message_of(Code::kInvalid, [&] { load_keys(folder.file()); });
    CHECK(has(message, folder.file()));
    CHECK(!has(message, keys.secret_key.substr(1)));
  }
  folder.write(json(keys.public_key, keys.secret_key));
  CHECK(load_keys(folder.file()).secret_key == keys.secret_key);
}

TEST_CASE("Keys: a missing key file is NOT_FOUND, and a folder is no key file") {
  const Folder folder;
  CHECK(has(message_of(Code::kNotFound, [&] { load_keys(folder.file()); }), folder.file()));
  CHECK(has(message_of(Code::kInvalid, [&] { load_keys("/tmp"); }), "regular file"));
}
