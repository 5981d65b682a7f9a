// The audit log's records and chain, and everything that may be done to a log after it was written.
#include <doctest/doctest.h>

#include <sstream>

#include "protocol/audit_verify.h"
#include "protocol/error.h"
#include "tests/support/digests.h"
#include "tests/support/errors.h"

using namespace curia;

namespace {

const SigningKey kKey(filled(7));
constexpr AuditChecks kLastOnly{.signatures = false, .last_head = true};

AuditRecord record(std::uint64_t sequence, AuditKind kind, const std::string& what = "") {
  AuditRecord made;
  made.sequence = sequence;
  made.time_ms = 1'790'000'000'000 + static_cast<std::int64_t>(sequence);
  made.kind = kind;
  made.principal = "dora";
  if (!what.empty()) made.fields = {{"what", what}};
  return made;
}

AuditRecord start_record() {
  AuditRecord start = record(1, AuditKind::kStart);
  start.principal.clear();
  start.fields = {{"party", "alice"}, {"key", kKey.public_key().hex()}};
  return start;
}

struct Entry {
  std::string bytes;
  Digest hash;
};

// A log as a list that a test can change, and put together again.
struct Log {
  std::vector<Entry> entries;

  Digest last_hash() const { return entries.empty() ? Digest() : entries.back().hash; }
  void add(AuditRecord made) {
    made.sequence = entries.size() + 1;
    put(made);
  }
  void put(const AuditRecord& made) {
    const std::string bytes = encode_audit(made);
    entries.push_back({bytes, audit_hash(last_hash(), bytes)});
  }
  AuditHead sign(const SigningKey& key = kKey) const {
    return sign_head(key, "alice", entries.size(), last_hash());
  }
  void add_head() {
    AuditRecord head = record(0, AuditKind::kHead);
    head.fields = {{"signature", signature_hex(sign().signature)}};
    add(head);
  }
  // As one does who knows how the hashes are made.
  void hash_again() {
    Digest previous;
    for (Entry& entry : entries) previous = entry.hash = audit_hash(previous, entry.bytes);
  }
  void edit(std::size_t number, const std::string& what) {
    AuditRecord changed = decode_audit(entries[number - 1].bytes);
    changed.fields = {{"what", what}};
    entries[number - 1].bytes = encode_audit(changed);
  }
  std::string file() const {
    std::string bytes(kAuditMagic);
    for (const Entry& entry : entries) append_audit_frame(bytes, entry.bytes, entry.hash);
    return bytes;
  }
};

// start, 4 records, a head; more, a head: 10 records.
Log good_log() {
  Log log;
  log.add(start_record());
  for (const char* what : {"a", "b", "c"}) log.add(record(0, AuditKind::kConsent, what));
  log.add_head();
  for (const char* what : {"d", "e", "f", "g"}) log.add(record(0, AuditKind::kFetch, what));
  log.add_head();
  return log;
}

AuditReport verified(const Log& log, const std::vector<SeenHead>& seen = {},
                     const AuditChecks& checks = {}) {
  std::istringstream in(log.file());
  return verify_audit(in, seen, {}, checks);
}

std::string found(const Log& log, const std::vector<SeenHead>& seen = {},
                  const AuditChecks& checks = {}) {
  const AuditReport report = verified(log, seen, checks);
  return report.problems.empty() ? "" : report.problems[0].text;
}

SeenHead seen_by_bob(const AuditHead& head) { return {"bob", "alice", 1'790'000'000'000, head}; }

constexpr AuditChecks kNoHashes{.hashes = false};
constexpr AuditChecks kNoOrder{.order = false};
constexpr AuditChecks kNoSignatures{.signatures = false};
constexpr AuditChecks kNoHeads{.heads = false};
constexpr AuditChecks kNoTail{.tail = false};

}  // namespace

TEST_CASE("Audit record: it comes back as it was, and no other bytes are one") {
  AuditRecord made = record(3, AuditKind::kConsent, "x");
  made.session = "00ff";
  made.task = 9;
  made.times = 2;
  const std::string bytes = encode_audit(made);
  CHECK(encode_audit(decode_audit(bytes)) == bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_THROWS_AS(decode_audit(bytes.substr(0, size)), Error);
  }
  CHECK_THROWS_AS(decode_audit(bytes + '\0'), Error);
  CHECK(audit_line(made) == "consent dora session 00ff task 9 to 10 what=x");
  CHECK(audit_time(1'790'000'000'003) == "2026-09-21T14:13:20.003Z");
  CHECK(find_audit_kind("different_programs") == AuditKind::kDifferentPrograms);
}

TEST_CASE("Audit record: a text that is too long is cut between characters, and says so") {
  AuditRecord made = record(1, AuditKind::kRefused, std::string(kMaxAuditText, 'x'));
  const std::string before = encode_audit(made);
  CHECK(audit_size(made) == std::ssize(before) + 36);
  fit_audit(made);
  CHECK(encode_audit(made) == before);
  for (int shift = 0; shift < 4; ++shift) {
    made.fields[0].value = std::string(static_cast<std::size_t>(shift), 'x');
    for (int i = 0; i < 2000; ++i) made.fields[0].value += "\xe2\x82\xac";
    fit_audit(made);
    const std::string text(made.field("what"));
    CHECK(std::ssize(text) <= kMaxAuditText);
    CHECK((text.find(" ... (") - static_cast<std::size_t>(shift)) % 3 == 0);
    CHECK(contains(text, "bytes cut)"));
  }
}

TEST_CASE("Audit record: nothing in an edited log reaches a terminal as a control character") {
  const std::string line = audit_line(record(1, AuditKind::kRefused, "\x1b[2J\n"));
  for (const unsigned char c : line) CHECK((c >= 0x20 && c != 0x7F));
}

TEST_CASE("Audit record: control characters of all kinds and broken UTF-8 are shown escaped") {
  CHECK(audit_shown("\x1b[2J\n\x7f") == "\\x1b[2J\\x0a\\x7f");
  CHECK(audit_shown("\xc2\x9b"
                    "31m") == "\\xc2\\x9b31m");
  CHECK(audit_shown("\x9b"
                    "31m \xff") == "\\x9b31m \\xff");
  for (const char* text : {"na\xc3\xafve", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc2\xa0", ""}) {
    CHECK(audit_shown(text) == text);
  }
  for (const char* text :
       {"\xc0\x9b", "\xe0\x82\x9b", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc2", "\xe2\x82"}) {
    CHECK(audit_shown(text).starts_with("\\x"));
    for (const char c : audit_shown(text)) CHECK(static_cast<unsigned char>(c) < 0x7F);
  }
}

TEST_CASE("Signature: it holds for what was signed, by that key, and for nothing else") {
  const Signature signature = kKey.sign(filled(1));
  CHECK(verify_signature(kKey.public_key(), filled(1), signature));
  CHECK_FALSE(verify_signature(kKey.public_key(), filled(2), signature));
  CHECK_FALSE(verify_signature(SigningKey(filled(8)).public_key(), filled(1), signature));
  Signature other = signature;
  other[10] ^= 1;
  CHECK_FALSE(verify_signature(kKey.public_key(), filled(1), other));
  CHECK(parse_signature(signature_hex(signature)) == signature);
  CHECK_THROWS_AS(parse_signature("00"), Error);
  // RFC 8032, section 7.1, test 1: the public key of this secret.
  CHECK(
      SigningKey(Digest::parse("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
          .public_key()
          .hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
}

TEST_CASE("Audit: a log as the worker wrote it is good, also with what others saw") {
  const Log log = good_log();
  Log before = log;
  before.entries.resize(4);
  const AuditReport report = verified(log, {seen_by_bob(before.sign())});
  CHECK(report.problems.empty());
  CHECK(report.party == "alice");
  CHECK(report.key == kKey.public_key());
  CHECK(report.records == 10);
  CHECK(report.signed_to == 9);
  CHECK(report.seen_to == 4);
  CHECK(report.cut_bytes == 0);
}

TEST_CASE("Audit: an edited record is named; its hash is what tells") {
  Log log = good_log();
  log.edit(3, "B");
  CHECK(contains(found(log), "record 3 (consent"));
  CHECK(contains(found(log), "was edited"));
  CHECK(verified(log).problems.size() == 1);
  CHECK(found(log, {}, kNoHashes).empty());
}

TEST_CASE("Audit: an edited record whose hashes were made again is found by the signature") {
  Log log = good_log();
  log.edit(3, "B");
  log.hash_again();
  CHECK(contains(found(log), "the signature in record 5 does not belong"));
  CHECK(contains(found(log), "records 1 to 4 are not as the worker wrote them"));
  CHECK(found(log, {}, kNoSignatures).empty());
}

TEST_CASE("Audit: a removed record is named, also behind the last signature") {
  Log log = good_log();
  log.entries.erase(log.entries.begin() + 2);
  CHECK(contains(found(log), "record 3 was removed: record 4 follows record 2"));
  log = good_log();
  for (const char* what : {"h", "i", "j", "k"}) log.add(record(0, AuditKind::kRun, what));
  log.entries.erase(log.entries.begin() + 11, log.entries.begin() + 13);
  log.hash_again();
  CHECK(contains(found(log), "records 12 to 13 were removed: record 14 follows record 11"));
  CHECK(found(log, {}, kNoOrder).empty());
}

TEST_CASE("Audit: records in another order are found, also behind the last signature") {
  Log log = good_log();
  std::swap(log.entries[1], log.entries[2]);
  CHECK(contains(found(log), "another order"));
  log = good_log();
  for (const char* what : {"h", "i", "j"}) log.add(record(0, AuditKind::kRun, what));
  std::swap(log.entries[11], log.entries[12]);
  log.hash_again();
  CHECK(contains(found(log), "record 12 stands behind record 13"));
  CHECK(found(log, {}, kNoOrder).empty());
  log = good_log();
  log.entries.push_back(log.entries[6]);
  log.hash_again();
  CHECK(contains(found(log), "record 7 stands behind record 10"));
}

TEST_CASE(
    "Audit: a cut before the last head that another party saw is found, and no other can be") {
  Log log = good_log();
  const SeenHead seen = seen_by_bob(log.sign());
  log.entries.resize(6);
  CHECK(contains(found(log, {seen}), "bob saw record 10 of alice"));
  CHECK(contains(found(log, {seen}), "ends with record 6: records 7 to 10 were cut off"));
  CHECK(found(log, {seen}, kNoHeads).empty());
  CHECK(found(log).empty());
}

TEST_CASE("Audit: a second history, signed by the worker's own key, is found by what others saw") {
  const Log first = good_log();
  Log second;
  second.add(start_record());
  for (const char* what : {"a", "b", "other"}) second.add(record(0, AuditKind::kConsent, what));
  second.add_head();
  for (int i = 0; i < 10; ++i) second.add(record(0, AuditKind::kRun));
  second.add_head();
  const SeenHead seen = seen_by_bob(first.sign());
  CHECK(found(second).empty());
  CHECK(contains(found(second, {seen}), "two histories (a fork)"));
  CHECK(contains(found(second, {seen}), "record 10"));
  CHECK(found(second, {seen}, kNoHeads).empty());
}

TEST_CASE("Audit: a log that was begun anew with another key is not taken for the old one") {
  const SigningKey other(filled(9));
  Log log = good_log();
  const SeenHead seen = seen_by_bob(log.sign(other));
  CHECK(contains(found(log, {seen}), "signed with key " + other.public_key().hex()));
  AuditRecord start = start_record();
  start.fields[1].value = other.public_key().hex();
  log.add(start);
  CHECK(contains(found(log), "record 11 begins the log of alice with key"));
  CHECK(found(log, {}, kNoSignatures).empty());
  // The owner may publish the key.
  std::istringstream in(good_log().file());
  CHECK_FALSE(verify_audit(in, {}, other.public_key()).problems.empty());
}

TEST_CASE("Audit: a head that nobody signed, or of another party, is not held against a log") {
  Log log = good_log();
  SeenHead seen = seen_by_bob(log.sign());
  seen.head.sequence = 99;
  CHECK(contains(found(log, {seen}), "the signature of that head is not good"));
  seen.party = "carol";
  CHECK(found(log, {seen}).empty());
}

TEST_CASE("Audit: every byte that is changed or cut is found or said") {
  const std::string file = good_log().file();
  for (std::size_t at = 0; at < file.size(); ++at) {
    INFO("byte " << at);
    std::string changed = file;
    changed[at] = static_cast<char>(changed[at] ^ 0x20);
    std::istringstream in(changed);
    try {
      const AuditReport report = verify_audit(in);
      CHECK((!report.problems.empty() || report.cut_bytes != 0));
    } catch (const Error& error) {
      CHECK(at < kAuditMagic.size());
    }
    std::istringstream cut(file.substr(0, at));
    const AuditReport report = verify_audit(cut, {}, {}, kNoTail);
    CHECK(report.records < 10);
    CHECK(report.problems.empty());
    std::istringstream again(file.substr(0, at));
    const bool nothing_signed = report.records > 0 && report.records < 5;
    CHECK(verify_audit(again).problems.size() == (nothing_signed ? 1 : 0));
  }
}

TEST_CASE("Audit: records behind the last signature are said, and consents there are a problem") {
  Log log = good_log();
  log.add(record(0, AuditKind::kRun));
  CHECK(found(log).empty());
  CHECK(verified(log).unsigned_records == 1);
  CHECK(verified(log).signed_to == 9);
  for (int i = 0; i < 50; ++i) log.add(record(0, AuditKind::kConsent, "forged"));
  CHECK(contains(found(log), "51 records after the last signature are not vouched for; 50"));
  CHECK(found(log, {}, kNoTail).empty());
  Log none;
  none.add(start_record());
  none.add(record(0, AuditKind::kRun));
  CHECK(contains(found(none), "nothing in this log is signed"));
  none.add_head();
  CHECK(found(none).empty());
  Log many = good_log();
  for (std::uint64_t i = 0; i <= kMaxAuditTail; ++i) many.add(record(0, AuditKind::kRun));
  CHECK(contains(found(many), "20001 records after the last signature are not vouched for"));
}

TEST_CASE("Audit: the last signature alone finds what was edited anywhere before it") {
  Log log = good_log();
  CHECK(found(log, {}, kLastOnly).empty());
  log.edit(2, "A");
  log.hash_again();
  CHECK(contains(found(log, {}, kLastOnly), "the signature in record 10 does not belong"));
}

TEST_CASE("Audit: heads are read from a peer's log and from a list that it gives away") {
  const Log alice = good_log();
  Log bob;
  AuditRecord start = record(1, AuditKind::kStart);
  start.fields = {{"party", "bob"}, {"key", SigningKey(filled(3)).public_key().hex()}};
  bob.add(start);
  bob.add(peer_head_record("alice", alice.sign()));
  std::istringstream in(bob.file());
  const std::vector<SeenHead> heads = seen_heads(in);
  REQUIRE(heads.size() == 1);
  CHECK(heads[0].seen_by == "bob");
  CHECK(heads[0].party == "alice");
  CHECK(heads[0].head == alice.sign());
  const std::vector<SeenHead> listed = parse_heads(heads_json(heads));
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].head == heads[0].head);
  CHECK(verified(alice, listed).seen_to == 10);
  for (const char* text : {"", "{}", "{\"heads\": [{}]}", "{\"heads\": 1}"}) {
    CHECK_THROWS_AS(parse_heads(text), Error);
  }
}

TEST_CASE("Audit: no size in a file makes the reader take memory for it") {
  std::string file(kAuditMagic);
  file += std::string("\xff\xff\xff\x7f", 4) + "abc";
  std::istringstream in(file);
  AuditReader reader(in);
  CHECK_FALSE(reader.next());
  CHECK(reader.left() == 7);
  std::istringstream other("not a log at all");
  CHECK_THROWS_AS(AuditReader{other}, Error);
}
