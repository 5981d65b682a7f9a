// Tells the parties of one task different things.
#include "tests/hostile/attempt.h"
#include "tests/hostile/graphs.h"

namespace curia {
namespace {

// One driver, a connection by hand to each party, and one session with all of them.
struct Faces {
  SessionId id = fresh_session();
  std::map<std::string, RawDriver*> raws;

  Faces(Trial& trial, const std::vector<std::string>& parties,
        const std::map<std::string, std::string>& drivers = {}) {
    for (const std::string& party : parties) {
      const auto driver = drivers.find(party);
      raws[party] = &trial.raw(party, driver == drivers.end() ? "dora" : driver->second, id);
    }
  }

  void prepare(Trial& trial, const std::string& party, const Graph& graph) {
    trial.call(*raws.at(party), Kind::kPrepare, encode(prepared(graph)));
  }

  // Each party is sent its own request before any is waited for; what each answered.
  std::map<std::string, Error> run(const std::map<std::string, RunRequest>& requests) {
    std::map<std::string, std::uint64_t> sent;
    for (const auto& [party, request] : requests) {
      RawDriver& raw = *raws.at(party);
      Header header = raw.header(Kind::kRun);
      header.sequence = raw.next_sequence++;
      std::string frame;
      append_packet(frame, header, encode(request));
      raw.send(frame);
      sent[party] = header.request;
    }
    std::map<std::string, Error> errors;
    for (const auto& [party, request] : sent) {
      const auto reply = raws.at(party)->recv_of(request);
      Trial::must(reply.has_value(), "no answer of " + party);
      if (reply->failed()) errors.emplace(party, reply->error());
    }
    return errors;
  }
};

// All have to refuse.
Learnt all_refused(const std::map<std::string, Error>& errors, std::size_t parties) {
  if (errors.size() < parties) return {{1}, {1}};
  throw errors.begin()->second;
}

Graph product(const std::string& last) {
  Graph graph = granted_product()->graph;
  for (Op& op : graph.ops) {
    if (op.name == "mul") op.name = last;
  }
  return graph;
}

// alice moves what she granted to bob; bob has another graph for the same task.
Learnt different_moves(Trial& trial) {
  Faces faces(trial, {"alice", "bob"});
  const Graph honest = move_graph("board", "first");
  const Graph other = move_graph("board", "second");
  faces.prepare(trial, "alice", honest);
  faces.prepare(trial, "bob", other);
  const std::vector<std::string> outputs = {Uri::fresh().str()};
  trial.expect(
      {"alice", AuditKind::kRunFailed, "dora", session_hex(faces.id), "why", "another program"});
  return all_refused(faces.run({{"alice", run_of(prepared(honest), 1, outputs)},
                                {"bob", run_of(prepared(other), 1, outputs)}}),
                     2);
}

Learnt different_products(Trial& trial) {
  Faces faces(trial, kAbc);
  const std::vector<std::string> outputs = {Uri::fresh().str()};
  std::map<std::string, RunRequest> requests;
  for (const std::string& member : kAbc) {
    const Graph graph = product(member == "bob" ? "sub" : "mul");
    faces.prepare(trial, member, graph);
    requests[member] = run_of(prepared(graph), 1, outputs);
  }
  trial.expect(
      {"alice", AuditKind::kRunFailed, "dora", session_hex(faces.id), "why", "another program"});
  return all_refused(faces.run(requests), 3);
}

// The digest is one, the bytes behind it are two.
Learnt one_digest(Trial& trial) {
  Faces faces(trial, {"alice", "bob"});
  const PrepareRequest honest = prepared(move_graph("board", "first"));
  PrepareRequest lie = prepared(move_graph("secret", "first"));
  lie.digest = honest.digest;
  trial.call(*faces.raws.at("bob"), Kind::kPrepare, encode(honest));
  trial.call(*faces.raws.at("alice"), Kind::kPrepare, encode(lie));
  return {{1}, {1}};
}

// Shares of two runs, where two members are told one URI and the third another.
Learnt mixed_runs(Trial& trial) {
  Faces faces(trial, kAbc);
  Program share("share");
  share.output("shared", rows_of(share, "secure").to(share.device("abc", kAbc)));
  const Graph first = share.graph();
  Program use("use");
  use.device("abc", kAbc);
  use.output("out", use.input("a", parse_type("secret<int>[5] @abc")) +
                        use.input("b", parse_type("secret<int>[5] @abc")));
  const Graph second = use.graph();
  const std::vector<std::string> names = {Uri::fresh().str(), Uri::fresh().str()};
  for (const std::string& member : kAbc) {
    faces.prepare(trial, member, first);
    faces.prepare(trial, member, second);
  }
  for (std::uint64_t task = 1; task <= 2; ++task) {
    std::map<std::string, RunRequest> requests;
    for (const std::string& member : kAbc) {
      requests[member] = run_of(prepared(first), task, {names[task - 1]});
    }
    Trial::must(faces.run(requests).empty(), "two honest runs that share");
  }
  std::map<std::string, RunRequest> requests;
  for (const std::string& member : kAbc) {
    const bool bob = member == "bob";
    requests[member] =
        run_of(prepared(second), 3, {Uri::fresh().str()}, {names[bob ? 1 : 0], names[bob ? 0 : 1]});
  }
  return all_refused(faces.run(requests), 3);
}

// alice hears that dora asks, bob that mallory does, under one id of a session.
Learnt two_drivers(Trial& trial) {
  Faces faces(trial, {"alice", "bob"}, {{"bob", "mallory"}});
  const Graph graph = move_graph("board", "both");
  const std::vector<std::string> outputs = {Uri::fresh().str()};
  for (const char* party : {"alice", "bob"}) faces.prepare(trial, party, graph);
  RunRequest request = run_of(prepared(graph), 1, outputs);
  request.timeout_ms = 1500;
  return all_refused({faces.run({{"alice", request}, {"bob", request}})}, 2);
}

// The same program under two numbers: what alice sends for one task is never taken for another.
Learnt two_tasks(Trial& trial) {
  Faces faces(trial, {"alice", "bob"});
  const Graph graph = move_graph("board", "both");
  const std::vector<std::string> outputs = {Uri::fresh().str()};
  for (const char* party : {"alice", "bob"}) faces.prepare(trial, party, graph);
  RunRequest one = run_of(prepared(graph), 1, outputs);
  RunRequest two = run_of(prepared(graph), 2, outputs);
  one.timeout_ms = two.timeout_ms = 1500;
  return all_refused(faces.run({{"alice", one}, {"bob", two}}), 2);
}

// Only the receiver is told to run: what never was agreed does not come.
Learnt receiver_only(Trial& trial) {
  Faces faces(trial, {"alice", "bob"});
  const Graph graph = move_graph("board", "both");
  faces.prepare(trial, "bob", graph);
  RunRequest request = run_of(prepared(graph), 1);
  request.timeout_ms = 1500;
  return all_refused(faces.run({{"bob", request}}), 1);
}

// The members in another order: what is member 0's for one is member 1's for another.
Learnt other_order(Trial& trial) {
  Session& session = trial.session();
  Program share("share");
  share.output("shared", rows_of(share, "secure").to(share.device("abc", kAbc)));
  const Ref secret = session.run(share)["shared"];
  session.wait(kPatience);
  RefFacts facts = secret.facts();
  facts.device.members = {"bob", "alice", "carol"};
  Program program("lie");
  program.output("out", program.input(Ref(facts, nullptr)) + program.input(Ref(facts, nullptr)));
  session.run(program);
  session.wait(kPatience);
  return {{1}, {1}};
}

}  // namespace

Attempts members() {
  return {
      {"sends sender and receiver different graphs", false, different_moves},
      {"has one member subtract where the others multiply", false, different_products},
      {"sends two graphs under one digest", false, one_digest},
      {"mixes the shares of two runs", false, mixed_runs},
      {"is dora for alice and mallory for bob", false, two_drivers},
      {"gives the parties different numbers for one task", false, two_tasks},
      {"has the receiver run alone", false, receiver_only},
      {"names the members of shares in another order", false, other_order},
  };
}

}  // namespace curia
