#include "store/file_backend.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <functional>

#include "protocol/value_bytes.h"
#include "store/mapping.h"
#include "tests/store/arrow_samples.h"
#include "tests/store/backend_contract.h"
#include "tests/store/file_world.h"
#include "tests/support/there.h"

using namespace curia;
namespace fs = std::filesystem;

namespace {

double first_of(const std::optional<Object>& object) {
  return there(object).value->tensor().as<double>()[0];
}

std::string error_of(const std::function<void()>& work, Code code) {
  try {
    work();
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return error.message();
  }
  FAIL("expected an error");
  return "";
}

std::string corrupt(const FileBackend& store, const std::string& key) {
  return error_of([&] { store.get(key); }, Code::kCorrupt);
}

void flip(const std::string& path, std::int64_t at, int mask = 1) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const int was = file.get();
  file.seekp(at);
  file.put(static_cast<char>(was ^ mask));
}

bool says(const FileBackend& store, const std::string& part) {
  for (const std::string& line : store.report()) {
    if (line.find(part) != std::string::npos) return true;
  }
  return false;
}

void put(FileBackend& store, const std::string& key, double first, std::int64_t version = 0) {
  store.put(key, contract_value(500, first), contract_meta("dora"), version);
}

}  // namespace

TEST_CASE("FileBackend: keeps the contract of backends") {
  FileWorld world;
  world.options.open_quota = world.options.hidden_quota = kContractQuota;
  check_backend_contract([&] { return std::make_unique<FileBackend>(world.options); });
}

TEST_CASE("FileBackend: all kinds of values come back after a restart, with all that is known") {
  FileWorld world;
  world.start();
  for (const auto& [name, value] : arrow_samples()) {
    const auto meta = sample_meta(value, *contract_meta("dora"));
    meta->session[3] = 9;
    meta->program = sha256({});
    world.store->put("all/" + name, std::make_shared<const Value>(value), meta, 0);
  }
  const BackendStats before = world.store->stats();
  world.start();
  CHECK(world.store->stats().objects == before.objects);
  CHECK(world.store->stats().open.bytes == before.open.bytes);
  CHECK(world.store->stats().hidden.bytes == before.hidden.bytes);
  Owner owner{"dora", {}};
  owner.session[3] = 9;
  CHECK(std::ssize(world.store->list(owner, "all/", "", 100)) == before.objects);
  for (const auto& [name, value] : arrow_samples()) {
    CAPTURE(name);
    const Object object = there(world.store->get("all/" + name));
    const ObjectMeta& meta = *object.meta;
    CHECK(*meta.label == *contract_meta("dora")->label);
    CHECK(meta.type.str() == "f64[?] @alice");
    CHECK(meta.program == sha256({}));
    CHECK(meta.session == owner.session);
    CHECK(meta.hidden == value.is_table());
    if (value.is_error()) {
      const auto& error = std::get<Error>(object.value->form);
      CHECK(std::string(error.what()) == std::get<Error>(value.form).what());
      continue;
    }
    CHECK(object.value->type() == value.type());
    CHECK(object.value->bytes() == value.bytes());
    CHECK(is_mapped(*object.value) == (value.bytes() > 0));
    if (value.is_share()) {
      CHECK(object.value->share().instance == value.share().instance);
      CHECK(meta.device.members.size() == 3);
      CHECK(std::memcmp(object.value->share().second.data, value.share().second.data,
                        static_cast<std::size_t>(value.share().second.size)) == 0);
      continue;
    }
    const ValueBytes found = value_bytes(*object.value);
    const ValueBytes put = value_bytes(value);
    REQUIRE(found.body.size() == put.body.size());
    for (std::size_t i = 0; i < put.body.size(); ++i) {
      const auto size = static_cast<std::size_t>(put.body[i].size);
      CHECK(std::memcmp(found.body[i].data, put.body[i].data, size) == 0);
    }
  }
}

TEST_CASE("FileBackend: whichever byte of a file is changed, it is CORRUPT and never data") {
  FileWorld world;
  put(world.start(), "k", 42);
  const auto size = static_cast<std::int64_t>(fs::file_size(world.file("k")));
  for (std::int64_t at = 0; at < size; at += at % 97 == 0 ? 1 : 7) {
    CAPTURE(at);
    flip(world.file("k"), at, 1 << (at % 8));
    corrupt(*world.store, "k");
    flip(world.file("k"), at, 1 << (at % 8));
  }
  CHECK(first_of(world.store->get("k")) == 42);
  for (const std::int64_t bytes : {std::int64_t{0}, std::int64_t{9}, size / 2, size - 1}) {
    CAPTURE(bytes);
    fs::copy_file(world.file("k"), world.folder / "whole", fs::copy_options::overwrite_existing);
    fs::resize_file(world.file("k"), static_cast<std::uintmax_t>(bytes));
    corrupt(*world.store, "k");
    fs::rename(world.folder / "whole", world.file("k"));
  }
  fs::resize_file(world.file("k"), static_cast<std::uintmax_t>(size + 5));
  corrupt(*world.store, "k");
  // What is broken can be replaced, or removed.
  CHECK(world.store->put("k", contract_value(3, 8), contract_meta("dora"), 1) == 2);
  CHECK(first_of(world.store->get("k")) == 8);
}

TEST_CASE("FileBackend: a file that is cut while it is mapped is an error, not the end") {
  FileWorld world;
  world.start().put("k", contract_value(100'000, 42), contract_meta("dora"), 0);
  const Object object = there(world.store->get("k"));
  const std::span<const double> numbers = object.value->tensor().as<double>();
  CHECK(numbers[90'000] == 0.5);
  CHECK_FALSE(has_faulted(*object.value));
  fs::resize_file(world.file("k"), 4096);
  CHECK(numbers[90'000] == 0);
  CHECK(has_faulted(*object.value));
  CHECK_THROWS_AS(unmapped(object.value), Error);
  corrupt(*world.store, "k");
  error_of([&] { world.store->put("copy", object.value, contract_meta("dora"), 0); },
           Code::kCorrupt);
  CHECK_FALSE(world.store->exists("copy"));
  put(*world.store, "k", 7, 1);
  const auto fresh = world.store->get("k");
  CHECK(first_of(fresh) == 7);
  CHECK_FALSE(has_faulted(*fresh->value));
  const ValuePtr copy = unmapped(fresh->value);
  CHECK_FALSE(is_mapped(*copy));
  CHECK(copy->tensor().as<double>()[0] == 7);
}

TEST_CASE("FileBackend: an older version that somebody puts back is noticed") {
  FileWorld world;
  put(world.start(), "k", 1);
  fs::copy_file(world.file("k"), world.folder / "old");
  put(*world.store, "k", 2, 1);
  fs::copy_file(world.file("k"), world.folder / "new");
  const auto put_back = [&](const char* which) {
    fs::copy_file(world.folder / which, world.file("k"), fs::copy_options::overwrite_existing);
  };
  put_back("old");
  CHECK(corrupt(*world.store, "k").find("version 1 and not of version 2") != std::string::npos);
  world.start();
  CHECK(says(*world.store, "somebody put back version 1"));
  corrupt(*world.store, "k");
  put_back("new");
  CHECK(first_of(world.start().get("k")) == 2);
  // Under another name it is no object at all.
  fs::copy_file(world.folder / "new", world.file("other"));
  world.start();
  CHECK_FALSE(world.store->exists("other"));
  CHECK(says(*world.store, "ignored other: object fs:///other: the file is that of fs:///k"));
}

TEST_CASE("FileBackend: what was removed does not come back") {
  FileWorld world;
  put(world.start(), "k", 1);
  fs::copy_file(world.file("k"), world.folder / "old");
  world.store->erase("k");
  fs::copy_file(world.folder / "old", world.file("k"));
  error_of([&] { put(*world.store, "k", 2); }, Code::kImmutable);
  // The first start takes it for a removal that a crash cut off.
  CHECK_FALSE(world.start().exists("k"));
  CHECK_FALSE(fs::exists(world.file("k")));
  fs::copy_file(world.folder / "old", world.file("k"));
  CHECK_FALSE(world.start().exists("k"));
  CHECK(says(*world.store, "ignored k"));
}

TEST_CASE("FileBackend: a broken object belongs to its principal, and its label lets nothing out") {
  FileWorld world;
  put(world.start(), "broken", 1);
  put(*world.store, "gone", 2);
  put(*world.store, "good", 3);
  flip(world.file("broken"), static_cast<std::int64_t>(fs::file_size(world.file("broken"))) - 300);
  fs::remove(world.file("gone"));
  world.start();
  CHECK(first_of(world.store->get("good")) == 3);
  for (const char* key : {"broken", "gone"}) {
    CAPTURE(key);
    corrupt(*world.store, key);
    const Entry entry = there(world.store->describe(key));
    CHECK(entry.meta->principal == "dora");
    CHECK(entry.meta->label->str() == "{?/?}");
    CHECK(entry.version == 1);
    CHECK(world.store->exists(key));
  }
  put(*world.store, "broken", 5, 1);
  CHECK(world.store->erase("gone"));
  world.start();
  CHECK(first_of(world.store->get("broken")) == 5);
  CHECK_FALSE(world.store->exists("gone"));
}

TEST_CASE("FileBackend: files of another worker, and a ledger of another, are refused") {
  FileWorld world;
  put(world.start(), "k", 1);
  world.options.key.fill(8);
  CHECK(error_of([&] { world.start(); }, Code::kCorrupt).find("/state/versions") !=
        std::string::npos);
  fs::remove(world.options.state + "/versions");
  world.start();
  CHECK_FALSE(world.store->exists("k"));
  CHECK(says(*world.store, "seal is not this worker's"));
  error_of([&] { put(*world.store, "k", 2); }, Code::kImmutable);
}

TEST_CASE("FileBackend: a ledger that was changed is refused, one that a crash cut is not") {
  FileWorld world;
  world.start();
  for (int i = 0; i < 20; ++i) put(*world.store, std::to_string(i), i);
  world.store.reset();
  const std::string ledger = world.options.state + "/versions";
  std::string bytes;
  {
    std::ifstream file(ledger, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  const std::size_t end = bytes.find_last_not_of('\0') + 1;
  flip(ledger, 100);
  error_of([&] { world.start(); }, Code::kCorrupt);
  flip(ledger, 100);
  for (const std::size_t cut : {std::size_t{1}, std::size_t{40}}) {
    fs::resize_file(ledger, end - cut);
    world.start();
    CHECK(world.store->stats().objects == 20);
    CHECK(world.store->report().size() == 1);
    world.store.reset();
    std::ofstream(ledger, std::ios::binary | std::ios::trunc) << bytes;
  }
}

TEST_CASE("FileBackend: links, pipes and folders are not followed, read or written over") {
  FileWorld world;
  put(world.start(), "k", 1);
  fs::copy_file(world.file("k"), world.folder / "outside");
  const auto becomes = [&](const std::function<void()>& make) {
    fs::remove(world.file("k"));
    make();
    std::string why = corrupt(*world.store, "k");
    fs::remove(world.file("k"));
    fs::copy_file(world.folder / "outside", world.file("k"));
    CHECK(first_of(world.store->get("k")) == 1);
    return why;
  };
  becomes([&] { fs::create_symlink(world.folder / "outside", world.file("k")); });
  becomes([&] { fs::create_hard_link(world.folder / "outside", world.file("k")); });
  becomes([&] { ::mkfifo(world.file("k").c_str(), 0600); });
  becomes([&] { fs::create_directory(world.file("k")); });
  // A folder on the way, too.
  fs::create_directory(world.folder / "elsewhere");
  fs::create_directory_symlink(world.folder / "elsewhere", world.file("link"));
  error_of([&] { put(*world.store, "link/x", 1); }, Code::kImmutable);
  CHECK(fs::is_empty(world.folder / "elsewhere"));
  error_of([&] { put(*world.store, "k/x", 1); }, Code::kImmutable);
  error_of([&] { put(*world.store, ".curia/lock", 1); }, Code::kInvalid);
  error_of([&] { put(*world.store, "../x", 1); }, Code::kInvalid);
  // Somebody's own file is no object, and stays.
  std::ofstream(world.file("mine.csv")) << "a,b\n";
  error_of([&] { put(*world.store, "mine.csv", 1); }, Code::kImmutable);
  CHECK_FALSE(world.start().exists("mine.csv"));
  CHECK(fs::file_size(world.file("mine.csv")) == 4);
}

TEST_CASE("FileBackend: one worker a root, and a root that can be") {
  FileWorld world;
  world.start();
  CHECK(
      error_of([&] { FileBackend second(world.options); }, Code::kInvalid).find("another worker") !=
      std::string::npos);
  FileStoreOptions bad = world.options;
  bad.root = "/proc/none";
  CHECK(error_of([&] { FileBackend none(bad); }, Code::kInvalid).find("fs_root /proc/none") !=
        std::string::npos);
  std::ofstream(world.folder / "file") << "x";
  bad.root = world.folder / "file";
  error_of([&] { FileBackend none(bad); }, Code::kInvalid);
}

TEST_CASE("FileBackend: what a killed worker was writing is swept") {
  FileWorld world;
  put(world.start(), "k", 1);
  world.store.reset();
  std::ofstream(world.file(".curia/tmp/17")) << "half a file";
  world.start();
  CHECK(fs::is_empty(world.file(".curia/tmp")));
  CHECK(first_of(world.store->get("k")) == 1);
}

TEST_CASE("FileBackend: many versions and keys keep the ledger small") {
  FileWorld world;
  world.start();
  for (int i = 0; i < 12'000; ++i) {
    world.store->put("k", contract_value(1, i), contract_meta("dora"), i);
  }
  CHECK(fs::file_size(world.options.state + "/versions") < (std::uintmax_t{2} << 20));
  world.start();
  CHECK(world.store->get("k")->version == 12'000);
}
