#include "store/s3_backend.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "protocol/value_bytes.h"
#include "store/mapping.h"
#include "tests/store/arrow_samples.h"
#include "tests/store/backend_contract.h"
#include "tests/store/s3_world.h"
#include "tests/support/errors.h"
#include "tests/support/there.h"

using namespace curia;

namespace {

// The contract's keys are any names; those of oss:// begin with a bucket and its prefix.
class Beneath : public Backend {
 public:
  Beneath(std::unique_ptr<Backend> whole, std::string prefix)
      : whole_(std::move(whole)), prefix_(std::move(prefix)) {}

  std::string_view scheme() const override { return whole_->scheme(); }
  std::int64_t put(const std::string& key, ValuePtr value, std::shared_ptr<const ObjectMeta> meta,
                   const Expected& expected) override {
    return whole_->put(prefix_ + key, std::move(value), std::move(meta), expected);
  }
  std::optional<Object> get(const std::string& key) const override {
    return whole_->get(prefix_ + key);
  }
  bool exists(const std::string& key) const override { return whole_->exists(prefix_ + key); }
  std::optional<Entry> describe(const std::string& key) const override {
    auto entry = whole_->describe(prefix_ + key);
    if (entry) entry->key = key;
    return entry;
  }
  bool erase(const std::string& key) override { return whole_->erase(prefix_ + key); }
  bool erase_exactly(const Entry& entry) override {
    Entry there = entry;
    there.key = prefix_ + entry.key;
    return whole_->erase_exactly(there);
  }
  std::int64_t erase_all(const Owner& owner) override { return whole_->erase_all(owner); }
  std::vector<Entry> list(const Owner& owner, std::string_view prefix, std::string_view after,
                          std::int64_t limit) const override {
    auto entries = whole_->list(owner, prefix_ + std::string(prefix),
                                after.empty() ? "" : prefix_ + std::string(after), limit);
    for (Entry& entry : entries) entry.key.erase(0, prefix_.size());
    return entries;
  }
  void reserve(const Account& account, std::int64_t bytes) override {
    whole_->reserve(account, bytes);
  }
  void unreserve(const Account& account, std::int64_t bytes) override {
    whole_->unreserve(account, bytes);
  }
  std::shared_ptr<const void> hold(const Account& account, std::int64_t bytes) override {
    return whole_->hold(account, bytes);
  }
  std::int64_t left(const Account& account) const override { return whole_->left(account); }
  BackendStats stats() const override { return whole_->stats(); }

 private:
  const std::unique_ptr<Backend> whole_;
  const std::string prefix_;
};

double first_of(const std::optional<Object>& object) {
  return there(object).value->tensor().as<double>()[0];
}

void put(S3World& world, const std::string& name, double first, std::int64_t version = 0) {
  world.store->put(world.key(name), contract_value(50, first), contract_meta("dora"), version);
}

double get(S3World& world, const std::string& name) {
  return first_of(world.store->get(world.key(name)));
}

std::string corrupt(S3World& world, const std::string& name) {
  const Error error = error_of([&] { world.store->get(world.key(name)); });
  CHECK(error.code() == Code::kCorrupt);
  CHECK(contains(error.message(), "object oss://" + world.key(name)));
  return error.message();
}

bool reports(const S3World& world, const std::string& part) {
  const auto& report = world.store->report();
  return std::any_of(report.begin(), report.end(),
                     [&](const std::string& line) { return line.find(part) != line.npos; });
}

StoreKey some_key(std::uint8_t byte) {
  StoreKey key{};
  key.fill(byte);
  return key;
}

}  // namespace

TEST_CASE("S3Backend: keeps the contract of backends") {
  S3World world("contract/");
  world.options.open_quota = world.options.hidden_quota = kContractQuota;
  // A server that keeps its objects in folders removes empty ones while others put into them.
  world.overwrite("foreign", {1});
  check_backend_contract([&] {
    return std::make_unique<Beneath>(std::make_unique<S3Backend>(world.options), world.key(""));
  });
}

TEST_CASE("S3Backend: all kinds of values come back after a restart, encrypted or not") {
  for (const bool encrypted : {false, true}) {
    CAPTURE(encrypted);
    S3World world;
    if (encrypted) world.options.encryption = some_key(9);
    world.start();
    for (const auto& [name, value] : arrow_samples()) {
      const auto meta = sample_meta(value, *contract_meta("dora"));
      world.store->put(world.key("all/" + name), std::make_shared<const Value>(value), meta, 0);
    }
    const BackendStats before = world.store->stats();
    world.start();
    CHECK(world.store->stats().objects == before.objects);
    CHECK(world.store->stats().open.bytes == before.open.bytes);
    CHECK(world.store->stats().hidden.bytes == before.hidden.bytes);
    CHECK(std::ssize(world.store->list({"dora", {}}, world.key("all/"), "", 100)) ==
          before.objects);
    for (const auto& [name, value] : arrow_samples()) {
      CAPTURE(name);
      const Object object = there(world.store->get(world.key("all/" + name)));
      CHECK(*object.meta->label == *contract_meta("dora")->label);
      CHECK(object.version == 1);
      if (value.is_error()) {
        CHECK(object.value->is_error());
        continue;
      }
      CHECK(object.value->type() == value.type());
      CHECK(is_mapped(*object.value) == (value.bytes() > 0));
      if (value.is_share()) continue;
      const ValueBytes found = value_bytes(*object.value);
      const ValueBytes expected = value_bytes(value);
      REQUIRE(found.body.size() == expected.body.size());
      for (std::size_t i = 0; i < expected.body.size(); ++i) {
        CHECK(std::memcmp(found.body[i].data, expected.body[i].data,
                          static_cast<std::size_t>(expected.body[i].size)) == 0);
      }
    }
  }
}

TEST_CASE("S3Backend: an object of many parts and chunks comes back whole") {
  for (const bool encrypted : {false, true}) {
    CAPTURE(encrypted);
    S3World world;
    world.options.server.part_bytes = 5 << 20;
    if (encrypted) world.options.encryption = some_key(9);
    world.start();
    // From below to above the end of a part and of a chunk.
    for (const std::int64_t elements : {std::int64_t{131'072}, std::int64_t{1'700'003}}) {
      std::vector<double> numbers(static_cast<std::size_t>(elements));
      for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i) * 0.5;
      const auto value = std::make_shared<const Value>(Tensor::of<double>({elements}, numbers));
      const std::string key = world.key("large" + std::to_string(elements));
      world.store->put(key, value, contract_meta("dora"), 0);
      for (const bool again : {false, true}) {
        if (again) world.start();
        const Object object = there(world.store->get(key));
        const auto found = object.value->tensor().as<double>();
        CHECK(std::equal(found.begin(), found.end(), numbers.begin(), numbers.end()));
      }
    }
  }
}

TEST_CASE("S3Backend: each changed byte of an object at the server is noticed") {
  for (const bool encrypted : {false, true}) {
    CAPTURE(encrypted);
    S3World world;
    if (encrypted) world.options.encryption = some_key(9);
    world.start();
    put(world, "x", 1);
    const auto good = world.bytes_of("x");
    for (std::size_t i = 0; i < good.size(); ++i) {
      auto bytes = good;
      bytes[i] ^= static_cast<std::uint8_t>(1U << (i % 8));
      world.overwrite("x", bytes);
      CAPTURE(i);
      REQUIRE(code_of([&] { world.store->get(world.key("x")); }) == Code::kCorrupt);
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{5}, good.size() - 1}) {
      world.overwrite("x", {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)});
      corrupt(world, "x");
    }
    auto longer = good;
    longer.push_back(0);
    world.overwrite("x", longer);
    corrupt(world, "x");
    world.start();
    CHECK(reports(world, "broken: object oss://" + world.key("x")));
    corrupt(world, "x");
    CHECK(world.store->describe(world.key("x"))->meta->principal == "dora");
    world.overwrite("x", good);
    world.start();
    CHECK(get(world, "x") == 1);
    world.client.erase(world.bucket(), world.object("x"));
    CHECK(contains(corrupt(world, "x"), "gone"));
    CHECK(world.store->erase(world.key("x")));
  }
}

TEST_CASE("S3Backend: an older version that somebody puts back is noticed, also at the start") {
  S3World world;
  world.start();
  put(world, "x", 1);
  const auto old = world.bytes_of("x");
  put(world, "x", 2, 1);
  const auto current = world.bytes_of("x");
  world.overwrite("x", old);
  CHECK(code_of([&] { get(world, "x"); }) == Code::kCorrupt);
  world.start();
  CHECK(contains(corrupt(world, "x"), "somebody put back version 1"));
  world.overwrite("x", current);
  world.start();
  CHECK(get(world, "x") == 2);
  CHECK(world.store->erase(world.key("x")));
  world.overwrite("x", current);
  world.start();
  CHECK_FALSE(world.store->exists(world.key("x")));
  // It is nobody's, so it is not in the way of the next one.
  put(world, "x", 3);
  CHECK(get(world, "x") == 3);
  CHECK(world.store->describe(world.key("x"))->version == 1);
}

TEST_CASE("S3Backend: an object moved to another name is none there") {
  for (const bool encrypted : {false, true}) {
    CAPTURE(encrypted);
    S3World world;
    if (encrypted) world.options.encryption = some_key(9);
    world.start();
    put(world, "a", 1);
    put(world, "b", 2);
    world.overwrite("b", world.bytes_of("a"));
    corrupt(world, "b");
    CHECK(get(world, "a") == 1);
  }
}

TEST_CASE("S3Backend: what others wrote beneath the prefix is no object, and stays") {
  S3World world;
  const std::vector<std::uint8_t> foreign = {'h', 'e', 'l', 'l', 'o'};
  world.overwrite("early", foreign);
  world.start();
  CHECK(reports(world, "ignored"));
  world.overwrite("late", foreign);
  for (const std::string name : {"early", "late"}) {
    CHECK_FALSE(world.store->exists(world.key(name)));
    CHECK_FALSE(world.store->get(world.key(name)));
    CHECK_FALSE(world.store->erase(world.key(name)));
    CHECK(code_of([&] { put(world, name, 1); }) == Code::kImmutable);
    CHECK(world.bytes_of(name) == foreign);
  }
}

TEST_CASE("S3Backend: an encrypted object is nothing but noise to who has another key or none") {
  S3World world;
  world.options.encryption = some_key(9);
  world.start();
  const std::vector<double> numbers(1000, 3.25);
  const auto value = std::make_shared<const Value>(Tensor::of<double>({1000}, numbers));
  world.store->put(world.key("x"), value, contract_meta("dora"), 0);
  const auto bytes = world.bytes_of("x");
  for (const std::string_view clear : {"ARROW1", "curia", "alice", "dora", "value"}) {
    CHECK(std::search(bytes.begin(), bytes.end(), clear.begin(), clear.end()) == bytes.end());
  }
  world.store->put(world.key("y"), value, contract_meta("dora"), 0);
  CHECK(world.bytes_of("y") != bytes);
  for (const bool other : {false, true}) {
    world.options.encryption.reset();
    if (other) world.options.encryption = some_key(8);
    world.start();
    corrupt(world, "x");
  }
  world.options.encryption = some_key(9);
  world.start();
  CHECK(get(world, "x") == 3.25);
}

TEST_CASE("S3Backend: objects from before encryption was configured stay readable") {
  S3World world;
  world.start();
  put(world, "x", 1);
  const auto plain = world.bytes_of("x");
  CHECK(std::memcmp(plain.data(), "ARROW1", 6) == 0);
  world.options.encryption = some_key(9);
  world.start();
  CHECK(get(world, "x") == 1);
  put(world, "x", 2, 1);
  CHECK(std::memcmp(world.bytes_of("x").data(), "CURIAEN1", 8) == 0);
  CHECK(get(world, "x") == 2);
}

TEST_CASE("S3Backend: a removal that a crash cut short is finished by the next start") {
  S3World world;
  world.start();
  put(world, "x", 1);
  const auto bytes = world.bytes_of("x");
  // The ledger has the removal; the server has the object still.
  const std::string versions = world.options.state + "/versions";
  const std::string before_end = world.folder / "versions";
  CHECK(world.store->erase(world.key("x")));
  std::filesystem::copy_file(versions, before_end);
  world.store.reset();
  std::filesystem::copy_file(before_end, versions,
                             std::filesystem::copy_options::overwrite_existing);
  world.overwrite("x", bytes);
  world.start();
  CHECK_FALSE(world.store->exists(world.key("x")));
  CHECK(world.bytes_of("x").empty());
}

TEST_CASE("S3Backend: an object that went up before a crash, and not into the ledger, is found") {
  S3World world;
  world.start();
  put(world, "x", 1);
  const std::string versions = world.options.state + "/versions";
  std::filesystem::copy_file(versions, world.folder / "versions");
  put(world, "y", 2);
  world.store.reset();
  std::filesystem::copy_file(world.folder / "versions", versions,
                             std::filesystem::copy_options::overwrite_existing);
  world.start();
  CHECK(get(world, "x") == 1);
  CHECK(get(world, "y") == 2);
}

TEST_CASE("S3Backend: uploads that a crash left unfinished are given up at the next start") {
  S3World world;
  world.client.begin_upload(world.bucket(), world.object("x"));
  REQUIRE(world.client.list_uploads(world.bucket(), world.prefix()).size() == 1);
  world.start();
  CHECK(world.client.list_uploads(world.bucket(), world.prefix()).empty());
}

TEST_CASE("S3Backend: nothing of what is being read stays in the worker's state") {
  S3World world;
  world.start();
  put(world, "x", 1);
  const auto held = world.store->get(world.key("x"));
  CHECK(std::filesystem::is_empty(world.options.state + "/reading"));
  CHECK(first_of(held) == 1);
}
