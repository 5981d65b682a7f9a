// A marker in a party's dataset, and every byte that the driver process is given.
#include <doctest/doctest.h>

#include <cstring>
#include <set>

#include "tests/support/process_cluster.h"
#include "tests/support/recording.h"
#include "tests/system/audit_log.h"
#include "tests/system/helpers.h"

using namespace curia;

namespace {

constexpr std::int64_t kNumber = 0x5ca1ab1e0ddba11;
constexpr double kFraction = 1234567.0625;
const std::string kText = "canary-of-alice";

template <class T>
std::string bits(T number) {
  std::string bytes(sizeof(number), '\0');
  std::memcpy(bytes.data(), &number, sizeof(number));
  return bytes;
}

std::vector<std::string> raw_marks() { return {bits(kNumber), bits(kFraction), kText}; }
// As a message or a log line would spell them.
std::vector<std::string> spelled_marks() {
  return {std::to_string(kNumber), "1234567.06", "1.23457e+06", "5ca1ab1e0ddba11", kText};
}

// Rows enough that they travel as bulk.
std::string canary_csv() {
  std::string csv = "n,f,t\n";
  for (int i = 0; i < 3000; ++i) {
    csv += std::to_string(kNumber) + ",1234567.0625," + kText + "\n";
  }
  return csv;
}

ProcessCluster canary_cluster(const std::string& grants) {
  std::map<std::string, ProcessParty> parties;
  parties["alice"].csv = {{"canary", canary_csv()}};
  parties["alice"].grants = grants;
  parties["alice"].extra = {{"log_level", R"("debug")"}};
  parties["bob"].extra = {{"log_level", R"("debug")"}};
  return ProcessCluster(std::move(parties));
}

// Uses the rows in every way that gives no value to the driver, and looks at all that can be seen.
Ref work(Session& session, std::set<Code>& seen) {
  const DatasetInfo info = session.dataset("alice", "canary");
  Program program("work");
  const Array rows = program.dataset(info);
  program.output("rows", rows);
  program.output("moved", rows.to("bob"));
  program.output("most", max(rows.column("n")));
  program.output("grouped", group_by(rows, {"t"}, {"sum:f:total"}));
  program.output("picked", rows.filter(rows.column("n") > 5));
  const Refs refs = session.run(program);
  session.wait(Seconds(60));
  Program bad("bad");
  bad.output("wrong", bad.dataset({"canary", parse_type("f64[7] @alice")}));
  const Refs failed = session.run(bad);
  const auto note = [&seen](const std::function<void()>& attempt) {
    try {
      attempt();
    } catch (const Error& error) {
      seen.insert(error.code());
    }
  };
  note([&] { session.wait(Seconds(60)); });
  note([&] { session.fetch(failed["wrong"], Seconds(60)); });
  for (const auto& [name, ref] : refs) note([&] { session.describe(ref); });
  note([&] { session.describe(failed["wrong"]); });
  for (const char* party : {"alice", "bob"}) {
    session.list(party);
    session.datasets(party);
    session.stats(party);
  }
  session.status();
  return refs["rows"];
}

std::string hex_of(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

void check_absent(const std::string& bytes, const std::vector<std::string>& marks) {
  for (const std::string& mark : marks) {
    const auto at = bytes.find(mark);
    INFO("mark " << (&mark - marks.data()) << " of " << marks.size());
    INFO(hex_of(bytes.substr(at < 100 || at == std::string::npos ? 0 : at - 100, 160)));
    CHECK(at == std::string::npos);
  }
}

// All that the worker wrote into its log, which ends with it.
std::string audit_bytes(ProcessCluster& cluster, const std::string& party) {
  CHECK(cluster.stop(party) == 0);
  std::ifstream in(audit_file(cluster, party), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  cluster.start(party);
  return bytes;
}

}  // namespace

TEST_CASE("Canary: no byte of the rows reaches the driver before the fetch, and they do with it") {
  ProcessCluster cluster =
      canary_cluster(R"([{"source": "canary", "to": "bob"}, {"source": "canary", "to": "dora"}])");
  auto record = std::make_shared<Record>();
  std::weak_ptr<Link> link;
  Session session = recorded_session(cluster, record, link);
  std::set<Code> seen;
  const Ref rows = work(session, seen);
  CHECK_FALSE(seen.empty());
  const std::string before = record->all();
  CHECK(before.size() > 1000);
  CHECK(contains(before, "canary"));  // the name of the dataset is no secret
  check_absent(before, raw_marks());
  check_absent(before, spelled_marks());
  for (const Traffic& traffic : link.lock()->traffic()) CHECK(traffic.received_bytes == 0);
  const Value value = session.fetch(rows, Seconds(60));
  CHECK(value.table().rows == 3000);
  const std::string after = record->all();
  for (const std::string& mark : raw_marks()) CHECK(contains(after, mark));
  for (const char* party : {"alice", "bob"}) {
    const std::string log = cluster.log(party);
    CHECK(log.size() > 50);
    check_absent(log, raw_marks());
    check_absent(log, spelled_marks());
    const std::string audit = audit_bytes(cluster, party);
    CHECK((contains(audit, "canary") || std::string(party) == "bob"));  // the dataset's name
    check_absent(audit, raw_marks());
    check_absent(audit, spelled_marks());
  }
}

TEST_CASE("Canary: without a grant the fetch is refused and the rows stay where they are") {
  ProcessCluster cluster = canary_cluster(R"([{"source": "canary", "to": "bob"}])");
  auto record = std::make_shared<Record>();
  std::weak_ptr<Link> link;
  Session session = recorded_session(cluster, record, link);
  std::set<Code> seen;
  const Ref rows = work(session, seen);
  for (int i = 0; i < 3; ++i) {
    CHECK(error_of([&] { session.fetch(rows, Seconds(60)); }).code() == Code::kDenied);
  }
  check_absent(record->all(), raw_marks());
  check_absent(record->all(), spelled_marks());
  for (const Traffic& traffic : link.lock()->traffic()) CHECK(traffic.received_bytes == 0);
  for (const char* party : {"alice", "bob"}) {
    check_absent(cluster.log(party), raw_marks());
    check_absent(cluster.log(party), spelled_marks());
    check_absent(audit_bytes(cluster, party), raw_marks());
    check_absent(audit_bytes(cluster, party), spelled_marks());
  }
}
