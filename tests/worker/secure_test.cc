// Pieces of secure computation at one worker: seeds, the messages of a member, grants to share.
#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <set>

#include "protocol/op_table.h"
#include "tests/support/digests.h"
#include "worker/member.h"
#include "worker/policy.h"
#include "worker/preflight.h"
#include "worker/seeds.h"

using namespace curia;

namespace {

const SecureDevice kAbc = {"abc", "replicated3", {"alice", "bob", "carol"}};

SeedTask seed_task() { return {"dora", "00ff", 7, filled(1), filled(2), {filled(3), filled(4)}}; }

struct Sent {
  std::string to;
  Tag tag;
  Slice head;
  Slice body;
};

// A member of rank 0 whose peers answer what the test has laid out.
struct Rig {
  std::vector<Sent> sent;
  std::deque<Message> answers;
  std::vector<std::pair<std::string, Tag>> asked;
  DeviceMember member{kAbc, 0, 9, MpcSeeds{}, lanes()};

  MemberLanes lanes() {
    return {[this](const std::string& to, const Tag& tag, Slice head, Slice body) {
              sent.push_back({to, tag, std::move(head), std::move(body)});
            },
            [this](const std::string& from, const Tag& tag, std::int64_t, const Op&) {
              asked.emplace_back(from, tag);
              Message answer = answers.at(0);
              answers.pop_front();
              return answer;
            }};
  }

  void answer(std::uint32_t depth, std::int64_t bytes) {
    std::array<std::uint8_t, 4> head;
    std::memcpy(head.data(), &depth, 4);
    answers.push_back(
        {Slice::copy_of(head), Slice::copy_of(std::string(static_cast<std::size_t>(bytes), 'x'))});
  }

  std::vector<ValuePtr> multiply(std::uint32_t number, std::int64_t weight = 0) {
    static const Op op{"mul", "abc", {0, 0}, {}, {}, 0};
    return member.run(op, number, weight,
                      [](MpcProtocol& protocol, std::uint32_t n, std::uint32_t step) {
                        protocol.begin(n, step, nullptr);
                        const Slice zeros = Slice::copy_of(std::string(32, '\0'));
                        const RingShare x{4, zeros, zeros};
                        protocol.multiply(x, x);
                        return std::vector<ValuePtr>{};
                      });
  }
};

std::string refused(const Grant& grant, ReleaseQuestion question) {
  Policy policy;
  policy.grants = {grant};
  return decide(policy, "alice", question, std::chrono::system_clock::now(),
                {[](const Grant&) { return true; }, {}})
      .refused;
}

}  // namespace

TEST_CASE("Seeds: both members of a pair get one seed, and everything that was agreed changes it") {
  const SeedPart a{filled(10), filled(11), 3};
  const SeedPart b{filled(20), filled(21), 5};
  const auto seed = pair_seed(seed_task(), kAbc, 0, a, b);
  CHECK(seed == pair_seed(seed_task(), kAbc, 0, a, b));
  std::set<std::array<std::uint8_t, 32>> all{seed};
  const auto differs = [&](const SeedTask& task, const SecureDevice& device, int rank,
                           const SeedPart& first, const SeedPart& second) {
    CHECK(all.insert(pair_seed(task, device, rank, first, second)).second);
  };
  differs(seed_task(), kAbc, 1, a, b);
  differs(seed_task(), kAbc, 0, b, a);
  SecureDevice device = kAbc;
  device.name = "abd";
  differs(seed_task(), device, 0, a, b);
  device = kAbc;
  device.members = {"alice", "bob", "dan"};
  differs(seed_task(), device, 0, a, b);
  SeedPart other = a;
  other.secret = filled(12);
  differs(seed_task(), kAbc, 0, other, b);
  other = a;
  other.nonce = filled(12);
  differs(seed_task(), kAbc, 0, other, b);
  other = a;
  other.epoch = 4;
  differs(seed_task(), kAbc, 0, other, b);
  for (int field = 0; field < 6; ++field) {
    SeedTask task = seed_task();
    if (field == 0) task.driver = "mallory";
    if (field == 1) task.session = "00fe";
    if (field == 2) task.task = 8;
    if (field == 3) task.program = filled(9);
    if (field == 4) task.instance = filled(9);
    if (field == 5) task.lineages[1] = filled(9);
    differs(task, kAbc, 0, a, b);
  }
}

TEST_CASE("Ops: what the op table offers on secrets has a kernel, and every kernel an op") {
  std::set<std::string> offered;
  for (const OpSpec& spec : op_table()) {
    if (spec.secrets != kNoSecrets || spec.name == "share" || spec.name == "reveal") {
      offered.insert(std::string(spec.name));
      CHECK_MESSAGE(find_mpc(spec.name) != nullptr, spec.name);
    }
  }
  for (const MpcEntry& entry : mpc_table()) {
    CHECK_MESSAGE(offered.contains(std::string(entry.name)), entry.name);
  }
}

TEST_CASE("HKDF: the first test vector of RFC 5869") {
  std::array<std::uint8_t, 22> key;
  key.fill(0x0b);
  std::string salt;
  for (char c = 0; c < 13; ++c) salt += c;
  std::string info;
  for (int c = 0xf0; c < 0xfa; ++c) info += static_cast<char>(c);
  std::array<std::uint8_t, 42> out{};
  hkdf_sha256(salt, key, info, out);
  CHECK(out[0] == 0x3c);
  CHECK(out[1] == 0xb2);
  CHECK(out[41] == 0x65);
  CHECK(out[40] == 0x58);
}

TEST_CASE("Member: messages carry the op and a number of their own, for each peer and direction") {
  Rig rig;
  for (const std::uint32_t number : {5U, 5U, 6U}) {
    rig.answer(1, 32);
    rig.multiply(number);
  }
  REQUIRE(rig.sent.size() == 3);
  CHECK(rig.sent[0].tag == Tag{9, 5, 0});
  CHECK(rig.sent[1].tag == Tag{9, 5, 1});
  CHECK(rig.sent[2].tag == Tag{9, 6, 0});
  CHECK(rig.asked[1].second == Tag{9, 5, 1});
  CHECK(rig.sent[0].body.size == 32);
  CHECK(rig.sent[0].to != "alice");
  const auto& uses = rig.member.uses();
  REQUIRE(uses.size() == 2);
  CHECK(uses.at(5).runs == 2);
  CHECK(uses.at(5).rounds == 2);
  CHECK(uses.at(5).bytes == 64);
  CHECK(uses.at(6).bytes == 32);
}

TEST_CASE("Member: a message of the wrong size is an error that names the sender") {
  for (const std::int64_t bytes : {0, 31, 40}) {
    Rig rig;
    rig.answer(1, bytes);
    try {
      rig.multiply(5);
      FAIL("expected an error");
    } catch (const Error& error) {
      CHECK(error.code() == Code::kCorrupt);
      CHECK(error.message().find("expected a message of 32 bytes from ") == 0);
    }
  }
  Rig rig;
  rig.answers.push_back({Slice(), Slice::copy_of(std::string(32, 'x'))});
  CHECK_THROWS_AS(rig.multiply(5), Error);
}

TEST_CASE("Member: one that only sends meets the others after so many bytes") {
  Rig rig;
  constexpr std::int64_t kLarge = std::int64_t{40} << 20;
  rig.answer(1, 32);
  rig.multiply(5, kLarge);  // the first meeting waits for nobody
  REQUIRE(rig.sent.size() == 3);
  CHECK(rig.sent[1].tag == Tag{9, UINT32_MAX - 1, 0});
  CHECK(rig.sent[1].to == "bob");
  CHECK(rig.sent[2].to == "carol");
  rig.answer(1, 32);
  rig.answers.push_back({});
  rig.answers.push_back({});
  rig.multiply(5, kLarge);
  REQUIRE(rig.asked.size() == 4);
  CHECK(rig.asked[2].first == "bob");
  CHECK(rig.asked[2].second == Tag{9, UINT32_MAX - 1, 0});
  CHECK(rig.asked[3].first == "carol");
  // And after many small ops.
  const std::size_t before = rig.sent.size();
  for (int i = 0; i < 1023; ++i) {
    rig.answer(1, 32);
    rig.multiply(6, 0);
  }
  CHECK(rig.sent.size() == before + 1023);
  CHECK(rig.member.uses().at(6).bytes == 1023 * 32);
}

TEST_CASE("Policy: a grant to share covers these members and this protocol, and no plaintext") {
  const Grant grant{
      .source = "x", .to = "", .members = {"alice", "bob", "carol"}, .protocol = "replicated3"};
  ReleaseQuestion question{"x", {}, "", "op1", {"carol", "alice", "bob"}, "replicated3"};
  CHECK(refused(grant, question).empty());
  ReleaseQuestion other = question;
  other.members = {"alice", "bob", "dan"};
  CHECK(
      refused(grant, other) ==
      "alice has no grant of alice/x to be shared among alice, bob, dan by replicated3; its owner "
      "can grant it in the worker's policy, or approve it (curia plan --release)");
  other = question;
  other.protocol = "other";
  CHECK_FALSE(refused(grant, other).empty());
  other = question;
  other.source = "y";
  CHECK_FALSE(refused(grant, other).empty());
  for (const char* to : {"bob", "dora", ""}) {
    CHECK_FALSE(refused(grant, {"x", {}, to, "op1", {}, ""}).empty());
  }
  // And the other way round.
  const Grant plain{.source = "x", .to = "bob"};
  CHECK_FALSE(refused(plain, question).empty());
  CHECK(grant.str() == "x to be shared among alice, bob, carol by replicated3, any program");
}

TEST_CASE("Preflight: instances and pair secrets come back as they were") {
  Preflight preflight;
  preflight.program = filled(1);
  preflight.driver = "dora";
  preflight.epoch = 4;
  preflight.nonce = filled(2);
  preflight.inputs.push_back({3, put_lineage("dora", filled(5)), {}, filled(6)});
  preflight.pair_secret = filled(7);
  const Preflight back = decode_preflight(encode_preflight(preflight));
  CHECK(back.inputs[0].instance == filled(6));
  CHECK(back.pair_secret == filled(7));
  CHECK(encode_preflight(back) == encode_preflight(preflight));
}
