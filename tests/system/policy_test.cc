// What drivers try in order to get data that its owners did not release to them.
#include <doctest/doctest.h>

#include "protocol/graph_bytes.h"
#include "protocol/uri.h"
#include "tests/system/audit_log.h"
#include "tests/system/helpers.h"
#include "tests/system/raw_session.h"

using namespace curia;

namespace {

using Grants = std::map<std::string, std::string>;  // party -> JSON

ProcessCluster cluster_with(const Grants& grants) {
  std::map<std::string, ProcessParty> two;
  for (const char* name : {"alice", "bob"}) {
    two[name].csv = {{"x", "v\n1\n2\n3\n4\n"}};
    if (grants.contains(name)) two[name].grants = grants.at(name);
  }
  return ProcessCluster(std::move(two));
}

Array rows(Program& program, Session& session, const std::string& party) {
  return program.dataset(session.dataset(party, "x")).column("v");
}

using Write = std::function<Array(Program&, const Array& rows)>;

// Runs what `write` makes of alice's rows and fetches it as `output`.
Value take(Session& session, const Write& write, const std::string& output = "out") {
  Program program("take");
  program.output(output, write(program, rows(program, session, "alice")));
  const Refs refs = session.run(program);
  return session.fetch(refs[output], Seconds(20));
}

// Every way to make something of the rows that is as good as the rows.
std::vector<Write> disguises() {
  return {
      [](Program&, const Array& x) { return x; },
      [](Program&, const Array& x) { return x + 0; },
      [](Program&, const Array& x) { return x.cast(DType::kF64); },
      [](Program&, const Array& x) {
        return x.reshape({2, 2});
      },
      [](Program&, const Array& x) { return x.slice({0}, {1}); },
      [](Program&, const Array& x) { return x.broadcast({4}); },
      [](Program&, const Array& x) {
        return concat({x, x}, 0);
      },
      [](Program&, const Array& x) { return sum(x); },
      [](Program&, const Array& x) { return x * 0; },
      [](Program& p, const Array& x) {
        return cond(
            sum(x) > 3, [&p] { return Arrays{numbers(p, "alice", {1})}; },
            [&p] { return Arrays{numbers(p, "alice", {0})}; })[0];
      },
      [](Program& p, const Array& x) {
        return for_loop(2, {x, numbers(p, "alice", {0, 0, 0, 0})},
                        [](const Arrays& s, const Index&) {
                          return Arrays{s[0], s[1] + s[0]};
                        })[1];
      },
      [](Program& p, const Array& x) {
        return gather(numbers(p, "alice", {5, 6, 7, 8, 9}), x, 0);
      },
  };
}

bool denied(const std::function<void()>& attempt, const std::string& reason) {
  const Error error = error_of(attempt);
  INFO(error.what());
  CHECK(contains(error.message(), reason));
  return error.code() == Code::kDenied;
}

std::string digest_of(Session& session, const Write& write) {
  Program program("take");
  program.output("out", write(program, rows(program, session, "alice")));
  return prepare(program)->digest.hex();
}

// Alice and bob get different programs with the same task number; returns what alice answers.
Error run_apart(ProcessCluster& cluster, bool same) {
  const SessionId id = fresh_id();
  std::vector<RawDriver> raws;
  for (const char* party : {"alice", "bob"}) {
    raws.push_back(raw_session(cluster, "dora", party, id));
  }
  std::vector<PrepareRequest> programs;
  for (const char* what : {"first", "second"}) {
    Graph graph;
    graph.name = what;
    const Tensor values = Tensor::of<std::int64_t>({1024}, std::vector<std::int64_t>(1024, 3));
    graph.ops.push_back({"constant", "alice", {}, {{"value", values}}, {}});
    graph.ops.push_back({"transfer", "bob", {0}, {{"label", std::string("move")}}, {}});
    graph.outputs.push_back({"out", 1});
    const std::string bytes = encode_graph(graph);
    programs.push_back({program_digest(bytes), bytes, ""});
  }
  RunRequest run;
  run.task = 1;
  run.outputs = {Uri::fresh().str()};
  std::vector<std::uint64_t> requests;
  for (std::size_t i = 0; i < raws.size(); ++i) {
    const PrepareRequest& program = programs[same ? 0 : i];
    REQUIRE_FALSE(raws[i].call(Kind::kPrepare, encode(program)).failed());
    run.digest = program.digest;
    Header header = raws[i].header(Kind::kRun);
    header.sequence = raws[i].next_sequence++;
    std::string frame;
    append_packet(frame, header, encode(run));
    raws[i].send(frame);
    requests.push_back(header.request);
  }
  const auto second = raws[1].recv_of(requests[1]);
  REQUIRE(second);
  CHECK(second->failed() == !same);
  const auto first = raws[0].recv_of(requests[0]);
  REQUIRE(first);
  for (RawDriver& raw : raws) raw.call(Kind::kClose, "");
  return first->error();
}

}  // namespace

TEST_CASE("Policy: without a grant no disguise brings the rows to the driver; with one each does") {
  ProcessCluster closed = cluster_with({});
  Session session = closed.connect();
  int n = 0;
  for (const Write& write : disguises()) {
    INFO("disguise " << n++);
    CHECK(denied([&] { take(session, write); }, "no grant of alice/x to dora"));
  }
  CHECK(stat(session, "alice", "data_bytes_to_driver") == 0);
  ProcessCluster open = cluster_with({{"alice", R"([{"source": "x", "to": "dora"}])"}});
  Session allowed = open.connect();
  for (const Write& write : disguises()) CHECK_NOTHROW(take(allowed, write));
}

TEST_CASE("Policy: a transfer needs its own grant, and no fetch follows from it") {
  const auto move = [](Session& session, const std::string& back) {
    Program program("move");
    Array moved = rows(program, session, "alice").to("bob") + 1;
    if (!back.empty()) moved = moved.to(back);
    program.output("out", moved);
    const Refs refs = session.run(program);
    return session.fetch(refs["out"], Seconds(20));
  };
  {
    ProcessCluster cluster = cluster_with({{"alice", R"([{"source": "x", "to": "dora"}])"}});
    Session session = cluster.connect();
    const Error error = error_of([&] { move(session, ""); });
    CHECK(error.code() == Code::kDenied);
    CHECK(contains(error.message(), "no grant of alice/x to bob"));
    CHECK(error.op() == "transfer");
    CHECK(contains(error.site().file, "policy_test.cc"));
  }
  {
    ProcessCluster cluster = cluster_with({{"alice", R"([{"source": "x", "to": "bob"}])"}});
    Session session = cluster.connect();
    CHECK(denied([&] { move(session, ""); }, "alice has no grant of alice/x to dora"));
    CHECK(denied([&] { move(session, "alice"); }, "alice has no grant of alice/x to dora"));
    session.wait(Seconds(20));
    CHECK(stat(session, "alice", "runs") == 2);
    CHECK(stat(session, "bob", "data_bytes_to_driver") == 0);
    CHECK(stat(session, "alice", "data_bytes_to_driver") == 0);
    // The owner does not answer: that is a refusal too.
    Program program("late");
    program.output("out", rows(program, session, "alice").to("bob"));
    const Refs refs = session.run(program);
    session.wait(Seconds(20));
    cluster.kill("alice");
    CHECK(error_of([&] { session.fetch(refs["out"], Seconds(30)); }).code() == Code::kDenied);
  }
  ProcessCluster cluster =
      cluster_with({{"alice", R"([{"source": "x", "to": "bob"}, {"source": "x", "to": "dora"}])"}});
  Session session = cluster.connect();
  CHECK(move(session, "").tensor().as<std::int64_t>()[3] == 5);
}

TEST_CASE("Policy: a grant to one driver or of another party's data says nothing of another's") {
  ProcessCluster cluster = cluster_with({{"alice", R"([{"source": "x", "to": "mallory"}])"},
                                         {"bob", R"([{"source": "x", "to": "dora"}])"}});
  Session dora = cluster.connect();
  const Write all = [](Program&, const Array& x) { return x; };
  CHECK(denied([&] { take(dora, all); }, "no grant of alice/x to dora"));
  Session mallory = cluster.connect("mallory");
  CHECK_NOTHROW(take(mallory, all));
}

TEST_CASE("Policy: a narrowed grant covers that program and that output, and nothing else") {
  ProcessCluster cluster = cluster_with({});
  const Write total = [](Program&, const Array& x) { return sum(x); };
  const Write first = [](Program&, const Array& x) { return x.slice({0}, {1}); };
  std::string digest;
  {
    Session session = cluster.connect();
    digest = digest_of(session, total);
  }
  const auto restart = [&](const std::string& more) {
    cluster.stop("alice");
    cluster.set_grants("alice", R"([{"source": "x", "to": "dora", "programs": [")" + digest +
                                    R"("], "releases": ["out"])" + more + "}]");
    cluster.start("alice");
    return cluster.connect();
  };
  {
    Session session = restart("");
    CHECK(take(session, total).tensor().as<std::int64_t>()[0] == 10);
    CHECK(denied([&] { take(session, first); }, "not through program"));
    CHECK(denied([&] { take(session, total, "other"); }, "not as \"other\""));
    // The same program, fed with rows that another program cut to size.
    Program cut("cut");
    cut.output("out", rows(cut, session, "alice").slice({0}, {1}));
    const Refs cuts = session.run(cut);
    Program program("take");
    program.output("out", sum(program.input(cuts["out"])));
    const Refs refs = session.run(program);
    CHECK(denied([&] { session.fetch(refs["out"], Seconds(20)); }, "not through program"));
  }
  {
    Session session = restart(R"(, "until": "2020-01-01T00:00:00Z")");
    CHECK(denied([&] { take(session, total); }, "has expired"));
  }
  Session session = restart(R"(, "until": "2999-01-01T00:00:00Z")");
  CHECK(take(session, total).tensor().as<std::int64_t>()[0] == 10);
}

TEST_CASE("Policy: parties that were given different programs notice before any data leaves") {
  ProcessCluster cluster = cluster_with({});
  Session session = cluster.connect("mallory");
  CHECK(run_apart(cluster, true).message() == "succeeded");
  const std::int64_t granted = stat(session, "alice", "data_bytes_to/bob");
  CHECK(granted > 8192);
  const Error error = run_apart(cluster, false);
  INFO(error.what());
  CHECK(error.code() == Code::kDenied);
  CHECK(contains(error.message(), "another program"));
  CHECK(stat(session, "alice", "data_bytes_to/bob") - granted < 1024);
  // Both logs name the driver: who noticed says what it saw, and the other was told.
  bool noticed = false;
  for (const char* party : {"alice", "bob"}) {
    REQUIRE(cluster.stop(party) == 0);
    bool named = false;
    for (const AuditRecord& record : audit_of(cluster, party)) {
      if (record.principal != "dora") continue;
      noticed = noticed || record.kind == AuditKind::kDifferentPrograms;
      named = named || (record.kind == AuditKind::kRunFailed &&
                        contains(std::string(record.field("why")), "another program"));
    }
    INFO(party);
    CHECK(named);
  }
  CHECK(noticed);
}

TEST_CASE("Policy: more releases than fit into one question are asked for in several") {
  std::map<std::string, ProcessParty> three;
  three["alice"].csv = {{"x", "v\n1\n2\n3\n4\n"}};
  three["alice"].grants = R"([{"source": "x", "to": "bob"}, {"source": "x", "to": "carol"},
                             {"source": "x", "to": "dora"}])";
  three["bob"] = {};
  three["carol"] = {};
  ProcessCluster cluster(std::move(three));
  Session session = cluster.connect();
  Program program("many");
  const Array there = rows(program, session, "alice").to("bob");
  Array total = numbers(program, "carol", {0, 0, 0, 0});
  for (int i = 0; i < 1500; ++i) {
    total = total + there.to("carol", "part" + std::to_string(i));
  }
  program.output("out", total);
  const Refs refs = session.run(program);
  const Value value = session.fetch(refs["out"], Seconds(60));
  CHECK(value.tensor().as<std::int64_t>()[3] == 6000);
}
