// Wants more than a budget of differential privacy allows, or the rows behind it.
#include <cmath>

#include "tests/hostile/attempt.h"
#include "tests/hostile/graphs.h"
#include "tests/hostile/race.h"

namespace curia {
namespace {

// dora has epsilon 1 and delta 1e-6 for each of these datasets.
constexpr Privacy kAll{1, 0};
constexpr Privacy kHalf{0.5, 0};

std::int64_t number(const Value& value) { return value.tensor().as<std::int64_t>()[0]; }

// How many rows lie above, with noise.
Array above(Program& program, const std::string& dataset, std::int64_t bound, Privacy privacy) {
  const Array table = program.dataset(of_alice(dataset));
  return dp_count(table.filter(table.column("v") > bound), privacy);
}

// What dora may learn, for all that she has.
void use_up(Session& session, const std::string& dataset) {
  Program program("release");
  program.output("out", above(program, dataset, 0, kAll));
  const Refs refs = session.run(program);
  try {
    session.fetch(refs["out"], kPatience);
  } catch (const Error& error) {
    Trial::must(false, std::string("the first release: ") + error.what());
  }
}

// One release more: with enough of them the noise would average out.
Learnt one_more(Session& session, const std::string& dataset, std::int64_t bound = 0) {
  Program program("release");
  program.output("more", above(program, dataset, bound, kHalf));
  const Refs refs = session.run(program);
  number(session.fetch(refs["more"], kPatience));
  return {{1}, {1}};
}

Learnt same_session(Trial& trial) {
  Session& session = trial.session();
  use_up(session, "noisy_a");
  return one_more(session, "noisy_a");
}

Learnt other_session(Trial& trial) {
  use_up(trial.session(), "noisy_b");
  return one_more(trial.session(), "noisy_b");
}

// The difference would be a row.
Learnt all_but_one(Trial& trial) {
  Session& session = trial.session();
  use_up(session, "noisy_c");
  return one_more(session, "noisy_c", kCanaries[2]);
}

Learnt after_restart(Trial& trial, const std::string& dataset, bool kill) {
  use_up(trial.session(), dataset);
  trial.end_sessions();
  trial.world().restart("alice", kill);
  return one_more(trial.session(), dataset);
}

Learnt after_reload(Trial& trial) {
  Session& session = trial.session();
  use_up(session, "noisy_f");
  Trial::must(trial.world().reload(), "alice reads her policy again");
  return one_more(session, "noisy_f");
}

Learnt many_outputs(Trial& trial) {
  Session& session = trial.session();
  Program program("many");
  for (const char* name : {"a", "b", "c"}) {
    program.output(name, above(program, "noisy_g", 0, kHalf));
  }
  const Refs refs = session.run(program);
  for (const char* name : {"a", "b", "c"}) number(session.fetch(refs[name], kPatience));
  return {{1}, {1}};
}

// One number that depends on three releases costs all three.
Learnt averaged(Trial& trial) {
  Session& session = trial.session();
  Program program("average");
  Array sum = above(program, "noisy_h", 0, kHalf);
  for (int i = 0; i < 2; ++i) sum = sum + above(program, "noisy_h", 0, kHalf);
  program.output("out", sum / 3);
  const Refs refs = session.run(program);
  number(session.fetch(refs["out"], kPatience));
  return {{1}, {1}};
}

// Four sessions ask at the same moment for half of what is there: two of them are given it.
Learnt at_once(Trial& trial) {
  return race(trial, 2, [](Session& session) {
    Program program("release");
    program.output("out", above(program, "noisy_i", 0, kHalf));
    return session.run(program)["out"];
  });
}

Learnt rows_with_noise(Trial& trial) {
  Session& session = trial.session();
  Program program("rows");
  const Array noise = above(program, "noisy_j", 0, kHalf);
  program.output("out", rows_of(program, "noisy_j") + noise * 0);
  const Refs refs = session.run(program);
  const Value value = session.fetch(refs["out"], kPatience);
  const auto found = value.tensor().as<std::int64_t>();
  return {{found.begin(), found.end()}, kCanaries};
}

Learnt chosen_by_a_row(Trial& trial) {
  Session& session = trial.session();
  Program program("choice");
  const Array noise = above(program, "noisy_j", 0, kHalf);
  const Array row = max(rows_of(program, "noisy_j")) > kCanaries[0];
  program.output("out", select(row, noise * 0 + 1, noise * 0));
  const Refs refs = session.run(program);
  return {{number(session.fetch(refs["out"], kPatience))}, {1}};
}

// By way of bob, who has no budget.
Learnt by_another(Trial& trial) {
  Session& session = trial.session();
  Program program("passed");
  program.output("out", above(program, "noisy_j", 0, kHalf).to("bob") * 1);
  const Refs refs = session.run(program);
  number(session.fetch(refs["out"], kPatience));
  return {{1}, {1}};
}

Learnt shared(Trial& trial) {
  Session& session = trial.session();
  Program program("shared");
  const Device abc = program.device("abc", kAbc);
  program.output("out", above(program, "noisy_j", 0, kHalf).to(abc));
  const Refs refs = session.run(program);
  number(session.fetch(refs["out"], kPatience));
  return {{1}, {1}};
}

// mallory has none at all.
Learnt other_driver(Trial& trial) { return one_more(trial.session("mallory"), "noisy_j"); }

// By hand, since a driver's own library would refuse it: what verify refuses, each worker does.
Learnt by_hand(Trial& trial, const std::function<Array(Program&)>& write, double epsilon = 0.5) {
  RawDriver& raw = trial.raw("alice", "dora");
  Program program("by.hand");
  program.output("out", write(program));
  Graph graph = program.graph();
  for (Op& op : graph.ops) {
    if (op.name.starts_with("dp_")) op.attrs["epsilon"] = epsilon;
  }
  const PrepareRequest request = prepared(graph);
  trial.call(raw, Kind::kPrepare, encode(request));
  const RunRequest run = run_of(request, 1);
  trial.call(raw, Kind::kRun, encode(run));
  trial.call(raw, Kind::kFetch, encode(FetchRequest{run.outputs[0], 0}));
  return {{1}, {1}};
}

Learnt a_row_many_times(Trial& trial) {
  return by_hand(trial, [](Program& program) {
    const Array rows = rows_of(program, "noisy_j");
    return dp_sum(concat(Arrays(1000, rows), 0), 0, 1e18, kHalf);
  });
}

Learnt joined_with_itself(Trial& trial) {
  return by_hand(trial, [](Program& program) {
    const Array table = program.dataset(of_alice("noisy_j"));
    return dp_count(join(table, table, {"v"}), kHalf);
  });
}

Learnt in_a_loop(Trial& trial) {
  return by_hand(trial, [](Program& program) {
    const Array rows = rows_of(program, "noisy_j");
    const Array zero = program.constant("alice", Tensor::scalar(0.0));
    return for_loop(1000, {zero}, [&](const Arrays& state, const Index&) {
      return Arrays{state[0] + dp_sum(rows, 0, 1e18, kHalf)};
    })[0];
  });
}

Learnt for_nothing(Trial& trial, double epsilon) {
  const auto write = [](Program& program) {
    return dp_sum(rows_of(program, "noisy_j"), 0, 1e18, kHalf);
  };
  return by_hand(trial, write, epsilon);
}

}  // namespace

Attempts budgets() {
  return {
      {"releases once more when a budget is used up", true, same_session},
      {"releases once more in another session", true, other_session},
      {"releases of all rows but one, after all rows", true, all_but_one},
      {"has the worker restarted to reset a budget", true,
       [](Trial& trial) { return after_restart(trial, "noisy_d", false); }},
      {"has the worker killed to reset a budget", true,
       [](Trial& trial) { return after_restart(trial, "noisy_e", true); }},
      {"has the policy read again to reset a budget", true, after_reload},
      {"splits a budget over three results of one run", true, many_outputs},
      {"averages the noise of three releases away", true, averaged},
      {"releases from several sessions at once", true, at_once},
      {"hides rows behind noise of weight 0", true, rows_with_noise},
      {"lets a row choose between released numbers", true, chosen_by_a_row},
      {"passes a release through a party without a budget", true, by_another},
      {"shares a release among members without a budget", true, shared},
      {"releases for a driver without a budget", true, other_driver},
      {"releases each row a thousand times", false, a_row_many_times},
      {"releases the rows of a table joined with itself", false, joined_with_itself},
      {"releases in every round of a loop", false, in_a_loop},
      {"releases for epsilon 0", false, [](Trial& trial) { return for_nothing(trial, 0); }},
      {"releases for less than nothing, to gain budget", false,
       [](Trial& trial) { return for_nothing(trial, -1); }},
      {"releases for an epsilon that is no number", false,
       [](Trial& trial) { return for_nothing(trial, std::nan("")); }},
  };
}

}  // namespace curia
