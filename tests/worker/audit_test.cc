// The audit log as a worker keeps it: what a consent waits for, what a crash or a full disk leaves.
#include "worker/audit.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "tests/support/temporary_folder.h"
#include "tests/worker/audit_rig.h"

using namespace curia;

TEST_CASE("Audit: a consent costs one sync, a refusal or a run none, and all are in the log") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk);
    const int begun = disk->syncs;
    for (std::uint64_t task = 1; task <= 5; ++task) {
      for (int run = 0; run < 100; ++run) {
        alice.audit->note_run("dora", "00ff", kKey.public_key(), 1000 * task + run);
      }
      CHECK(alice.ask(task) == "");
      CHECK(disk->syncs == begun + static_cast<int>(task));
      // On the disk before it was answered.
      CHECK(count(*disk, AuditKind::kConsent, "given") == static_cast<std::int64_t>(task));
    }
    CHECK_FALSE(alice.ask(6, "alice", {"y"}).empty());
    CHECK(disk->syncs == begun + 5);
    CHECK(alice.audit->stats().consents == 5);
  }
  CHECK(good(*disk));
  CHECK(count(*disk, AuditKind::kConsent, "denied") == 1);
  std::uint64_t runs = 0;
  for (const AuditRecord& record : records_of(*disk)) {
    if (record.kind == AuditKind::kRun) runs += record.times;
  }
  CHECK(runs == 500);
  CHECK(records_of(*disk).size() < 40);
}

TEST_CASE("Audit: consents that wait at the same time share a sync") {
  auto disk = std::make_shared<TestDisk>();
  TestOwner alice(disk);
  const int begun = disk->syncs;
  disk->hold();
  std::vector<std::future<ConsentReply>> answers;
  answers.push_back(alice.begin(1));
  disk->wait_for_syncs(begun + 1);
  for (std::uint64_t task = 2; task <= 20; ++task) answers.push_back(alice.begin(task));
  // None is answered before its sync has returned.
  for (const auto& answer : answers) {
    CHECK(answer.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  }
  disk->release();
  for (auto& answer : answers) CHECK(answer.get().allowed[0] == 1);
  CHECK(disk->syncs == begun + 2);
}

TEST_CASE("Audit: every write ends with the worker's signature, and the end is signed") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk);
    CHECK(alice.ask(1) == "");
    CHECK(records_of(*disk).back().kind == AuditKind::kHead);
    const AuditHead head = alice.audit->head();
    CHECK(head.good("alice"));
    CHECK(head.sequence + 1 == records_of(*disk).size());
    CHECK_FALSE(head.good("bob"));
  }
  const std::vector<AuditRecord> records = records_of(*disk);
  CHECK(records.back().kind == AuditKind::kHead);
  CHECK(records[records.size() - 2].kind == AuditKind::kStop);
}

TEST_CASE(
    "Grant uses: members of a device who ask for one release are one use, asking again is two") {
  TestOwner alice(std::make_shared<TestDisk>(), counted(2));
  for (const char* asker : {"alice", "bob", "carol"}) CHECK(alice.ask(1, asker) == "");
  CHECK(alice.parts.uses.used(counted(2)[0].id()) == 1);
  CHECK(alice.ask(1, "bob") == "");
  CHECK(alice.ask(1, "carol") == "");
  CHECK_FALSE(alice.ask(1, "bob").empty());
  CHECK_FALSE(alice.ask(2, "carol").empty());
}

TEST_CASE("Audit: a full disk refuses consents and says so, counts nothing, and recovers") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk, counted(1));
    disk->full = true;
    for (int i = 0; i < 3; ++i) {
      CHECK(
          contains(alice.ask(1), "audit log cannot be written: cannot write audit.log: No space"));
    }
    alice.audit->note(run_record(7));
    CHECK(alice.parts.uses.used(counted(1)[0].id()) == 0);
    disk->full = false;
    CHECK(alice.ask(2) == "");
    CHECK_FALSE(alice.ask(3).empty());
  }
  CHECK(good(*disk));
  CHECK(count(*disk, AuditKind::kConsent, "given") == 1);
  CHECK(count(*disk, AuditKind::kRunFailed) == 1);
}

TEST_CASE("Audit: after a sync that failed no consent is given until the worker starts again") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk);
    disk->faulty = true;
    CHECK(contains(alice.ask(1), "Input/output error"));
    disk->faulty = false;
    CHECK(contains(alice.ask(2), "restart the worker"));
  }
  TestOwner again(std::make_shared<TestDisk>(disk->bytes(), disk->mark()));
  CHECK(again.ask(3) == "");
}

TEST_CASE(
    "Audit: notes are bounded when nothing can be written, and the log says how many are lost") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk);
    CHECK(alice.ask(1) == "");
    disk->full = true;
    for (std::int64_t i = 0; i < 2 * kMaxAuditNotes; ++i) {
      alice.audit->note(run_record(static_cast<std::uint64_t>(2 * i + 1)));
    }
    disk->full = false;
  }
  CHECK(good(*disk));
  std::uint64_t told = 0;
  for (const AuditRecord& record : records_of(*disk)) {
    if (record.kind == AuditKind::kLost || record.kind == AuditKind::kRunFailed) {
      told += record.times;
    }
  }
  CHECK(told >= 2 * kMaxAuditNotes);
}

TEST_CASE("Audit: a record that a crash cut is dropped and said, one that was agreed to never") {
  auto disk = std::make_shared<TestDisk>();
  std::string agreed;
  AuditMark mark;
  {
    TestOwner alice(disk);
    CHECK(alice.ask(1) == "");
    agreed = disk->bytes();
    mark = disk->mark();
    alice.audit->note(run_record(1));
  }
  const std::string whole = disk->bytes();
  REQUIRE(whole.size() > agreed.size());
  for (std::size_t size = agreed.size(); size < whole.size(); size += 7) {
    INFO("cut at " << size << " of " << whole.size());
    auto cut = std::make_shared<TestDisk>(whole.substr(0, size), mark);
    {
      TestOwner alice(cut);
      CHECK(alice.ask(2) == "");
    }
    CHECK(good(*cut));
    CHECK(count(*cut, AuditKind::kConsent, "given") == 2);
  }
  auto zeros = std::make_shared<TestDisk>(agreed + std::string(100, '\0'), mark);
  { TestOwner alice(zeros); }
  CHECK(good(*zeros));
  CHECK(count(*zeros, AuditKind::kMended) == 1);
  for (std::size_t size = kAuditMagic.size(); size < agreed.size(); size += 7) {
    INFO("cut at " << size << " of " << agreed.size());
    CHECK_THROWS_WITH_AS(TestOwner(std::make_shared<TestDisk>(agreed.substr(0, size), mark)),
                         doctest::Contains("was on the disk"), Error);
  }
}

TEST_CASE("Audit: a worker does not start on a log that was edited, or signed with another key") {
  auto disk = std::make_shared<TestDisk>();
  {
    TestOwner alice(disk);
    CHECK(alice.ask(1) == "");
  }
  std::string edited = disk->bytes();
  const std::size_t at = edited.find("given");
  REQUIRE(at != std::string::npos);
  edited[at] = 'G';
  CHECK_THROWS_WITH_AS(TestOwner(std::make_shared<TestDisk>(edited, disk->mark())),
                       doctest::Contains("was edited"), Error);
  // Also where the mark is gone, and however many were edited.
  std::string twice = edited;
  twice[twice.find("alice")] = 'A';
  CHECK_THROWS_WITH_AS(TestOwner(std::make_shared<TestDisk>(twice)),
                       doctest::Contains("was edited"), Error);
  CHECK_THROWS_WITH_AS(TestOwner(std::make_shared<TestDisk>(edited)),
                       doctest::Contains("was edited"), Error);
  CHECK_THROWS_WITH_AS(Audit({.party = "alice"}, disk, SigningKey::generate()),
                       doctest::Contains("is of a worker with key"), Error);
}

TEST_CASE(
    "Audit: peers' heads are journalled once each, and one that contradicts an earlier is said") {
  auto disk = std::make_shared<TestDisk>();
  const SigningKey bob = SigningKey::generate();
  const auto head = [&bob](std::uint64_t record, std::uint8_t hash) {
    Digest digest;
    digest.bytes.fill(hash);
    return sign_head(bob, "bob", record, digest);
  };
  {
    TestOwner alice(disk);
    alice.audit->saw("bob", {});
    for (int i = 0; i < 3; ++i) alice.audit->saw("bob", head(5, 1));
    alice.audit->saw("bob", head(9, 2));
    CHECK(alice.ask(1) == "");
    CHECK(count(*disk, AuditKind::kPeerHead) == 2);
    CHECK(count(*disk, AuditKind::kPeerHeadWrong) == 0);
  }
  const auto wrong = [&](const AuditHead& told, const std::string& why) {
    auto copy = std::make_shared<TestDisk>(disk->bytes(), disk->mark());
    {
      TestOwner alice(copy);
      alice.audit->saw("bob", told);
    }
    for (const AuditRecord& record : records_of(*copy)) {
      if (record.kind == AuditKind::kPeerHeadWrong)
        return contains(std::string(record.field("why")), why);
    }
    return false;
  };
  CHECK(wrong(head(9, 3), "another record 9"));
  CHECK(wrong(head(7, 3), "record 9 before"));
  CHECK(wrong(sign_head(kKey, "bob", 11, {}), "another key"));
  AuditHead forged = head(12, 4);
  forged.sequence = 13;
  CHECK(wrong(forged, "signature"));
  CHECK_FALSE(wrong(head(12, 4), ""));
}

TEST_CASE("Audit: a write that the system cuts short leaves no half record in the file") {
  const TemporaryFolder folder;
  {
    const std::shared_ptr<AuditDisk> disk = open_audit_file(folder.path());
    disk->append(kAuditMagic);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{100, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    CHECK_THROWS_AS(disk->append(std::string(500, 'x')), Error);
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK_FALSE(disk->broken());
    CHECK(std::filesystem::file_size(folder / "audit.log") == kAuditMagic.size());
    Parts parts;
    {
      Audit audit({.party = "alice"}, disk, kKey);
      std::promise<bool> written;
      audit.decide({run_record(1)},
                   [&](const Error* failed) { written.set_value(failed == nullptr); });
      CHECK(written.get_future().get());
      CHECK(disk->mark().records >= 2);
    }
    const auto in = disk->read();
    CHECK(verify_audit(*in).problems.empty());
  }
}
