// What a hostile driver, a full disk or a large policy can do to the audit log: nothing that makes
// it unreadable, and not more than its share of the disk.
#include <doctest/doctest.h>

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
  CHECK_THROWS_WITH_AS(TestOwner(std::make_shared<TestDisk>(forged, disk->mark()), counted(1)),
                       doctest::Contains("does not belong to what stands before it"), Error);
}
