#include "tests/noninterference/stage.h"

#include <algorithm>
#include <array>

#include "protocol/secret.h"
#include "protocol/value_bytes.h"
#include "tests/noninterference/seen_text.h"
#include "worker/parts.h"
#include "worker/preflight.h"

namespace curia::test {
namespace {

constexpr std::uint32_t kPreflight = UINT32_MAX;

bool is_plain_move(const std::string& op) {
  return op == "transfer" || op == "cond" || op == "while";
}

std::string content(const Sent& sent) {
  return bytes_text(sent.head) + " | " + bytes_text(sent.body);
}

Digest digest_of(const std::string& name) {
  Hasher hasher("noninterference");
  hasher.add(name);
  return hasher.finish();
}

std::string preflight_text(const Slice& body) {
  const Preflight preflight = decode_preflight(
      {reinterpret_cast<const char*>(body.data), static_cast<std::size_t>(body.size)});
  std::string text = preflight.program.hex() + " " + preflight.driver;
  for (const PreflightInput& input : preflight.inputs) {
    text += " " + std::to_string(input.outside) + "=" + input.lineage.id.hex() + " " +
            input.lineage.pattern.hex() + input.label.str() + input.instance.hex();
  }
  return text;
}

}  // namespace

struct Stage::Play {
  const Script& script;
  std::set<std::pair<int, std::string>> prepared;
  std::uint64_t task = 0;
  std::map<std::string, StatsReply> before;  // of earlier plays
  Sight sight;

  bool honest(const std::string& principal) const { return !script.coalition.contains(principal); }
  // Whether alice lets any of her data be shared with these members, so that their threshold holds.
  bool accepted(const SecureDevice& device) const {
    const std::set<std::string> members(device.members.begin(), device.members.end());
    const auto has = [&](const auto& given) { return given.members == members; };
    return std::ranges::any_of(script.grants, has) || std::ranges::any_of(script.approved, has);
  }
};

Stage::Stage(const Datasets& alice, const WatchedRules& rules, std::int64_t hidden_quota)
    : rules_(rules), tap_(std::make_shared<Tap>()) {
  std::map<std::string, SimulatedParty> parties;
  for (const std::string& party : kAllParties) {
    SimulatedParty& config = parties[party];
    config.lease_ms = 3'600'000;
    config.hidden_quota_bytes = hidden_quota;
    config.fs_root = folder_ / party;
    config.wrap_link = [tap = tap_, party](std::shared_ptr<Link> link) {
      return std::make_shared<TappedLink>(std::move(link), party, tap);
    };
  }
  parties["alice"].datasets.insert(alice.begin(), alice.end());
  const Table z{{{"k", Tensor::of<std::int64_t>({2}, std::vector<std::int64_t>{1, 2})},
                 {"v", Tensor::of<double>({2}, std::vector<double>{0.25, 4})}},
                2};
  parties["bob"].datasets.emplace("z", z);
  for (const char* reader : {"dora", "alice", "carol", "dan"}) {
    parties["bob"].grants.push_back({.source = "z", .to = reader});
  }
  for (const auto& members :
       {std::set<std::string>{"alice", "bob", "carol"}, {"bob", "carol", "dan"}}) {
    parties["bob"].grants.push_back(
        {.source = "z", .to = "", .members = members, .protocol = std::string(kReplicated3)});
  }
  cluster_ = std::make_unique<Simulation>(std::move(parties), std::vector<std::string>{kDriver});
  for (const std::string& party : kAllParties) {
    Parts& parts = cluster_->parts(party);
    parts.rules = &rules_;
    // The same on all stages, so that an approval speaks of the same values.
    for (auto& [name, dataset] : parts.datasets) dataset.lineage = digest_of(party + "/" + name);
  }
  driver_ = std::make_unique<PlainDriver>(cluster_->wiring(kDriver));
}

Sight Stage::play(const Script& script) {
  Play play{script, {}, 0, {}, {}};
  play.before = stats();
  Policy policy;
  policy.drivers[kDriver] = "";
  policy.grants = script.grants;
  // What an earlier play used up is not used up in this one.
  ++plays_;
  for (Grant& grant : policy.grants) grant.name = "play" + std::to_string(plays_);
  if (!script.approved.empty()) {
    policy.approvals.push_back({.owner = "alice",
                                .driver = kDriver,
                                .times = 1 + static_cast<std::int64_t>(script.seed % 2),
                                .until = parse_time("2200-01-01T00:00:00Z"),
                                .releases = script.approved,
                                .nonce = random_digest(),
                                .key = {},
                                .signature = {}});
    policy.index();
  }
  cluster_->parts("alice").policy.set(std::move(policy));
  driver_->open();
  rules_.take();
  rules_.take_wishes();
  tap_->take();
  Names names;
  for (const Step& step : script.steps) {
    const std::string seen = perform(play, step);
    const bool of_driver = step.kind != Step::Kind::kRun && play.honest(kDriver);
    play.sight.view.push_back(of_driver ? "" : names.without_random(seen));
  }
  ReleaseRequest all{{script.objects.begin(), script.objects.end()}};
  PlainDriver::Requests requests;
  for (const std::string& party : kAllParties) requests.emplace_back(party, encode(all));
  driver_->ask(Kind::kRelease, requests);
  driver_->close();
  return std::move(play.sight);
}

std::string Stage::perform(Play& play, const Step& step) {
  const auto ask_all = [&](Kind kind, const std::string& metadata) {
    PlainDriver::Requests requests;
    for (const std::string& party : step.parties) requests.emplace_back(party, metadata);
    std::string text;
    const std::vector<Answer> answers = driver_->ask(kind, requests);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      text +=
          "\n  " + step.parties[i] + ": " + text_of(kind, answers[i].failed, answers[i].metadata);
    }
    return text;
  };
  std::string text;
  switch (step.kind) {
    case Step::Kind::kPut: {
      const ValueBytes bytes = value_bytes(*step.value);
      PutRequest request{
          step.uri, step.type,          bytes.head, "", static_cast<std::uint64_t>(bytes.bytes),
          false,    digest_of(step.uri)};
      for (const Slice& part : bytes.body) {
        request.body.append(reinterpret_cast<const char*>(part.data),
                            static_cast<std::size_t>(part.size));
      }
      return "put " + step.uri + ask_all(Kind::kPut, encode(request));
    }
    case Step::Kind::kRun:
      return run(play, step);
    case Step::Kind::kFetch:
      return fetch(play, step);
    case Step::Kind::kDescribe:
      return "describe " + step.uri +
             ask_all(Kind::kDescribe, encode(DescribeRequest{step.uri, "", 0}));
    case Step::Kind::kDataset:
      return "dataset " + step.uri +
             ask_all(Kind::kDescribe, encode(DescribeRequest{"", step.uri, 0}));
    case Step::Kind::kList:
      return "list" + ask_all(Kind::kList, encode(ListRequest{}));
    case Step::Kind::kRelease:
      return "release " + step.uri + ask_all(Kind::kRelease, encode(ReleaseRequest{{step.uri}}));
    case Step::Kind::kStats:
      for (const auto& [party, now] : stats()) {
        text += "\n  " + party + ":" + stats_text(play.before.at(party), now);
      }
      return "stats" + text;
    case Step::Kind::kGrants:
      return "grants" + ask_all(Kind::kGrants, encode(GrantsRequest{}));
    case Step::Kind::kCheck: {
      ConsentRequest request;
      request.principal = kDriver;
      const Digest& program = play.script.known[static_cast<std::size_t>(step.program)].digest;
      request.items.push_back({step.uri, {program}, kDriver, program, "out", kNoOp, "", {}});
      return "check " + step.uri + ask_all(Kind::kCheck, encode(request));
    }
  }
  return "";
}

std::map<std::string, StatsReply> Stage::stats() {
  PlainDriver::Requests requests;
  for (const std::string& party : kAllParties) requests.emplace_back(party, encode(Nothing{}));
  std::map<std::string, StatsReply> all;
  for (const Answer& answer : driver_->ask(Kind::kStats, requests)) {
    all[kAllParties[all.size()]] = decode<StatsReply>(answer.metadata);
  }
  return all;
}

std::string Stage::run(Play& play, const Step& step) {
  const KnownProgram& known = play.script.known[static_cast<std::size_t>(step.program)];
  RunRequest request;
  request.task = ++play.task;
  PlainDriver::Requests requests, unknown;
  for (const std::string& party : known.verified.parties) {
    const int program = party == step.deceived ? step.other_program : step.program;
    const auto number = static_cast<std::size_t>(program);
    const KnownProgram& given = play.script.known[number];
    if (play.prepared.emplace(program, party).second) {
      unknown.emplace_back(party, encode(PrepareRequest{given.digest, given.bytes, ""}));
    }
    const Graph& graph = play.script.programs[number];
    request.digest = given.digest;
    request.inputs = step.inputs;
    request.inputs.resize(graph.inputs.size(), "mem://ffffffffffffffffffffffffffffffff");
    request.outputs = step.outputs;
    request.outputs.resize(graph.outputs.size());
    requests.emplace_back(party, encode(request));
  }
  std::string text = "run " + std::to_string(step.program);
  for (const Answer& answer : driver_->ask(Kind::kPrepare, unknown)) {
    text += "\n  prepared: " + text_of(Kind::kPrepare, answer.failed, answer.metadata);
  }
  const std::vector<Answer> answers = driver_->ask(Kind::kRun, requests);
  bool ran = true;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    text += "\n  " + requests[i].first + ": " +
            text_of(Kind::kRun, answers[i].failed, answers[i].metadata);
    ran = ran && !answers[i].failed;
  }
  if (ran) play.sight.ran.insert(step.program);
  // That a run ended early is told to all its parties, though it may hang on a predicate that only
  // the driver was allowed to see, and so is why. The promise is about coalitions with the driver.
  if (play.honest(kDriver)) play.sight.released += ran ? "\nran" : "\nfailed";
  std::vector<Sent> sent = tap_->take();
  std::ranges::stable_sort(sent, {}, [](const Sent& s) { return std::pair(s.from, s.to); });
  WatchedRules::Answers answered = rules_.take();
  std::ranges::sort(answered.given);
  play.sight.given += static_cast<int>(answered.given.size());
  play.sight.denied += answered.denied;
  note_released(play, step, answered.given, sent);
  if (!play.honest(kDriver)) return text + messages(play, step, sent) + stored(play, step);
  return ran ? messages(play, step, sent) + stored(play, step) : "";
}

std::string Stage::messages(const Play& play, const Step& step,
                            const std::vector<Sent>& sent) const {
  const KnownProgram& known = play.script.known[static_cast<std::size_t>(step.program)];
  std::string text;
  for (const Sent& s : sent) {
    if (!play.honest(s.from) || play.honest(s.to)) continue;
    text += "\n  " + s.from + " -> " + s.to + " op " + std::to_string(s.tag.op) + "." +
            std::to_string(s.tag.step) + ": ";
    if (!s.aborted.empty()) {
      text += "aborts: " + s.aborted;
      continue;
    }
    if (s.tag.op == kPreflight) {
      text += preflight_text(s.body);
      continue;
    }
    const auto op = known.names.find(s.tag.op);
    const bool plain = op != known.names.end() && is_plain_move(op->second);
    text += plain ? content(s)
                  : std::to_string(s.head.size) + " and " + std::to_string(s.body.size) + " bytes";
  }
  return text;
}

void Stage::note_released(Play& play, const Step& step, const std::vector<Given>& given,
                          const std::vector<Sent>& sent) {
  const KnownProgram& known = play.script.known[static_cast<std::size_t>(step.program)];
  const Graph& graph = play.script.programs[static_cast<std::size_t>(step.program)];
  std::string& released = play.sight.released;
  for (const Given& g : given) {
    const auto found = known.names.find(g.op);
    if (play.honest(g.recipient) || found == known.names.end()) continue;
    const std::string& op = found->second;
    released += "\n" + g.party + " op " + std::to_string(g.op) + " to " + g.recipient;
    if (op == "reveal") {
      for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
        const auto maker = known.maker.find(graph.outputs[i].value);
        if (maker == known.maker.end() || maker->second != g.op) continue;
        if (const ValuePtr value = object(g.recipient, step.outputs[i])) {
          released += " " + text_of(*value);
        }
      }
      continue;
    }
    // Who alone decides which way to go tells nobody in words.
    if (op != "transfer" && known.parties.at(g.op).size() < 2) play.sight.opaque = true;
    for (const Sent& s : sent) {
      if (s.from != g.party) continue;
      if (!s.aborted.empty() && op != "transfer") released += " aborts " + s.aborted;
      if (!s.aborted.empty() || s.tag.op != g.op) continue;
      if (op != "transfer" || s.to == g.recipient) released += " " + content(s);
    }
  }
}

ValuePtr Stage::object(const std::string& party, const std::string& uri) {
  const auto found = cluster_->parts(party).store->get(Uri::parse(uri));
  return found ? found->value : nullptr;
}

std::string Stage::stored(const Play& play, const Step& step) {
  const KnownProgram& known = play.script.known[static_cast<std::size_t>(step.program)];
  const Graph& graph = play.script.programs[static_cast<std::size_t>(step.program)];
  std::string text;
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    const Type& type = known.verified.output_type(graph, i);
    for (const std::string& party : holders(graph.devices, type.device)) {
      if (play.honest(party)) continue;
      const ValuePtr value = object(party, step.outputs[i]);
      text += "\n  " + party + " holds " + step.outputs[i] + ": " +
              (value == nullptr ? "nothing" : text_of(*value));
    }
    if (const SecureDevice* device = find_device(graph.devices, type.device)) {
      text += pooled_secret(play, *device, type, step.outputs[i]);
    }
  }
  return text;
}

// Two members that pool their shares know the secret. Where alice accepted the device she relies on
// that they do not; where she did not, nothing of hers may be there.
std::string Stage::pooled_secret(const Play& play, const SecureDevice& device, const Type& type,
                                 const std::string& uri) {
  const auto pooling = std::ranges::count_if(
      device.members, [&](const std::string& member) { return !play.honest(member); });
  if (pooling < 2 || play.accepted(device)) return "";
  std::vector<Share> shares;
  for (const std::string& member : device.members) {
    const ValuePtr value = object(member, uri);
    if (value == nullptr || !value->is_share() || value->share().type != type.secret()) return "";
    shares.push_back(value->share());
  }
  if (shares[0].instance != shares[1].instance || shares[0].instance != shares[2].instance)
    return "";
  return "\n  together " + uri + ": " + text_of(Value(reconstruct(shares)));
}

// A secret is put together from what all members give.
std::string Stage::fetch(Play& play, const Step& step) {
  PlainDriver::Requests requests;
  for (const std::string& party : step.parties) {
    requests.emplace_back(party, encode(FetchRequest{step.uri, 0}));
  }
  const std::vector<Answer> answers = driver_->ask(Kind::kFetch, requests);
  std::string text = "fetch " + step.uri;
  std::vector<Slice> parts;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    text += "\n  " + step.parties[i] + ": ";
    if (answers[i].failed || !step.type.is_secret()) {
      text += text_of(Kind::kFetch, answers[i].failed, answers[i].metadata);
      continue;
    }
    const auto reply = decode<FetchReply>(answers[i].metadata);
    const SharePart part =
        share_part_from_bytes(reply.head, Slice::copy_of(std::string_view(reply.body)), step.type);
    parts.push_back(part.part);
    text += "a part, " + std::to_string(reply.bytes);
  }
  if (parts.size() == 3) {
    const std::array<Slice, 3> all = {parts[0], parts[1], parts[2]};
    const SecretType& type = step.type.secret();
    text += " = " + text_of(Value(decode_secret(join_parts(all, type), type)));
  }
  const WatchedRules::Answers answered = rules_.take();
  play.sight.given += static_cast<int>(answered.given.size());
  play.sight.denied += answered.denied;
  if (!answered.given.empty() && !play.honest(kDriver)) play.sight.released += "\n" + text;
  return text;
}

}  // namespace curia::test
