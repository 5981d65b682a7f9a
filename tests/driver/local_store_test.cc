#include "driver/local_store.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/driver/samples.h"
#include "tests/support/temporary_folder.h"

using namespace curia;

namespace {

namespace fs = std::filesystem;

Tensor two(double a, double b) { return Tensor::of<double>({2}, std::vector<double>{a, b}); }

}  // namespace

TEST_CASE("LocalStore: values of every kind come back with every type and bit") {
  const TemporaryFolder folder;
  const LocalStore store(folder.path() + "/made/when/missing");
  const std::vector<Value> values = samples();
  for (std::size_t i = 0; i < values.size(); ++i) {
    INFO(values[i].type().str());
    const std::string name = "v" + std::to_string(i);
    store.save(name, values[i]);
    CHECK(same(store.load(name), values[i]));
  }
  CHECK(store.list().size() == values.size());
}

TEST_CASE("LocalStore: URIs of all schemes have their own files, and are listed") {
  const TemporaryFolder folder;
  const LocalStore store(folder.path());
  const std::vector<std::string> uris = {"fs:///a", "fs:///a.npy", "fs:///b/c",
                                         "mem://00112233445566778899aabbccddeeff",
                                         "oss://bucket/key/of"};
  for (std::size_t i = 0; i < uris.size(); ++i) store.save(uris[i], two(static_cast<double>(i), 0));
  for (std::size_t i = 0; i < uris.size(); ++i) {
    CHECK(store.load(uris[i]).tensor().as<double>()[0] == static_cast<double>(i));
  }
  std::vector<std::string> found;
  for (const Uri& uri : store.list()) found.push_back(uri.str());
  CHECK(found == uris);
  CHECK(store.path_of("a", false) == folder.path() + "/fs/a.npy");
  CHECK(store.load("a").tensor().as<double>()[0] == 0);
  CHECK(fs::exists(folder.path() + "/fs/b/c.npy"));
}

TEST_CASE("LocalStore: names that could leave the folder, or are none, are refused") {
  const TemporaryFolder folder;
  const LocalStore store(folder.path() + "/store");
  for (const std::string name : {"", "..", "../x", "/x", "a//b", "a b", "fs://x", "file:///x",
                                 "a#b", "mem://x", "fs:///../x"}) {
    INFO(name);
    CHECK_THROWS_AS(store.save(name, two(1, 2)), Error);
    CHECK_THROWS_AS(store.load(name), Error);
  }
  CHECK(store.list().empty());
  CHECK(!fs::exists(folder.path() + "/x.npy"));
}

TEST_CASE("LocalStore: a value replaces an older one, also one of the other kind") {
  const TemporaryFolder folder;
  const LocalStore store(folder.path());
  const Table table{{three<double>("x", 1, 2, 3)}, 3};
  store.save("v", two(1, 2));
  store.save("v", two(3, 4));
  CHECK(store.load("v").tensor().as<double>()[0] == 3);
  store.save("v", table);
  CHECK(store.load("v").is_table());
  CHECK(!fs::exists(store.path_of("v", false)));
  store.save("v", two(5, 6));
  CHECK(store.load("v").is_tensor());
  CHECK(store.list().size() == 1);
  CHECK(store.erase("v"));
  CHECK(!store.erase("v"));
  CHECK(!store.contains("v"));
}

TEST_CASE("LocalStore: what does not exist, or is not of a store, is said so") {
  const TemporaryFolder folder;
  const LocalStore store(folder.path());
  CHECK_THROWS_WITH_AS(store.load("none"), doctest::Contains("nothing was saved as none"), Error);
  CHECK_THROWS_WITH_AS(store.save("e", Value(Error(Code::kFailed, "the run failed"))),
                       doctest::Contains("the run failed"), Error);
  CHECK(!store.contains("e"));
  store.save("v", two(1, 2));
  std::ofstream(store.path_of("v", false)) << "no numbers";
  CHECK_THROWS_WITH_AS(store.load("v"), doctest::Contains("v.npy"), Error);
  for (const std::string text : {"", "\n", "x,y\n1,2\n", "x:i64,y\n1,2\n", "x:int\n1\n",
                                 "x:i64\nsecret\n", "x:i64,x:i64\n1,2\n"}) {
    INFO(text);
    std::ofstream(store.path_of("t", true)) << text;
    try {
      store.load("t");
      FAIL("loaded");
    } catch (const Error& error) {
      CHECK(error.message().find("secret") == std::string::npos);
    }
  }
  std::ofstream(folder.path() + "/fs/left#0011") << "over";
  std::ofstream(folder.path() + "/fs/notes.txt") << "mine";
  CHECK(store.list().size() == 2);
}

TEST_CASE("LocalStore: a write that fails leaves the older value and no rest") {
  const TemporaryFolder folder;
  const LocalStore store(folder.path());
  store.save("v", two(1, 2));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto large = Tensor::of<double>({100'000}, std::vector<double>(100'000));
  CHECK_THROWS_WITH_AS(store.save("v", large), doctest::Contains("v.npy"), Error);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  CHECK(store.load("v").tensor().as<double>()[1] == 2);
  for (const auto& [part, files] : {std::pair{"/fs", 1}, std::pair{"/#unfinished", 0}}) {
    CHECK(std::distance(fs::directory_iterator(folder.path() + part), fs::directory_iterator()) ==
          files);
  }
}

TEST_CASE("LocalStore: what a save that was killed left behind stayed for ever") {
  const TemporaryFolder folder;
  const LocalStore store(folder.path());
  store.save("v", two(1, 2));
  const auto unfinished = [&] {
    return std::distance(fs::directory_iterator(folder.path() + "/#unfinished"),
                         fs::directory_iterator());
  };
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit small{4096, 4096};
    std::signal(SIGXFSZ, SIG_DFL);  // kills who writes more
    setrlimit(RLIMIT_FSIZE, &small);
    store.save("v", Tensor::of<double>({100'000}, std::vector<double>(100'000)));
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  CHECK(unfinished() == 1);
  const std::string theirs = folder.path() + "/#unfinished/of-another-process";
  const int writer = ::open(theirs.c_str(), O_CREAT | O_WRONLY, 0600);
  REQUIRE(::flock(writer, LOCK_EX) == 0);
  const LocalStore next(folder.path());
  CHECK(unfinished() == 1);
  CHECK(fs::exists(theirs));
  CHECK(next.load("v").tensor().as<double>()[1] == 2);
  ::close(writer);
  const LocalStore last(folder.path());
  CHECK(unfinished() == 0);
}

TEST_CASE("LocalStore: a folder that cannot be made is named") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() + "/file") << "x";
  CHECK_THROWS_WITH_AS(LocalStore(folder.path() + "/file/store"), doctest::Contains("/file/store"),
                       Error);
}
