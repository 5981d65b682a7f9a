// Forged senders, fields, digests and graphs, by hand.
#include "protocol/lineage.h"
#include "tests/hostile/attempt.h"
#include "tests/hostile/graphs.h"

namespace curia {
namespace {

// Prepares a graph under a digest and runs it; returns what a fetch gives.
std::string run_as(Trial& trial, RawDriver& raw, const PrepareRequest& program) {
  trial.call(raw, Kind::kPrepare, encode(program));
  const RunRequest run = run_of(program, 1);
  trial.call(raw, Kind::kRun, encode(run));
  return trial.call(raw, Kind::kFetch, encode(FetchRequest{run.outputs[0], 0}));
}

Learnt wrong_digest(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  PrepareRequest program = prepared(rows_graph("pay"));
  program.digest = granted_sum()->digest;
  run_as(trial, raw, program);
  return {{1}, {1}};
}

// Another graph under the granted name and the granted output.
Learnt same_names(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  Program program("total");
  program.output("total", rows_of(program, "pay"));
  run_as(trial, raw, prepared(program.graph()));
  return {{1}, {1}};
}

Learnt edited_bytes(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  const PreparedPtr sum = granted_sum();
  PrepareRequest program{sum->digest, sum->bytes, ""};
  const auto at = program.graph.find("pay");
  Trial::must(at != std::string::npos, "the dataset's name stands in the bytes");
  program.graph.replace(at, 3, "bob");
  run_as(trial, raw, program);
  return {{1}, {1}};
}

Learnt trailing_bytes(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  const PreparedPtr sum = granted_sum();
  PrepareRequest program{sum->digest, sum->bytes + std::string(1, '\0'), ""};
  run_as(trial, raw, program);
  return {{1}, {1}};
}

// Sites are no part of the digest: those of an error are to name lines that do not exist.
Learnt edited_sites(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  Graph graph = rows_graph("secret");
  for (Site& site : graph.sites) site = {"alice-agreed-to-this.cc", 1};
  PrepareRequest program = prepared(graph);
  program.sites = encode_sites(graph);
  run_as(trial, raw, program);
  return {{1}, {1}};
}

Learnt attribute(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  Graph graph = rows_graph("secret");
  graph.ops.front().attrs["label"] = std::string("public");
  run_as(trial, raw, prepared(graph));
  return {{1}, {1}};
}

Learnt unknown_op(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  Graph graph = rows_graph("secret");
  graph.ops.back().name = "declassify";
  run_as(trial, raw, prepared(graph));
  return {{1}, {1}};
}

// bob is to compute on what is at alice, without a move that anybody could refuse.
Learnt wrong_place(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  Graph graph = rows_graph("board");
  graph.ops.push_back({"neg", "bob", {graph.outputs[0].value}, {}, {}});
  graph.outputs[0].value += 1;
  run_as(trial, raw, prepared(graph));
  return {{1}, {1}};
}

// The dataset of another owner, as if it were the receiver's own.
Learnt wrong_owner(Trial& trial) {
  RawDriver& raw = trial.raw("bob", "dora");
  Program program("rows");
  program.output("out", rows_of(program, "secret", "bob"));
  run_as(trial, raw, prepared(program.graph()));
  return {{1}, {1}};
}

Learnt wrong_type(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  Program program("rows");
  program.output("out", program.dataset({"secret", parse_type("table[4]{v:i64} @alice")}));
  run_as(trial, raw, prepared(program.graph()));
  return {{1}, {1}};
}

// An op inside of a branch reads a value that is outside.
Learnt beyond_region(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  Program program("beyond");
  const Array zero = program.constant("alice", Tensor::scalar<std::int64_t>(0));
  const Array rows = rows_of(program, "secret");
  program.output("out", for_loop(2, {zero}, [](const Arrays& s, const Index&) {
                   return Arrays{s[0] + 1};
                 })[0]);
  program.output("rows", rows);
  Graph graph = program.graph();
  for (Op& op : graph.ops) {
    if (op.name == "for") op.regions[0].results[0] = 40;
  }
  run_as(trial, raw, prepared(graph));
  return {{1}, {1}};
}

Learnt consent_by_driver(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  ConsentRequest request;
  request.principal = "dora";
  request.items = {{"secret", {}, "dora", {}, "out"}};
  trial.call(raw, Kind::kConsent, encode(request));
  return {{1}, {1}};
}

// A party's key, a driver's name: what bob is not, he says he is.
Learnt consent_as_driver(Trial& trial) {
  RawDriver& bob = trial.raw("alice", "bob");
  ConsentRequest request;
  request.principal = "dora";
  request.session = session_hex(fresh_session());
  request.task = 7;
  request.items = {{"pay", {}, "dora", random_digest(), "total"}};
  const auto reply = decode<ConsentReply>(trial.call(bob, Kind::kConsent, encode(request)));
  if (reply.allowed != std::vector<std::uint8_t>{0}) return {{1}, {1}};
  trial.found_by({"alice", AuditKind::kConsent, "dora", request.session, "asked_by", "bob"});
  throw Error(Code::kDenied, reply.reasons.at(0));
}

// A source without a name, a driver's own: as if the rows were a put.
Learnt consent_for_nothing(Trial& trial) {
  RawDriver& bob = trial.raw("alice", "bob");
  ConsentRequest request;
  request.principal = "mallory";
  request.session = session_hex(fresh_session());
  request.items = {{"", {}, "mallory", random_digest(), "out"}};
  const auto reply = decode<ConsentReply>(trial.call(bob, Kind::kConsent, encode(request)));
  if (reply.allowed != std::vector<std::uint8_t>{0}) return {{1}, {1}};
  trial.found_by({"alice", AuditKind::kConsent, "mallory", request.session, "answer", "denied"});
  throw Error(Code::kDenied, reply.reasons.at(0));
}

Learnt grants_of_another(Trial& trial) {
  RawDriver& mallory = trial.raw("alice");
  const auto own = decode<GrantsReply>(trial.call(mallory, Kind::kGrants, encode(GrantsRequest{})));
  if (!own.grants.empty()) return {{std::ssize(own.grants)}, {1}};
  ConsentRequest request;
  request.principal = "mallory";
  request.items = {{"pay", {}, "dora", granted_sum()->digest, "total"}};
  trial.call(mallory, Kind::kCheck, encode(request));
  return {{1}, {1}};
}

Learnt peers_lane(Trial& trial) {
  RawDriver& mallory = trial.raw("alice");
  trial.call(mallory, mallory.header(Kind::kDial), encode(DialRequestMessage{}));
  return {{1}, {1}};
}

// A put that says it is of a kind that it is not, to be read as one that is longer.
Learnt longer_put(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  PutRequest put;
  put.uri = Uri::fresh().str();
  put.type = parse_type("i64[4096] @alice");
  put.body.assign(64, '\0');
  put.bytes = 64;
  trial.call(raw, Kind::kPut, encode(put));
  trial.call(raw, Kind::kFetch, encode(FetchRequest{put.uri, 0}));
  return {{1}, {1}};
}

}  // namespace

Attempts forgeries() {
  return {
      {"sends another graph under a granted digest", false, wrong_digest},
      {"sends another graph under granted names", true, same_names},
      {"edits the dataset in the bytes of a granted graph", false, edited_bytes},
      {"adds a byte to a granted graph", false, trailing_bytes},
      {"edits the source lines of a graph, which no digest covers", false, edited_sites},
      {"marks an output as public", false, attribute},
      {"names an op that would declassify", false, unknown_op},
      {"has bob compute on what is at alice, without a move", false, wrong_place},
      {"asks bob for alice's dataset", false, wrong_owner},
      {"declares fewer rows than there are", false, wrong_type},
      {"reads beyond a region", false, beyond_region},
      {"asks for consent as if it were a party", false, consent_by_driver},
      {"asks with a party's key for consent in a driver's name", false, consent_as_driver},
      {"asks with a party's key for a source without a name", false, consent_for_nothing},
      {"reads the grants of another driver", false, grants_of_another},
      {"dials the lanes that are for parties", false, peers_lane},
      {"puts less than it says, to be given what lies behind", false, longer_put},
  };
}

}  // namespace curia
