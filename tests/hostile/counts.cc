// Uses up what was granted so many times, and goes on.
#include "tests/hostile/attempt.h"
#include "tests/hostile/graphs.h"
#include "tests/hostile/race.h"

namespace curia {
namespace {

std::vector<std::int64_t> cells(const Value& value) {
  const auto found = value.tensor().as<std::int64_t>();
  return {found.begin(), found.end()};
}

// One number that dora is granted once: the sum.
void use_up(Session& session, const std::string& dataset) {
  Program program("sum");
  program.output("out", sum(rows_of(program, dataset)));
  const Refs refs = session.run(program);
  try {
    session.fetch(refs["out"], kPatience);
  } catch (const Error& error) {
    Trial::must(false, std::string("the first use: ") + error.what());
  }
}

// What was not granted any more: the rows.
Learnt take(Session& session, const std::string& dataset, const std::string& output = "out") {
  Program program("rows");
  program.output(output, rows_of(program, dataset));
  const Refs refs = session.run(program);
  return {cells(session.fetch(refs[output], kPatience)), kCanaries};
}

Learnt again(Trial& trial) {
  Session& session = trial.session();
  Program program("sum");
  program.output("out", sum(rows_of(program, "once_a")) % 1000);
  const Refs refs = session.run(program);
  const auto first = cells(session.fetch(refs["out"], kPatience));
  return {cells(session.fetch(refs["out"], kPatience)), first};
}

Learnt other_session(Trial& trial) {
  use_up(trial.session(), "once_b");
  return take(trial.session(), "once_b");
}

Learnt other_program(Trial& trial) {
  Session& session = trial.session();
  use_up(session, "once_c");
  return take(session, "once_c");
}

Learnt other_name(Trial& trial) {
  Session& session = trial.session();
  use_up(session, "once_d");
  return take(session, "once_d", "renamed");
}

Learnt after(Trial& trial, const std::string& dataset, bool kill) {
  use_up(trial.session(), dataset);
  trial.end_sessions();
  trial.world().restart("alice", kill);
  return take(trial.session(), dataset);
}

Learnt after_reload(Trial& trial) {
  Session& session = trial.session();
  use_up(session, "once_g");
  Trial::must(trial.world().reload(), "alice reads her policy again");
  return take(session, "once_g");
}

// The same request once more, as if its answer were lost.
Learnt resent(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  Program sum_program("sum");
  sum_program.output("out", sum(rows_of(sum_program, "once_h")));
  const PrepareRequest program = prepared(sum_program.graph());
  const RunRequest run = run_of(program, 1);
  trial.call(raw, Kind::kPrepare, encode(program));
  trial.call(raw, Kind::kRun, encode(run));
  const Header header = raw.header(Kind::kFetch);
  const std::string fetch = encode(FetchRequest{run.outputs[0], 0});
  trial.call(raw, header, fetch);
  trial.call(raw, header, fetch);
  return {{1}, {1}};
}

// Four sessions ask at the same moment: one of them is given it.
Learnt at_once(Trial& trial) {
  return race(trial, 1, [](Session& session) {
    Program program("sum");
    program.output("out", sum(rows_of(program, "once_i")));
    return session.run(program)["out"];
  });
}

// One run, two results.
Learnt two_outputs(Trial& trial) {
  Session& session = trial.session();
  Program program("two");
  const Array rows = rows_of(program, "once_j");
  program.output("sum", sum(rows));
  program.output("rows", rows);
  const Refs refs = session.run(program);
  session.fetch(refs["sum"], kPatience);
  return {cells(session.fetch(refs["rows"], kPatience)), kCanaries};
}

Learnt expired(Trial& trial) { return take(trial.session(), "expired"); }

}  // namespace

Attempts counts() {
  return {
      {"fetches twice what was granted once", true, again},
      {"uses a counted grant again in another session", true, other_session},
      {"uses a counted grant again by another program", true, other_program},
      {"uses a counted grant again under another name", true, other_name},
      {"has the worker restarted to reset a count", true,
       [](Trial& trial) { return after(trial, "once_e", false); }},
      {"has the worker killed to reset a count", true,
       [](Trial& trial) { return after(trial, "once_f", true); }},
      {"has the policy read again to reset a count", true, after_reload},
      {"sends a counted fetch again under its number", true, resent},
      {"asks from several sessions at once for what was granted once", true, at_once},
      {"fetches two results of one run under a grant for one", true, two_outputs},
      {"uses a grant that has expired", true, expired},
  };
}

}  // namespace curia
