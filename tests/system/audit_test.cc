// The audit logs of real workers: what is in them, that counts outlive restarts, that logs hold
// each other, and policies that are read again while sessions go on.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "protocol/uri.h"
#include "tests/system/audit_log.h"
#include "tests/system/helpers.h"
#include "tests/system/raw_session.h"

using namespace curia;

namespace {

std::map<std::string, ProcessParty> two_parties(const std::string& grants) {
  std::map<std::string, ProcessParty> two;
  two["alice"].csv = {{"x", "v\n1\n2\n3\n4\n"}};
  two["alice"].grants = grants;
  two["bob"] = {};
  return two;
}

PreparedPtr sum_of_rows(Session& session, const std::string& to = "") {
  Program program("total");
  Array total = sum(program.dataset(session.dataset("alice", "x")).column("v"));
  if (!to.empty()) total = total.to(to, "sums");
  program.output("total", total);
  return prepare(program);
}

// Runs, and fetches what it made.
std::int64_t take(Session& session, const std::string& to = "") {
  const Refs refs = session.run(sum_of_rows(session, to));
  return session.fetch(refs["total"], Seconds(20)).tensor().as<std::int64_t>()[0];
}

bool has(const std::vector<AuditRecord>& records, AuditKind kind,
         const std::vector<AuditField>& fields, const std::string& principal = "dora") {
  return std::ranges::any_of(records, [&](const AuditRecord& record) {
    return record.kind == kind && record.principal == principal &&
           std::ranges::all_of(fields, [&](const AuditField& field) {
             return contains(std::string(record.field(field.name)), field.value);
           });
  });
}

void replace_file(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new") << text;
  std::filesystem::rename(path + ".new", path);
}

}  // namespace

TEST_CASE("Audit: sessions, programs, consents, fetches and refusals of a worker are in its log") {
  ProcessCluster cluster(two_parties(R"([{"source": "x", "to": "bob", "releases": ["sums"]}])"));
  std::string digest;
  {
    Session session = cluster.connect();
    digest = sum_of_rows(session, "bob")->digest.hex();
    CHECK(error_of([&] { take(session, "bob"); }).code() == Code::kDenied);
    session.close();
  }
  REQUIRE(cluster.stop("alice") == 0);
  REQUIRE(cluster.stop("bob") == 0);
  const std::vector<AuditRecord> alice = audit_of(cluster, "alice");
  CHECK(has(alice, AuditKind::kStart, {{"party", "alice"}, {"epoch", "1"}}, ""));
  CHECK(has(alice, AuditKind::kPolicy, {{"driver", "dora"}, {"grants", "1"}}, ""));
  CHECK(has(alice, AuditKind::kSessionOpened, {}));
  CHECK(has(alice, AuditKind::kPrepared, {{"program", digest}}));
  CHECK(has(alice, AuditKind::kConsent,
            {{"answer", "given"},
             {"source", "x"},
             {"to", "bob"},
             {"release", "sums"},
             {"asked_by", "alice"},
             {"program", digest}}));
  CHECK(has(alice, AuditKind::kRun, {{"program", digest}}));
  CHECK(has(alice, AuditKind::kConsent,
            {{"answer", "denied"},
             {"to", "dora"},
             {"release", "total"},
             {"asked_by", "bob"},
             {"why", "no grant of alice/x to dora"}}));
  CHECK(has(alice, AuditKind::kSessionClosed, {}));
  CHECK(has(alice, AuditKind::kStop, {}, ""));
  const std::vector<AuditRecord> bob = audit_of(cluster, "bob");
  CHECK(has(bob, AuditKind::kFetch, {{"answer", "denied"}, {"release", "total"}}));
  struct stat info {};
  for (const char* file : {"audit.log", "signing.key"}) {
    REQUIRE(::stat((cluster.folder() + "/state-alice/" + file).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
}

TEST_CASE("Audit: a grant for two releases covers two, whatever restarts in between") {
  ProcessCluster cluster(two_parties(R"([{"source": "x", "to": "dora", "times": 2}])"));
  {
    Session session = cluster.connect();
    CHECK(take(session) == 10);
    const std::vector<GrantInfo> grants = session.grants("alice");
    REQUIRE(grants.size() == 1);
    CHECK(grants[0].times == 2);
    CHECK(grants[0].used == 1);
    CHECK(session.grants("bob").empty());
    CHECK(cluster.connect("mallory").grants("alice").empty());
  }
  cluster.kill("alice");
  cluster.start("alice");
  {
    Session session = cluster.connect();
    CHECK(take(session) == 10);
    CHECK(contains(error_of([&] { take(session); }).message(), "all are used"));
  }
  for (const bool orderly : {true, false}) {
    if (orderly) {
      CHECK(cluster.stop("alice") == 0);
    } else {
      cluster.kill("alice");
    }
    cluster.start("alice");
    Session session = cluster.connect();
    const Error error = error_of([&] { take(session); });
    CHECK(error.code() == Code::kDenied);
    CHECK(contains(error.message(), "2 time(s), and all are used"));
  }
  cluster.stop("alice");
  CHECK(verify_log(cluster, "alice").problems.empty());
}

TEST_CASE("Audit: a run without a release waits for no disk, a consent for one sync") {
  ProcessCluster cluster(two_parties(R"([{"source": "x", "to": "dora"}])"));
  Session session = cluster.connect();
  const PreparedPtr program = sum_of_rows(session);
  const std::int64_t syncs = stat(session, "alice", "audit_syncs");
  for (int i = 0; i < 200; ++i) session.run(program);
  session.wait(Seconds(60));
  CHECK(stat(session, "alice", "audit_syncs") == syncs);
  for (int i = 1; i <= 5; ++i) {
    CHECK(take(session) == 10);
    CHECK(stat(session, "alice", "audit_syncs") == syncs + i);
  }
  CHECK(stat(session, "alice", "consents") == 5);
}

TEST_CASE("Audit: when its log cannot grow a party gives no consent, and all else goes on") {
  auto parties = two_parties(R"([{"source": "x", "to": "dora"}])");
  parties["alice"].max_file_bytes = 12'000;
  ProcessCluster cluster(std::move(parties));
  {
    Session session = cluster.connect();
    std::string refused;
    for (int i = 0; i < 100 && refused.empty(); ++i) {
      try {
        take(session);
      } catch (const Error& error) {
        CHECK(error.code() == Code::kDenied);
        refused = error.message();
      }
    }
    CHECK(contains(refused, "alice gives no consent, because its audit log cannot be written"));
    CHECK(contains(refused, "File too large"));
    for (int i = 0; i < 3; ++i) {
      check_works(session, "alice", "bob");
      CHECK(error_of([&] { take(session); }).code() == Code::kDenied);
    }
  }
  cluster.stop("alice");
  CHECK(verify_log(cluster, "alice", {"bob"}).problems.empty());
  cluster.set_max_file_bytes("alice", 0);
  cluster.start("alice");
  Session session = cluster.connect();
  CHECK(take(session) == 10);
  cluster.stop("alice");
  const AuditReport report = verify_log(cluster, "alice", {"bob"});
  CHECK(report.problems.empty());
  CHECK(report.cut_bytes == 0);
}

TEST_CASE("Audit: what a hostile driver tries is in the log, with its name") {
  ProcessCluster cluster(two_parties("[]"));
  {
    RawDriver raw = raw_session(cluster, "mallory", "alice");
    CHECK(raw.call(Kind::kFetch, encode(FetchRequest{Uri::fresh().str(), 0})).error().code() ==
          Code::kNotFound);
    CHECK(raw.call(static_cast<Kind>(999), "").error().code() == Code::kUnimplemented);
    const ConsentRequest consent{"alice", "", 1, {}, {{"x", {}, "mallory", {}, "out"}}};
    CHECK(raw.call(Kind::kConsent, encode(consent)).error().code() == Code::kDenied);
    CHECK(raw.call(Kind::kFetch, "not a request").error().code() == Code::kInvalid);
  }
  cluster.stop("alice");
  const std::vector<AuditRecord> records = audit_of(cluster, "alice");
  const auto refused = [&](const std::string& request, const std::string& code) {
    return has(records, AuditKind::kRefused, {{"request", request}, {"code", code}}, "mallory");
  };
  CHECK(refused("fetch", "NOT_FOUND"));
  CHECK(refused("unknown", "UNIMPLEMENTED"));
  CHECK(refused("consent", "DENIED"));
  CHECK(refused("fetch", "INVALID"));
  CHECK(
      has(records, AuditKind::kRefused, {{"why", "mallory is not among the parties"}}, "mallory"));
}

TEST_CASE("Audit: parties hold each other's logs: one that is cut or written anew is found") {
  ProcessCluster cluster(
      two_parties(R"([{"source": "x", "to": "bob"}, {"source": "x", "to": "dora"}])"));
  {
    Session session = cluster.connect();
    // Each task tells bob of the consents of the one before.
    for (int i = 0; i < 4; ++i) CHECK(take(session, "bob") == 10);
  }
  cluster.stop("alice");
  cluster.stop("bob");
  const AuditReport good = verify_log(cluster, "alice", {"bob"});
  for (const AuditProblem& problem : good.problems) MESSAGE(problem.text);
  CHECK(good.problems.empty());
  REQUIRE(good.seen_to > 1);

  const std::string path = audit_file(cluster, "alice");
  std::string whole;
  {
    std::ifstream in(path, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  // Cut behind a signature, before what bob saw: a log that is whole as far as it can tell itself.
  std::int64_t end = 0;
  {
    std::ifstream in(path, std::ios::binary);
    AuditReader reader(in);
    for (std::uint64_t i = 1; i < good.seen_to; ++i) {
      const auto frame = reader.next();
      if (decode_audit(frame->bytes).kind == AuditKind::kHead) end = frame->end;
    }
  }
  REQUIRE(end > 0);
  replace_file(path, whole.substr(0, static_cast<std::size_t>(end)));
  AuditReport bad = verify_log(cluster, "alice", {"bob"});
  REQUIRE_FALSE(bad.problems.empty());
  CHECK(contains(bad.problems[0].text, "cut off"));
  CHECK(verify_log(cluster, "alice").problems.empty());
  CHECK_THROWS_WITH_AS(cluster.start("alice"), doctest::Contains("was on the disk"), Error);

  // Alice herself begins a new history, with her old key.
  for (const char* file : {"audit.log", "audit.mark"}) {
    std::filesystem::remove(cluster.folder() + "/state-alice/" + file);
  }
  cluster.start("alice");
  cluster.start("bob");
  {
    Session session = cluster.connect();
    for (int i = 0; i < 12; ++i) CHECK(take(session, "bob") == 10);
  }
  cluster.stop("alice");
  cluster.stop("bob");
  bad = verify_log(cluster, "alice", {"bob"});
  REQUIRE_FALSE(bad.problems.empty());
  CHECK(contains(bad.problems[0].text, "a fork"));
  CHECK(has(audit_of(cluster, "bob"), AuditKind::kPeerHeadWrong, {{"why", "before"}}, "alice"));
}

TEST_CASE("Policy: it is read again on SIGHUP, and sessions go on") {
  ProcessCluster cluster(two_parties("[]"));
  Session session = cluster.connect();
  Session mallory = cluster.connect("mallory");
  CHECK(error_of([&] { take(session); }).code() == Code::kDenied);
  const auto config = nlohmann::json::parse(std::ifstream(cluster.config_file("alice")));
  const auto load = [&](const nlohmann::json& changed, const std::string& said) {
    const std::size_t from = cluster.log("alice").size();
    replace_file(cluster.config_file("alice"), changed.dump());
    cluster.signal("alice", SIGHUP);
    CHECK(eventually([&] { return contains(cluster.log("alice").substr(from), said); }));
  };
  auto more = config;
  more["grants"] = {{{"source", "x"}, {"to", "dora"}}};
  load(more, "the policy was read again: 2 drivers, 1 grants");
  CHECK(take(session) == 10);

  auto wrong = more;
  wrong["grants"][0]["times"] = 0;
  load(wrong, "grants[0].times");
  wrong = more;
  wrong["drivers"]["dora"] = "no key";
  load(wrong, "drivers.dora");
  wrong = more;
  wrong["drivers"]["bob"] = more["drivers"]["dora"];
  wrong["parties"].erase("bob");
  load(wrong, "drivers.bob: this is a party of the running worker");
  const auto load_text = [&](const std::string& text, const std::string& said) {
    const std::size_t from = cluster.log("alice").size();
    replace_file(cluster.config_file("alice"), text);
    cluster.signal("alice", SIGHUP);
    CHECK(eventually([&] { return contains(cluster.log("alice").substr(from), said); }));
  };
  load_text("{\"grants\": [{\"times\": 1e400}]}", "number overflow");
  load_text("{\"grants\": " + std::string(300'000, '['), "nested deeper than 32");
  CHECK(take(session) == 10);

  auto fewer = config;
  fewer["drivers"].erase("mallory");
  load(fewer, "the policy was read again: 1 drivers, 0 grants");
  CHECK(error_of([&] { take(session); }).code() == Code::kDenied);
  CHECK(eventually([&] { return stat(session, "alice", "sessions") == 1; }));

  auto port = config;
  port["control"] = "127.0.0.1:1";
  load(port, "take a restart");
  CHECK(cluster.stop("alice") == 0);
  const std::vector<AuditRecord> records = audit_of(cluster, "alice");
  CHECK(has(records, AuditKind::kPolicy, {{"from", "reload"}, {"grants", "1"}}, ""));
  CHECK(has(records, AuditKind::kPolicyRefused, {{"why", "times"}}, ""));
  CHECK(
      has(records, AuditKind::kSessionClosed, {{"why", "no longer among the drivers"}}, "mallory"));
}

TEST_CASE("Policy: signals that come while it is read do not end the worker") {
  ProcessCluster cluster(two_parties("[]"));
  // A policy takes a moment: meanwhile nobody waits for the next signal.
  for (int i = 0; i < 300; ++i) cluster.signal("alice", SIGHUP);
  Session session = cluster.connect();
  CHECK(stat(session, "alice", "sessions") == 1);
  cluster.signal("alice", SIGHUP);
  CHECK(cluster.stop("alice") == 0);
  CHECK(audit_of(cluster, "alice").back().kind == AuditKind::kHead);
  CHECK(has(audit_of(cluster, "alice"), AuditKind::kStop, {}, ""));
}

TEST_CASE("Policy: it may stand in a file of its own, and only there") {
  ProcessCluster cluster(two_parties("[]"));
  cluster.stop("alice");
  auto config = nlohmann::json::parse(std::ifstream(cluster.config_file("alice")));
  nlohmann::json policy = {{"drivers", config["drivers"]},
                           {"grants", {{{"source", "x"}, {"to", "dora"}}}}};
  config["policy"] = "alice-policy.json";
  replace_file(cluster.folder() + "/alice-policy.json", policy.dump());
  replace_file(cluster.config_file("alice"), config.dump());
  CHECK_THROWS_WITH_AS(cluster.start("alice"), doctest::Contains("drivers"), Error);
  for (const char* field : {"drivers", "grants", "rules"}) config.erase(field);
  replace_file(cluster.config_file("alice"), config.dump());
  cluster.start("alice");
  Session session = cluster.connect();
  CHECK(take(session) == 10);
  policy["grants"] = nlohmann::json::array();
  replace_file(cluster.folder() + "/alice-policy.json", policy.dump());
  cluster.signal("alice", SIGHUP);
  CHECK(eventually([&] { return contains(cluster.log("alice"), "2 drivers, 0 grants"); }));
  CHECK(error_of([&] { take(session); }).code() == Code::kDenied);
}

TEST_CASE("Policy: a party takes part in no secure device that its policy does not accept") {
  std::map<std::string, ProcessParty> three;
  for (const char* name : {"alice", "bob", "carol", "dan"}) three[name] = {};
  three["bob"].extra = {{"devices", R"([{"members": ["alice", "bob", "dan"]}])"}};
  ProcessCluster cluster(std::move(three));
  Session session = cluster.connect();
  const auto run = [&](const std::string& third) {
    Program program("secret");
    const Device device = program.device("abc", {"alice", "bob", third});
    const Array shared =
        program.constant("alice", Tensor::of<double>({1}, std::vector<double>{2})).to(device);
    program.output("out", (shared * shared).reveal("alice"));
    const Refs refs = session.run(program);
    return session.fetch(refs["out"], Seconds(30)).tensor().as<double>()[0];
  };
  const Error error = error_of([&] { run("carol"); });
  CHECK(error.code() == Code::kDenied);
  CHECK(contains(error.message(), "bob takes no part in"));
  CHECK(run("dan") == doctest::Approx(4));
}

TEST_CASE("Audit: a name that was guessed with describe left no record") {
  ProcessCluster cluster(two_parties("[]"));
  RawDriver raw = raw_session(cluster, "mallory", "alice");
  const RawReply reply =
      raw.call(Kind::kDescribe, encode(DescribeRequest{Uri::fresh().str(), "", 0}));
  CHECK(reply.error().code() == Code::kNotFound);
  REQUIRE(cluster.stop("alice") == 0);
  CHECK(has(audit_of(cluster, "alice"), AuditKind::kRefused,
            {{"request", "describe"}, {"code", "NOT_FOUND"}}, "mallory"));
}
