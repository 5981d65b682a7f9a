// Shares on a secure device: collects them, reveals them, and shares what it may not.
#include "tests/hostile/attempt.h"
#include "tests/hostile/graphs.h"

namespace curia {
namespace {

std::vector<std::int64_t> cells(const Value& value) {
  const auto found = value.tensor().as<std::int64_t>();
  return {found.begin(), found.end()};
}

Ref shared(Session& session, const std::string& dataset = "secure") {
  Program program("share");
  program.output("shared", rows_of(program, dataset).to(program.device("abc", kAbc)));
  return session.run(program)["shared"];
}

// Asks the members for their shares, to add them up.
Learnt collected(Trial& trial) {
  Session& session = trial.session();
  return {cells(session.fetch(shared(session), kPatience)), kSecure};
}

// As one member alone knows it: a plain value, said to be there.
Learnt of_a_member(Trial& trial, const std::string& member) {
  Session& session = trial.session();
  const Ref secret = shared(session);
  session.wait(kPatience);
  RefFacts facts = secret.facts();
  facts.type = {clear_type(facts.type.secret()), member};
  facts.device = {};
  session.fetch(Ref(facts, nullptr), kPatience);
  return {{1}, {1}};
}

// The share of one member as the plain input of a program there.
Learnt as_plain_input(Trial& trial) {
  Session& session = trial.session();
  const Ref secret = shared(session);
  session.wait(kPatience);
  RefFacts facts = secret.facts();
  facts.type = {clear_type(facts.type.secret()), "bob"};
  facts.device = {};
  Program program("plain");
  program.output("out", program.input(Ref(facts, nullptr)) + 0);
  session.run(program);
  session.wait(kPatience);
  return {{1}, {1}};
}

using Write = std::function<Array(Program&, const Device& abc)>;

// Reveals what `write` makes to `party`, and fetches it.
Attempt reveals(const std::string& name, const Write& write, const std::vector<std::int64_t>& truth,
                const std::string& party = "carol", const std::string& label = "result") {
  Attempt attempt{name, true};
  attempt.run = [=](Trial& trial) -> Learnt {
    Session& session = trial.session();
    Program program("reveal");
    const Device abc = program.device("abc", kAbc);
    const Array plain = write(program, abc).reveal(party, label);
    program.output("joint",
                   plain.type().tensor().dtype == DType::kBool ? plain.cast(DType::kI64) : plain);
    const Refs refs = session.run(program);
    return {cells(session.fetch(refs["joint"], kPatience)), truth};
  };
  return attempt;
}

// An earlier run's shares, with a program of their own.
Learnt revealed_later(Trial& trial) {
  Session& session = trial.session();
  const Ref secret = shared(session);
  Program program("later");
  program.device("abc", kAbc);
  program.output("joint", program.input(secret).reveal("carol", "result"));
  const Refs refs = session.run(program);
  return {cells(session.fetch(refs["joint"], kPatience)), kSecure};
}

// Each member is to save its share, so that one of them can be loaded as plain numbers.
Learnt saved_shares(Trial& trial) {
  Program keep("keep");
  keep.output("shared", rows_of(keep, "secure").to(keep.device("abc", kAbc)));
  Graph graph = keep.graph();
  graph.ops.push_back(
      {"save", "abc", {graph.outputs[0].value}, {{"uri", std::string("fs:///shares")}}, {}});
  RawDriver& raw = trial.raw("bob", "dora");
  trial.call(raw, Kind::kPrepare, encode(prepared(graph)));
  return {{1}, {1}};
}

// Shares among `members`, and has the run wait for nothing.
Learnt among(Trial& trial, const std::string& dataset, const std::vector<std::string>& members,
             const std::string& owner = "alice", const std::string& by = "") {
  Session& session = trial.session();
  Program program("among");
  const Device device = program.device("abc", members);
  Array rows = rows_of(program, dataset, owner);
  if (!by.empty()) rows = rows.to(by);
  program.output("shared", rows.to(device));
  session.run(program);
  session.wait(kPatience);
  return {{1}, {1}};
}

// dan let alice see his rows. He holds no share and runs no op of what reveals them.
Learnt absent_owner_revealed(Trial& trial) {
  Session& session = trial.session();
  Program program("absent");
  const Device abc = program.device("abc", kAbc);
  const Array both =
      rows_of(program, "dans", "dan").to("alice") % 1000 + rows_of(program, "secure");
  program.output("joint", sum(both.to(abc)).reveal("carol", "result"));
  const Refs refs = session.run(program);
  std::int64_t truth = 0;
  for (std::size_t i = 0; i < kSecure.size(); ++i) truth += kCanaries[i] % 1000 + kSecure[i];
  return {cells(session.fetch(refs["joint"], kPatience)), {truth}};
}

// An owner that cannot be asked has not agreed.
Learnt owner_is_gone(Trial& trial) {
  Session& session = trial.session();
  Program program("see");
  program.output("seen", rows_of(program, "dans", "dan").to("alice"));
  const Ref seen = session.run(program)["seen"];
  session.wait(kPatience);
  trial.world().cluster().kill("dan");
  std::optional<Error> error;
  try {
    session.fetch(seen, kPatience);
  } catch (const Error& refused) {
    error = refused;
  }
  trial.world().cluster().start("dan");
  if (!error) return {{1}, {1}};
  throw *error;
}

}  // namespace

Attempts shares() {
  const auto secret = [](Program& p, const Device& abc) { return rows_of(p, "secure").to(abc); };
  std::int64_t dot = 0;
  std::int64_t four = 0;
  for (std::size_t i = 0; i < kSecure.size(); ++i) {
    dot += kSecure[i] * kBobs[i];
    four += i < 4 ? kSecure[i] : 0;
  }
  return {
      {"collects the shares of all members", true, collected},
      {"fetches bob's share as if it were a value of his", false,
       [](Trial& trial) { return of_a_member(trial, "bob"); }},
      {"fetches alice's share as if it were a value of hers", false,
       [](Trial& trial) { return of_a_member(trial, "alice"); }},
      {"uses a share as the plain input of a program at its holder", false, as_plain_input},
      reveals("shares and reveals without computing", secret, kSecure),
      reveals(
          "multiplies by one on shares, and reveals",
          [&](Program& p, const Device& abc) {
            return secret(p, abc) * p.constant("abc", Tensor::of<std::int64_t>(
                                                          {5}, std::vector<std::int64_t>(5, 1)));
          },
          kSecure),
      reveals(
          "reveals the granted product before it is summed",
          [&](Program& p, const Device& abc) {
            return secret(p, abc) * rows_of(p, "x", "bob").to(abc);
          },
          [] {
            std::vector<std::int64_t> truth;
            for (std::size_t i = 0; i < kSecure.size(); ++i) {
              truth.push_back(kSecure[i] * kBobs[i]);
            }
            return truth;
          }()),
      reveals(
          "reveals the granted sum to another member",
          [&](Program& p, const Device& abc) {
            return sum(secret(p, abc) * rows_of(p, "x", "bob").to(abc));
          },
          {dot}, "bob"),
      reveals(
          "reveals the granted sum under another name",
          [&](Program& p, const Device& abc) {
            return sum(secret(p, abc) * rows_of(p, "x", "bob").to(abc));
          },
          {dot}, "carol", "debug"),
      reveals("reveals the sum of n-1 rows of shares",
              [&](Program& p, const Device& abc) { return sum(secret(p, abc).slice({0}, {4})); },
              {four}),
      reveals("reveals whether a secret is what it guesses",
              [&](Program& p, const Device& abc) {
                return secret(p, abc) ==
                       p.constant("abc", Tensor::of<std::int64_t>(
                                             {5}, std::vector<std::int64_t>(5, kSecure[2])));
              },
              {0, 0, 1, 0, 0}),
      reveals("reveals the largest of the secrets",
              [&](Program& p, const Device& abc) { return max(secret(p, abc)); }, {972'663'749}),
      {"reveals shares of an earlier run", true, revealed_later},
      {"saves shares and loads one member's as a plain file", false, saved_shares},
      {"shares rows whose owner accepts no sharing", true,
       [](Trial& trial) { return among(trial, "secret", kAbc); }},
      {"shares among members that the owner does not accept", false,
       [](Trial& trial) {
         return among(trial, "secure", {"alice", "bob", "dan"});
       }},
      {"shares an absent owner's rows, by who may see them", true,
       [](Trial& trial) { return among(trial, "dans", kAbc, "dan", "alice"); }},
      {"reveals a sum with an absent owner's rows in it", true, absent_owner_revealed},
      {"fetches an absent owner's rows while that owner is gone", false, owner_is_gone},
  };
}

}  // namespace curia
