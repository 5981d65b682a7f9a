#include "tests/hostile/world.h"

#include <signal.h>

#include <fstream>
#include <numeric>

#include "protocol/error.h"
#include "tests/system/audit_log.h"

namespace curia {
namespace {

const std::vector<std::string> kOnce = {"once_a", "once_b", "once_c", "once_d", "once_e",
                                        "once_f", "once_g", "once_h", "once_i", "once_j"};
const std::vector<std::string> kNoisy = {"noisy_a", "noisy_b", "noisy_c", "noisy_d", "noisy_e",
                                         "noisy_f", "noisy_g", "noisy_h", "noisy_i", "noisy_j"};
const char* const kShare = R"("share_among": ["alice", "bob", "carol"], "protocol": "replicated3")";

std::string csv(const std::vector<std::int64_t>& values) {
  std::string text = "v\n";
  for (const std::int64_t value : values) text += std::to_string(value) + "\n";
  return text;
}

std::string grant(const std::string& source, const std::string& rest) {
  return R"({"source": ")" + source + "\", " + rest + "}";
}
std::string to(const std::string& principal) { return R"("to": ")" + principal + "\""; }

std::string list(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "[" : ", ") + item;
  return text + "]";
}

std::string narrow(const PreparedPtr& program, const std::string& release) {
  return R"(, "programs": [")" + program->digest.hex() + R"("], "releases": [")" + release + "\"]";
}

std::string careful_grants() {
  std::vector<std::string> grants = {
      grant("pay", to("dora") + narrow(granted_sum(), "total")),
      grant("board", to("bob")),
      grant("secure", kShare),
      grant("secure", to("carol") + narrow(granted_product(), "result")),
      grant("secure", to("dora") + narrow(granted_product(), "joint")),
      grant("expired", to("dora") + R"(, "until": "2020-01-01T00:00:00Z")")};
  for (const char* side : {"side0", "side1"}) {
    grants.push_back(grant(side, kShare));
    grants.push_back(grant(side, to("bob")));
    // Who sees the turns: bob and carol take part.
    const std::string turns = R"(, "programs": [")" + granted_turns(side)->digest.hex() + "\"]";
    for (const char* who : {"dora", "carol"}) grants.push_back(grant(side, to(who) + turns));
  }
  for (const std::string& once : kOnce) {
    grants.push_back(grant(once, to("dora") + R"(, "times": 1)"));
  }
  return list(grants);
}

std::string careful_rules() {
  std::vector<std::string> rules;
  for (const std::string& noisy : kNoisy) {
    rules.push_back(grant(noisy, to("dora") + R"(, "epsilon": 1, "delta": 1e-6)"));
  }
  return list(rules);
}

std::string all_grants(const std::string& owner,
                       const std::map<std::string, std::string>& datasets) {
  std::vector<std::string> grants;
  for (const auto& [name, unused] : datasets) {
    grants.push_back(grant(name, kShare));
    for (const char* who : {"dora", "mallory", "alice", "bob", "carol", "dan"}) {
      if (who != owner) grants.push_back(grant(name, to(who)));
    }
  }
  return list(grants);
}

std::map<std::string, ProcessParty> parties(bool unprotected, const std::string& approvals,
                                            const std::string& approver) {
  std::map<std::string, ProcessParty> all;
  auto& alice = all["alice"];
  alice.csv = {{"pay", csv(kPay)},
               {"secure", csv(kSecure)},
               {"secret", csv(kCanaries)},
               {"board", csv(kCanaries)},
               {"expired", csv(kCanaries)},
               {"bound", csv(kCanaries)},
               {"other", csv(kCanaries)},
               {"side0", csv({1, 2, 3, 4, 5})},
               {"side1", csv({5, 5, -1, 0, INT64_C(1) << 62})}};
  for (const std::string& once : kOnce) alice.csv[once] = csv(kCanaries);
  for (const std::string& noisy : kNoisy) alice.csv[noisy] = csv(kCanaries);
  all["bob"].csv = {{"x", csv(kBobs)}};
  all["carol"] = {};
  all["dan"].csv = {{"dans", csv(kCanaries)}};
  alice.grants = careful_grants();
  alice.rules = careful_rules();
  all["bob"].grants = list({grant("x", kShare), grant("x", to("carol")), grant("x", to("dora"))});
  all["dan"].grants = list({grant("dans", to("alice"))});
  for (auto& [name, party] : all) {
    party.extra["fs_root"] = "\"objects-" + name + "\"";
    party.extra["fs_quota_mib"] = "64";
    party.extra["fs_hidden_quota_mib"] = "8";
    party.extra["memory_quota_mib"] = "256";
    party.extra["hidden_quota_mib"] = "8";
    if (unprotected && !party.csv.empty()) party.grants = all_grants(name, party.csv);
  }
  if (!unprotected) {
    alice.extra["approvers"] = R"({"ann": ")" + approver + "\"}";
    alice.extra["approvals"] = "\"" + approvals + "\"";
  }
  return all;
}

void expect_equal(std::int64_t found, std::int64_t expected, const char* what) {
  if (found == expected) return;
  throw Error(Code::kFailed, std::string("what is granted does not work: ") + what);
}

}  // namespace

PreparedPtr granted_sum() {
  Program program("total");
  program.output("total", sum(rows_of(program, "pay")));
  return prepare(program);
}

PreparedPtr granted_product() {
  Program program("joint");
  const Device abc = program.device("abc", kAbc);
  const Array product = rows_of(program, "secure").to(abc) * rows_of(program, "x", "bob").to(abc);
  program.output("joint", sum(product).reveal("carol", "result"));
  return prepare(program);
}

PreparedPtr granted_turns(const std::string& side) {
  Program program("turns");
  const Array first = minimum(sum(rows_of(program, side).slice({0}, {1})), 5);
  const Array one = program.constant("alice", Tensor::scalar<std::int64_t>(1));
  const Array none = program.constant("bob", Tensor::scalar<std::int64_t>(0));
  const Arrays last = while_loop(
      9, {first, none}, [](const Arrays& state) { return state[0] > 0; },
      [&](const Arrays& state) {
        return Arrays{state[0] - 1, state[1] + one.to("bob")};
      });
  const auto then = [&] {
    const Device abc = program.device("abc", kAbc);
    return Arrays{last[1] + sum((one * 3).to(abc)).reveal("bob")};
  };
  program.output("out", cond(first > 3, then, [&] { return Arrays{last[1]}; })[0]);
  return prepare(program);
}

World::World(bool unprotected)
    : unprotected_(unprotected),
      cluster_(std::make_unique<ProcessCluster>(
          parties(unprotected, approvals_.path(), approver_.public_key().hex()))) {}

void World::check_honest() {
  Session session = cluster_->connect();
  const Refs refs = session.run(granted_sum());
  const auto total = session.fetch(refs["total"], kPatience).tensor();
  expect_equal(total.as<std::int64_t>()[0], std::accumulate(kPay.begin(), kPay.end(), INT64_C(0)),
               "the sum of alice's pay");
  const Refs joint = session.run(granted_product());
  const auto product = session.fetch(joint["joint"], kPatience).tensor();
  expect_equal(product.as<std::int64_t>()[0],
               std::inner_product(kSecure.begin(), kSecure.end(), kBobs.begin(), INT64_C(0)),
               "the sum of the product of alice's and bob's secrets");
}

std::vector<AuditRecord> World::audit(const std::string& party) const {
  return audit_of(*cluster_, party);
}

std::int64_t World::records(const std::string& party, AuditKind kind) const {
  std::int64_t count = 0;
  for (const AuditRecord& record : audit(party)) {
    if (record.kind == kind) count += static_cast<std::int64_t>(record.times);
  }
  return count;
}

bool World::reload() {
  const std::int64_t taken = records("alice", AuditKind::kPolicy);
  const std::int64_t refused = records("alice", AuditKind::kPolicyRefused);
  cluster_->signal("alice", SIGHUP);
  bool good = false;
  const bool answered = eventually([&] {
    good = records("alice", AuditKind::kPolicy) > taken;
    return good || records("alice", AuditKind::kPolicyRefused) > refused;
  });
  if (!answered) throw Error(Code::kFailed, "alice does not read her policy again");
  return good;
}

void World::restart(const std::string& party, bool kill) {
  if (kill) {
    cluster_->kill(party);
  } else if (cluster_->stop(party) != 0) {
    throw Error(Code::kFailed, "the worker of " + party + " does not stop in order");
  }
  cluster_->start(party);
}

}  // namespace curia
