// What a hostile driver, a full disk or a large policy can do to the audit log: nothing that makes
// it unreadable, and not more than its share of the disk.
#include <doctest/doctest.h>

#include <thread>

#include "driver/connection.h"
#include "driver/session.h"
#include "tests/worker/audit_rig.h"
#include "worker/simulation/simulation.h"

using namespace curia;

namespace {

// Asks for `count` releases of alice's x to bob, each under a long name of its own.
Error ask_for_many(Session& session, int count) {
  Program program("p");
  const Array x = program.dataset(session.dataset("alice", "x"));
  std::vector<Array> moved;
  for (int i = 0; i < count; ++i) {
    std::string label = std::to_string(i);
    label.insert(0, 120 - label.size(), 'a');
    moved.push_back(x.to("bob", label));
  }
  program.output("a", concat(moved, 0));
  try {
    session.run(program);
    session.wait();
  } catch (const Error& error) {
    return error;
  }
  return {Code::kFailed, "nothing was refused"};
}

Simulation two_parties(const std::vector<Grant>& grants) {
  SimulatedParty alice;
  SimulatedParty bob;
  alice.datasets.emplace("x", Tensor::of<double>({2}, {1, 2}));
  alice.grants = grants;
  return Simulation({{"alice", alice}, {"bob", bob}}, {"dora", "mallory"});
}

}  // namespace

TEST_CASE("Audit: a record that is too large is cut, and the log stays readable") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk);
    AuditRecord long_text = run_record(1);
    long_text.fields = {{"why", std::string(3 << 20, 'y')}};
    alice.audit->note(long_text);
    AuditRecord many = run_record(3);
    for (int i = 0; i < 1000; ++i) many.fields.push_back({"driver", std::string(5000, 'd')});
    alice.audit->note(many);
    AuditRecord everywhere = run_record(5);
    everywhere.principal = everywhere.session = std::string(2 << 20, 'p');
    everywhere.fields = {{std::string(2 << 20, 'n'), "v"}};
    std::promise<bool> written;
    alice.audit->decide({everywhere},
                        [&](const Error* failed) { written.set_value(failed == nullptr); });
    CHECK(written.get_future().get());
    CHECK(alice.ask(7) == "");
  }
  CHECK(good(*disk));
  for (const AuditRecord& record : records_of(*disk)) {
    if (record.kind != AuditKind::kRunFailed) continue;
    CHECK(audit_size(record) <= kMaxAuditRecord);
    CHECK(std::ssize(record.principal) <= kMaxAuditText);
    for (const AuditField& field : record.fields) CHECK(std::ssize(field.value) <= kMaxAuditText);
    if (record.task == 1) CHECK(contains(std::string(record.field("why")), "bytes cut)"));
    if (record.task == 3) CHECK(contains(std::string(record.field("cut")), " fields"));
  }
  TestOwner again(std::make_shared<TestDisk>(disk->bytes(), disk->mark()));
  CHECK(again.ask(9) == "");
}

TEST_CASE("Audit: a run that is denied for a megabyte of reasons does not keep a worker down") {
  Simulation simulation = two_parties({{.source = "x", .to = "bob", .releases = {"mean"}}});
  {
    Session session(simulation.wiring("mallory"), {});
    const Error error = ask_for_many(session, 4000);
    CHECK(error.code() == Code::kDenied);
    CHECK(std::ssize(error.message()) < (64 << 10));
    CHECK(contains(error.message(), "and more"));
  }
  simulation.kill("alice");
  const auto in = simulation.audit("alice")->read();
  const AuditReport report = verify_audit(*in);
  CHECK(report.problems.empty());
  CHECK(report.cut_bytes == 0);
  simulation.restart("alice");
}

TEST_CASE("Audit: a start takes no consent behind the last signature, and never signs one") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk, counted(2));
    CHECK(alice.ask(1) == "");
  }
  std::string forged = disk->bytes();
  Digest hash;
  std::uint64_t last = 0;
  {
    const auto in = disk->read();
    AuditReader reader(*in);
    while (const auto frame = reader.next()) {
      hash = frame->hash;
      ++last;
    }
  }
  const std::uint64_t honest = last;
  for (int i = 0; i < 50; ++i) {
    AuditRecord record;
    record.sequence = ++last;
    record.kind = AuditKind::kConsent;
    record.principal = "mallory";
    record.fields = {{"answer", "given"},
                     {"source", "x"},
                     {"asked_by", "alice"},
                     {"grant", counted(2)[0].id().hex()},
                     {"use", random_digest().hex()}};
    const std::string body = encode_audit(record);
    hash = audit_hash(hash, body);
    append_audit_frame(forged, body, hash);
  }
  std::istringstream in(forged);
  CHECK(verify_audit(in, {}, kKey.public_key()).problems.size() == 1);
  auto second = std::make_shared<TestDisk>(forged, disk->mark());
  {
    TestOwner alice(second, counted(2));
    CHECK(alice.audit->stats().consents == 1);
    CHECK(alice.ask(2) == "");
  }
  CHECK(good(*second));
  CHECK(count(*second, AuditKind::kConsent) == 2);
  for (const AuditRecord& record : records_of(*second)) {
    if (record.kind != AuditKind::kMended) continue;
    CHECK(record.sequence > honest);
    CHECK(contains(std::string(record.field("why")), "50 records behind the last signature"));
  }
  CHECK(count(*second, AuditKind::kMended) == 1);
  // What the mark says was on the disk is not cut.
  CHECK_THROWS_WITH_AS(TestOwner(std::make_shared<TestDisk>(forged, AuditMark{last})),
                       doctest::Contains("the last signature is before it"), Error);
}

TEST_CASE("Audit: a start finds a use of a grant that was edited with all hashes made again") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk, counted(1));
    CHECK(alice.ask(1) == "");
  }
  std::string forged(kAuditMagic);
  Digest hash;
  for (AuditRecord record : records_of(*disk)) {
    std::erase_if(record.fields, [](const AuditField& field) { return field.name == "use"; });
    const std::string body = encode_audit(record);
    hash = audit_hash(hash, body);
    append_audit_frame(forged, body, hash);
  }
  for (const AuditMark& mark : {disk->mark(), AuditMark{}}) {
    CHECK_THROWS_WITH_AS(TestOwner(std::make_shared<TestDisk>(forged, mark), counted(1)),
                         doctest::Contains("does not belong to what stands before it"), Error);
  }
}

TEST_CASE("Audit: twenty denied runs with thousands of releases write little into the log") {
  Simulation simulation = two_parties({});
  {
    Session session(simulation.wiring("mallory"), {});
    for (int run = 0; run < 20; ++run) CHECK(ask_for_many(session, 1000).code() == Code::kDenied);
  }
  simulation.kill("alice");
  CHECK(simulation.audit("alice")->size() < 1 << 20);
}

TEST_CASE("Audit: what is denied in one request is one record, with a few of the names") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk);
    CHECK_FALSE(alice.ask(1, "bob", {"a", "b", "c", "d", "e", "f"}).empty());
    CHECK_FALSE(alice.ask(2, "bob", {"x", "g", "h"}).empty());
  }
  CHECK(good(*disk));
  CHECK(count(*disk, AuditKind::kConsent, "denied") == 2);
  CHECK(count(*disk, AuditKind::kConsent, "given") == 1);
  for (const AuditRecord& record : records_of(*disk)) {
    if (record.kind != AuditKind::kConsent || record.field("answer") == "given") continue;
    CHECK(record.field("source") == (record.task == 1 ? "a" : "g"));
    CHECK(contains(std::string(record.field("also")), record.task == 1 ? "b to dora" : "h to"));
    CHECK(record.field("others") == (record.task == 1 ? "2" : ""));
  }
}

TEST_CASE(
    "Audit: a driver whose notes go beyond its budget is counted, and keeps nobody else out") {
  auto disk = std::make_shared<TestDisk>();
  constexpr std::uint64_t kNotes = 5000;
  {
    TestOwner alice(disk);
    for (std::uint64_t i = 0; i < kNotes; ++i) {
      AuditRecord record = run_record(2 * i + 1);
      record.principal = "mallory";
      record.fields = {{"why", std::string(2000, 'w')}};
      alice.audit->note(std::move(record));
    }
    AuditRecord other = run_record(3);
    other.principal = "eve";
    alice.audit->note(std::move(other));
    CHECK(alice.ask(1) == "");
  }
  CHECK(good(*disk));
  std::uint64_t kept = 0;
  std::uint64_t lost = 0;
  for (const AuditRecord& record : records_of(*disk)) {
    if (record.principal != "mallory") continue;
    if (record.kind == AuditKind::kRunFailed) ++kept;
    if (record.kind == AuditKind::kLost) lost += record.times;
  }
  CHECK(kept > 100);
  CHECK(kept < kNotes / 2);
  CHECK(kept + lost == kNotes);
  CHECK(count(*disk, AuditKind::kRunFailed) == static_cast<std::int64_t>(kept) + 1);
}

TEST_CASE("Audit: a budget comes back with time, and is not more than it was") {
  AuditBudget budget;
  const auto begun = AuditBudget::Clock::time_point() + std::chrono::hours(1);
  CHECK(budget.take("dora", kAuditBurst, begun));
  CHECK_FALSE(budget.take("dora", 1, begun));
  CHECK(budget.take("eve", 1, begun));
  CHECK(budget.take("", INT64_MAX, begun));
  const auto later = begun + std::chrono::seconds(2);
  CHECK(budget.take("dora", 2 * kAuditBytesPerSecond, later));
  CHECK_FALSE(budget.take("dora", 1, later));
  CHECK_FALSE(budget.take("dora", kAuditBurst + 1, later + std::chrono::hours(100'000)));
  // A party may name any driver it likes in a question.
  AuditRecord asked;
  asked.kind = AuditKind::kConsent;
  asked.principal = "anybody";
  asked.fields = {{"asked_by", "bob"}};
  CHECK(AuditBudget::payer(asked, "alice") == "bob");
  CHECK(AuditBudget::payer(asked, "bob") == "anybody");
}

TEST_CASE("Audit: when the disk is nearly full notes are counted, and consents go on") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk);
    disk->left = kAuditHeadRoom - 1;
    AuditRecord record = run_record(1);
    record.principal = "mallory";
    alice.audit->note(record);
    CHECK(alice.ask(1) == "");
    CHECK(count(*disk, AuditKind::kConsent, "given") == 1);
    CHECK(count(*disk, AuditKind::kRunFailed) == 0);
    disk->left = INT64_MAX;
  }
  CHECK(good(*disk));
  CHECK(count(*disk, AuditKind::kLost) == 1);
}

TEST_CASE("Audit: notes that are put back do not grow beyond their limit while the disk is full") {
  auto disk = std::make_shared<TestDisk>();
  constexpr std::uint64_t kRounds = 4;
  {
    TestOwner alice(disk);
    CHECK(alice.ask(1) == "");
    disk->full = true;
    std::uint64_t task = 1;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      for (std::int64_t i = 0; i < kMaxAuditNotes; ++i) alice.audit->note(run_record(task += 2));
      CHECK_FALSE(alice.ask(2).empty());  // tries to write all, and puts it back
    }
    disk->full = false;
  }
  CHECK(good(*disk));
  CHECK(count(*disk, AuditKind::kRunFailed) <= kMaxAuditNotes);
  std::uint64_t told = 0;
  for (const AuditRecord& record : records_of(*disk)) {
    if (record.kind == AuditKind::kLost || record.kind == AuditKind::kRunFailed) {
      told += record.times;
    }
  }
  CHECK(told >= kRounds * kMaxAuditNotes);
}

TEST_CASE("Audit: heads of an honest peer that come out of order are no contradiction") {
  auto disk = std::make_shared<TestDisk>();
  const SigningKey bob = SigningKey::generate();
  const auto head = [&bob](std::uint64_t record, std::uint8_t hash) {
    Digest digest;
    digest.bytes.fill(hash);
    return sign_head(bob, "bob", record, digest);
  };
  {
    TestOwner alice(disk);
    for (const std::uint8_t record : {5, 9, 7, 9, 7, 12, 3}) {
      alice.audit->saw("bob", head(record, record));
    }
    CHECK(alice.ask(1) == "");
    CHECK(count(*disk, AuditKind::kPeerHead) == 5);
    CHECK(count(*disk, AuditKind::kPeerHeadWrong) == 0);
    // Another history shows at any of the records that were told.
    alice.audit->saw("bob", head(7, 70));
    CHECK(alice.ask(2) == "");
    CHECK(count(*disk, AuditKind::kPeerHeadWrong) == 1);
  }
  // What a peer tells after a start was read after it.
  TestOwner again(disk);
  again.audit->saw("bob", head(11, 11));
  CHECK(again.ask(3) == "");
  CHECK(count(*disk, AuditKind::kPeerHeadWrong) == 2);
}

TEST_CASE("Audit: honest parties with several sessions at once accuse nobody of a wrong head") {
  SimulatedParty alice;
  SimulatedParty bob;
  alice.datasets.emplace("x", Tensor::of<double>({2}, {1, 2}));
  alice.grants = {{.source = "x", .to = "bob"}};
  bob.datasets.emplace("y", Tensor::of<double>({2}, {1, 2}));
  bob.grants = {{.source = "y", .to = "alice"}};
  Simulation simulation({{"alice", alice}, {"bob", bob}}, {"dora", "mallory"});
  const auto work = [&](const std::string& who) {
    Session session(simulation.wiring(who), {});
    Program program("p");
    program.output("a", program.dataset(session.dataset("alice", "x")).to("bob", "r"));
    program.output("b", program.dataset(session.dataset("bob", "y")).to("alice", "r"));
    for (int run = 0; run < 50; ++run) session.run(program);
    session.wait();
  };
  std::vector<std::thread> threads;
  for (const char* who : {"dora", "mallory", "dora", "mallory"}) threads.emplace_back(work, who);
  for (std::thread& thread : threads) thread.join();
  for (const char* party : {"alice", "bob"}) {
    simulation.kill(party);
    const auto in = simulation.audit(party)->read();
    AuditReader reader(*in);
    while (const auto frame = reader.next()) {
      CHECK(decode_audit(frame->bytes).kind != AuditKind::kPeerHeadWrong);
    }
  }
}
