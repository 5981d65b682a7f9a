// Objects on disk, with real processes: they outlive workers, and keep their labels.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "store/backend.h"
#include "tests/system/hostile.h"

using namespace curia;

namespace {

const Uri kTotal = Uri::parse("fs:///results/total");

std::map<std::string, ProcessParty> with_store(const std::string& grants) {
  ProcessParty alice;
  alice.csv["visits"] = "n\n1\n2\n39\n";
  alice.grants = grants;
  alice.extra["fs_root"] = "\"objects-alice\"";
  return {{"alice", alice}};
}

// Saves the sum of alice's rows; the driver gets nothing.
void save_total(Session& session) {
  Program program("save_total");
  const Array rows = program.dataset(session.dataset("alice", "visits")).column("n");
  program.save(sum(rows), kTotal);
  session.run(program);
  session.wait();
}

std::string file_of(const ProcessCluster& cluster, const std::string& name) {
  return cluster.folder() + "/objects-alice/" + name;
}

constexpr std::int64_t kBig = 1 << 20;  // elements of 8 bytes
constexpr std::int64_t kQuotaMib = 64;

std::int64_t mib_since(std::int64_t before, const ProcessCluster& cluster) {
  return (peak_memory(cluster.pid("alice")) - before) >> 20;
}

std::map<std::string, ProcessParty> with_small_memory() {
  auto parties = with_store("[]");
  parties["alice"].extra["memory_quota_mib"] = std::to_string(kQuotaMib);
  parties["bob"] = {};
  return parties;
}

Uri big_uri(int number) { return Uri::parse("fs:///big" + std::to_string(number)); }

void save_big(Session& session, int number) {
  Program program("save_big");
  program.save(program.iota("alice", kBig), big_uri(number));
  session.run(program);
  session.wait();
}

// A driver that asks for objects and never receives their bytes.
struct DeafDriver {
  RawDriver raw;

  explicit DeafDriver(const ProcessCluster& cluster)
      : raw(cluster.folder() + "/dora.key", cluster.control_endpoint("alice"),
            cluster.public_key("alice")) {
    REQUIRE_FALSE(raw.hello().failed());
    REQUIRE_FALSE(raw.open(fresh_id()).failed());
  }
  RawReply fetch(int number) {
    return raw.call(Kind::kFetch, encode(FetchRequest{big_uri(number).str(), 0}));
  }
};

}  // namespace

TEST_CASE("Stored: what a program saved is fetched by its URI after the worker was killed") {
  ProcessCluster cluster(with_store(R"([{"source": "visits", "to": "dora"}])"));
  {
    Session session = cluster.connect();
    save_total(session);
    const Ref ref = session.stored("alice", kTotal);
    CHECK(session.fetch(ref, Seconds(20)).tensor().as<std::int64_t>()[0] == 42);
  }
  cluster.kill("alice");
  cluster.start("alice");
  Session session = cluster.connect();
  const Ref ref = session.stored("alice", kTotal);
  CHECK(ref.type().str() == "i64[] @alice");
  CHECK(session.fetch(ref, Seconds(20)).tensor().as<std::int64_t>()[0] == 42);

  // And it is an input of programs, by load or by reference.
  Program program("use_it");
  const Array twice = program.load(kTotal, ref.type()) + program.input("x", ref.type());
  program.output("twice", twice);
  const Refs refs = session.run(program, {{"x", ref}});
  CHECK(session.fetch(refs["twice"], Seconds(20)).tensor().as<std::int64_t>()[0] == 84);

  session.remove(ref);
  session.wait();
  CHECK(error_of([&] { session.stored("alice", kTotal); }).code() == Code::kNotFound);
  CHECK_FALSE(std::filesystem::exists(file_of(cluster, "results/total")));
}

TEST_CASE("Stored: labels live as long as the file, so a restart frees nothing") {
  ProcessCluster cluster(with_store("[]"));
  {
    Session session = cluster.connect();
    save_total(session);
    const Ref ref = session.stored("alice", kTotal);
    CHECK(error_of([&] { session.fetch(ref, Seconds(20)); }).code() == Code::kDenied);
  }
  cluster.stop("alice");
  cluster.start("alice");
  {
    Session session = cluster.connect();
    const Ref ref = session.stored("alice", kTotal);
    const Error error = error_of([&] { session.fetch(ref, Seconds(20)); });
    CHECK(error.code() == Code::kDenied);
    CHECK(contains(error.what(), "visits"));
    Program program("wash_it");
    program.output("x", program.load(kTotal, ref.type()) * std::int64_t{1});
    const Refs refs = session.run(program);
    CHECK(error_of([&] { session.fetch(refs["x"], Seconds(20)); }).code() == Code::kDenied);
  }
  // The owner agrees, afterwards.
  cluster.stop("alice");
  cluster.set_grants("alice", R"([{"source": "visits", "to": "dora"}])");
  cluster.start("alice");
  Session session = cluster.connect();
  const Ref ref = session.stored("alice", kTotal);
  CHECK(session.fetch(ref, Seconds(20)).tensor().as<std::int64_t>()[0] == 42);
}

TEST_CASE("Stored: another driver finds nothing, whether the object is there, broken or not") {
  ProcessCluster cluster(with_store(R"([{"source": "visits", "to": "dora"}])"));
  Session session = cluster.connect();
  save_total(session);
  const auto answer = [&](const Uri& uri) {
    Session other = cluster.connect("mallory");
    const Error error = error_of([&] { other.stored("alice", uri); });
    CHECK(error.code() == Code::kNotFound);
    std::string text = error.message();
    text.replace(text.find(uri.str()), uri.str().size(), "it");
    return text;
  };
  const std::string there = answer(kTotal);
  CHECK(there == answer(Uri::parse("fs:///results/none")));
  std::fstream(file_of(cluster, "results/total"), std::ios::in | std::ios::out).seekp(100).put('x');
  CHECK(there == answer(kTotal));
  Session other = cluster.connect("mallory");
  Program program("take_the");
  program.save(numbers(program, "alice", {1}), kTotal);
  other.run(program);
  CHECK(error_of([&] { other.wait(); }).code() == Code::kImmutable);
}

TEST_CASE("Stored: one changed byte of a file, whichever, is CORRUPT, and the worker goes on") {
  ProcessCluster cluster(with_store(R"([{"source": "visits", "to": "dora"}])"));
  const std::string file = file_of(cluster, "results/total");
  {
    Session session = cluster.connect();
    save_total(session);
  }
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(file));
  const auto flip = [&](std::int64_t at) {
    bytes.seekg(at);
    const int was = bytes.get();
    bytes.seekp(at);
    bytes.put(static_cast<char>(was ^ 4)).flush();
  };
  for (const std::int64_t at : {std::int64_t{0}, size / 3, size / 2, size - 100, size - 1}) {
    CAPTURE(at);
    flip(at);
    Session session = cluster.connect();
    const Ref ref(RefFacts{.uri = kTotal, .type = parse_type("i64[] @alice"), .session = ""},
                  nullptr);
    CHECK(error_of([&] { session.fetch(ref, Seconds(20)); }).code() == Code::kCorrupt);
    Program program("use_it");
    program.output("x", program.load(kTotal, ref.type()));
    session.run(program);
    CHECK(error_of([&] { session.wait(); }).code() == Code::kCorrupt);
    flip(at);
    CHECK(session.fetch(ref, Seconds(20)).tensor().as<std::int64_t>()[0] == 42);
  }
  // A label that somebody edits while the worker is down.
  cluster.stop("alice");
  flip(size - 200);
  cluster.start("alice");
  CHECK(contains(cluster.log("alice"), "broken: object fs:///results/total"));
  Session session = cluster.connect();
  const Ref ref(RefFacts{.uri = kTotal, .type = parse_type("i64[] @alice"), .session = ""},
                nullptr);
  CHECK(error_of([&] { session.fetch(ref, Seconds(20)); }).code() == Code::kCorrupt);
  Program program("works");
  program.output("sum", sum(numbers(program, "alice", {1, 2})));
  CHECK(session.fetch(session.run(program)["sum"]).tensor().as<std::int64_t>()[0] == 3);
}

TEST_CASE("Stored: a file that is cut under a value in use is an error, and the worker goes on") {
  ProcessCluster cluster(with_store("[]"));
  Session session = cluster.connect();
  const Uri uri = Uri::parse("fs:///big");
  Program save("save");
  save.save(save.iota("alice", 100'000), uri);
  session.run(save);
  session.wait();
  const Ref ref = session.stored("alice", uri);
  Program load("load");
  load.output("x", load.load(uri, ref.type()));
  const Ref loaded = session.run(load)["x"];
  session.wait();
  std::filesystem::resize_file(file_of(cluster, "big"), 4096);
  Program use("use");
  use.output("sum", sum(use.input(loaded)));
  session.run(use);
  CHECK(error_of([&] { session.wait(); }).code() == Code::kCorrupt);
  CHECK(error_of([&] { session.fetch(loaded, Seconds(20)); }).code() == Code::kCorrupt);
  CHECK(error_of([&] { session.fetch(ref, Seconds(20)); }).code() == Code::kCorrupt);
  // It is removed, and the name is free again.
  session.remove(ref);
  session.run(save);
  session.wait();
  CHECK(session.fetch(session.stored("alice", uri), Seconds(20)).tensor().as<std::int64_t>()[9] ==
        9);
}

TEST_CASE("Stored: without fs_root the error says what to set, and programs of others go on") {
  ProcessCluster cluster(std::map<std::string, ProcessParty>{{"alice", {}}});
  Session session = cluster.connect();
  Program program("save");
  program.save(numbers(program, "alice", {1}), kTotal);
  session.run(program);
  const Error error = error_of([&] { session.wait(); });
  CHECK(error.code() == Code::kUnimplemented);
  CHECK(contains(error.what(), "sets fs_root"));
  CHECK(error_of([&] { session.stored("alice", kTotal); }).code() == Code::kUnimplemented);
}

TEST_CASE("Stored: each fetch that nobody read took the memory of one more copy") {
  ProcessCluster cluster(with_small_memory());
  Session session = cluster.connect();
  save_big(session, 0);
  DeafDriver deaf(cluster);
  const std::int64_t before = peak_memory(cluster.pid("alice"));
  for (int i = 0; i < 50; ++i) REQUIRE_FALSE(deaf.fetch(0).failed());
  CHECK(stat(session, "alice", "memory_reserved_bytes") == 8 * kBig + kObjectOverhead);
  // The copy, and the pages of the file itself; it was 400 MiB.
  CHECK(mib_since(before, cluster) < kQuotaMib);
}

TEST_CASE("Stored: what is fetched and not read passed the memory quota") {
  ProcessCluster cluster(with_small_memory());
  Session session = cluster.connect();
  constexpr int kObjects = 12;
  for (int i = 0; i < kObjects; ++i) save_big(session, i);
  const std::int64_t before = peak_memory(cluster.pid("alice"));
  {
    DeafDriver deaf(cluster);
    int delivered = 0;
    for (int i = 0; i < kObjects; ++i) {
      const RawReply reply = deaf.fetch(i);
      delivered += reply.failed() ? 0 : 1;
      if (!reply.failed()) continue;
      CHECK(reply.error().code() == Code::kQuota);
      CHECK(contains(reply.error().message(), "receive what was asked for first"));
    }
    CHECK(delivered == 7);  // eight would be 64 MiB and a little
    const std::int64_t reserved = stat(session, "alice", "memory_reserved_bytes");
    CHECK(reserved == 7 * (8 * kBig + kObjectOverhead));
    // Each copy, and the pages of its file.
    CHECK(mib_since(before, cluster) < 2 * kQuotaMib + 16);
    CHECK_FALSE(deaf.raw.call(Kind::kClose, "").failed());
  }
  CHECK(eventually([&] { return stat(session, "alice", "memory_reserved_bytes") == 0; }));
  const Ref ref = session.stored("alice", big_uri(kObjects - 1));
  CHECK(session.fetch(ref, Seconds(20)).tensor().as<std::int64_t>()[9] == 9);
}

TEST_CASE("Stored: a transfer in a loop took the memory of one more copy each time") {
  ProcessCluster cluster(with_small_memory());
  Session session = cluster.connect();
  save_big(session, 0);
  constexpr int kRounds = 60;
  Program program("loop");
  const Array x = program.load(big_uri(0), parse_type("i64[1048576] @alice"));
  const Arrays state = for_loop(
      kRounds, {program.constant("bob", Tensor::scalar<std::int64_t>(0))},
      [&](const Arrays& now, const Index&) -> Arrays { return {now[0] + max(x.to("bob"))}; });
  program.output("out", state[0]);
  const std::int64_t before = peak_memory(cluster.pid("alice"));
  const Refs refs = session.run(program);
  session.wait();
  CHECK(session.fetch(refs["out"], Seconds(20)).tensor().as<std::int64_t>()[0] ==
        kRounds * (kBig - 1));
  CHECK(mib_since(before, cluster) < kQuotaMib);
  CHECK(eventually([&] { return stat(session, "alice", "memory_reserved_bytes") == 0; }));
}

TEST_CASE("Stored: errors told another driver whether a name is an object, a folder or neither") {
  ProcessCluster cluster(with_store("[]"));
  const auto save = [&](const std::string& who, const std::string& uri) {
    Session session = cluster.connect(who);
    Program program("save");
    program.save(numbers(program, "alice", {1}), Uri::parse(uri));
    session.run(program);
    session.wait();
  };
  save("dora", "fs:///project/round/model");
  const auto refused = [&](const std::string& uri) {
    const Error error = error_of([&] { save("mallory", uri); });
    CHECK(error.code() == Code::kImmutable);
    return error.message();
  };
  const std::string taken = refused("fs:///project/round/model");
  CHECK(contains(taken, "not free"));
  CHECK(taken == refused("fs:///project/round"));
  CHECK(taken == refused("fs:///project"));
  CHECK(taken == refused("fs:///project/round/model/x"));
  // With the object its folders go, and the name is free.
  Session session = cluster.connect();
  session.remove(session.stored("alice", Uri::parse("fs:///project/round/model")));
  session.wait();
  CHECK_NOTHROW(save("mallory", "fs:///project/round"));
}

TEST_CASE("Stored: a list shows nothing of another driver's, however it is asked for") {
  ProcessCluster cluster(with_store(R"([{"source": "visits", "to": "dora"}])"));
  Session session = cluster.connect();
  save_total(session);
  const Ref kept = session.put("alice", Tensor::scalar<double>(1));
  session.wait();
  CHECK(session.list("alice", "fs:///").size() == 1);
  RawDriver raw = raw_session(cluster, "mallory", "alice");
  // The same bytes as for names that never were.
  const std::string nothing = encode(ListReply{});
  const std::string uuid(kept.uri().rest());
  for (const ListRequest& request :
       {ListRequest{false, "", "fs", ""}, ListRequest{false, "", "fs", "results/"},
        ListRequest{false, "", "fs", "results/total"}, ListRequest{false, "", "fs", "none"},
        ListRequest{false, "fs:///results/tota", "fs", ""}, ListRequest{false, "", "mem", ""},
        ListRequest{false, "", "mem", uuid}, ListRequest{false, kept.uri().str(), "mem", ""}}) {
    const RawReply reply = raw.call(Kind::kList, encode(request));
    CHECK_FALSE(reply.failed());
    CHECK(reply.metadata == nothing);
  }
  const auto refused = [&](const ListRequest& request) {
    return raw.call(Kind::kList, encode(request)).error();
  };
  CHECK(refused({false, "", "fs", "#"}).code() == Code::kInvalid);
  CHECK(refused({false, "", "mem", std::string(513, 'a')}).code() == Code::kInvalid);
  CHECK(refused({false, "fs:///../x", "fs", ""}).code() == Code::kInvalid);
  CHECK(says(refused({false, kept.uri().str(), "fs", ""}),
             "a list of fs:// cannot go on behind a name in mem://"));
  for (const char* scheme : {"", "nfs", "fs:///", "mem\n"}) {
    const Error error = refused({false, "", scheme, ""});
    CHECK(error.code() == Code::kInvalid);
    CHECK(says(error, "a list of objects is of mem, fs or oss"));
  }
  CHECK(refused({false, "", "oss", ""}).code() == Code::kUnimplemented);
}
