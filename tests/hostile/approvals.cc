// Uses what alice approved for something else, or once more.
#include "tests/hostile/script.h"

namespace curia {
namespace {

// alice approved the script; this is tried in its place.
Attempt instead(const std::string& name, const std::function<void(Script&)>& change) {
  Attempt attempt{name, true};
  attempt.run = [change](Trial& trial) -> Learnt {
    approve(trial.world(), Script{});
    Script other;
    change(other);
    return other.take(trial.session());
  };
  return attempt;
}

void use_up(Trial& trial) {
  Session& session = trial.session();
  const Script script;
  try {
    Trial::must(script.fetch(session) == script.truth(), "the approved sum");
  } catch (const Error& error) {
    Trial::must(false, std::string("what was approved: ") + error.what());
  }
}

Learnt over_used(Trial& trial) {
  approve(trial.world(), Script{});
  use_up(trial);
  return Script{}.take(trial.session());
}

Learnt after_restart(Trial& trial) {
  approve(trial.world(), Script{});
  use_up(trial);
  trial.end_sessions();
  trial.world().restart("alice", true);
  return Script{}.take(trial.session());
}

Learnt after_reload(Trial& trial) {
  approve(trial.world(), Script{});
  use_up(trial);
  Trial::must(trial.world().reload(), "alice reads her policy again");
  return Script{}.take(trial.session());
}

Learnt second_fetch(Trial& trial) {
  approve(trial.world(), Script{});
  Session& session = trial.session();
  const Script script;
  const Ref total = script.run(session);
  session.fetch(total, kPatience);
  return {{session.fetch(total, kPatience).tensor().as<std::int64_t>()[0]}, {script.truth()}};
}

// The transfer in one session, the fetch in another.
Learnt mixed_sessions(Trial& trial) {
  approve(trial.world(), Script{});
  Session& first = trial.session();
  Script{}.run(first);
  first.wait(kPatience);
  return Script{}.take(trial.session());
}

Learnt intermediate(Trial& trial) {
  approve(trial.world(), Script{});
  Session& session = trial.session();
  const Value value = session.fetch(Script{}.scale(session), kPatience);
  const auto found = value.tensor().as<std::int64_t>();
  return {{found.begin(), found.end()}, kCanaries};
}

// A single row, in the place of the approved program's input.
Learnt other_input(Trial& trial) {
  approve(trial.world(), Script{});
  Session& session = trial.session();
  Program first("scale");
  const Tensor one = Tensor::of<std::int64_t>({5}, std::vector<std::int64_t>{0, 0, 1, 0, 0});
  first.output("scaled", rows_of(first, "bound") * first.constant("alice", one));
  const Refs row = session.run(first);
  Program second("total");
  second.output("total", sum(second.input("scaled", parse_type("i64[5] @alice"))).to("bob"));
  const Refs refs = session.run(second, {{"scaled", row["scaled"]}});
  return {{session.fetch(refs["total"], kPatience).tensor().as<std::int64_t>()[0]}, {kCanaries[2]}};
}

Learnt by_mallory(Trial& trial) {
  approve(trial.world(), Script{});
  return Script{}.take(trial.session("mallory"));
}

Learnt expired(Trial& trial) {
  Approval approval =
      agreed(planned(trial.world(), [](Session& session) { Script{}.fetch(session); }));
  approval.until = parse_time("2020-01-01T00:00:00Z");
  approve(trial.world(), approval);
  return Script{}.take(trial.session());
}

Learnt withdrawn(Trial& trial) {
  approve(trial.world(), Script{});
  if (!trial.world().unprotected()) {
    set_files(trial.world(), {});
    Trial::must(trial.world().reload(), "alice withdraws it");
  }
  return Script{}.take(trial.session());
}

// The plan shows the dataset "bound", under the snapshot of another one.
Learnt lying_snapshot(Trial& trial) {
  ReleasePlan plan = planned(trial.world(), [](Session& session) { Script{}.fetch(session); });
  const Digest other = trial.session().snapshot("alice", "other");
  for (PlannedStep& step : plan.steps) {
    for (Origin& origin : step.origins) {
      if (origin.kind == Origin::Kind::kDataset) origin.id = other;
    }
  }
  approve(trial.world(), agreed(plan));
  Script script;
  script.dataset = "other";
  return script.take(trial.session());
}

// The plan shows the sum; what is run under the same names is another program.
Learnt lying_program(Trial& trial) {
  approve(trial.world(), Script{});
  Session& session = trial.session();
  const Ref scaled = Script{}.scale(session);
  Program second("total");
  second.output("total", sum(second.input(scaled).slice({0}, {1})).to("bob"));
  return {{session.fetch(session.run(second)["total"], kPatience).tensor().as<std::int64_t>()[0]},
          {kCanaries[0]}};
}

// alice's secrets in an order that nobody knows, another one in each run.
PreparedPtr mixed() {
  Program program("mixed");
  const Device abc = program.device("abc", kAbc);
  program.output("mixed", shuffle(rows_of(program, "secure").to(abc)));
  return prepare(program);
}

void show_first(Session& session, const Ref& mixed, const std::string& to) {
  Program program("first." + to);
  program.device("abc", kAbc);
  program.output("first", program.input(mixed).slice({0}, {1}).reveal(to));
  session.run(program);
  session.wait(kPatience);
}

// bob was to see one row and carol the same one; not carol the first row of another order.
Learnt two_draws(Trial& trial) {
  const PreparedPtr program = mixed();
  approve(trial.world(), [&](Session& session) {
    const Ref order = session.run(program)["mixed"];
    show_first(session, order, "bob");
    show_first(session, order, "carol");
  });
  Session& session = trial.session();
  show_first(session, session.run(program)["mixed"], "bob");
  show_first(session, session.run(program)["mixed"], "carol");
  return {{1}, {1}};
}

void difference(Session& session, const Ref& a, const Ref& b) {
  Program program("difference");
  program.device("abc", kAbc);
  program.output("out",
                 (program.input("a", a.type()) - program.input("b", b.type())).reveal("bob"));
  session.run(program, {{"a", a}, {"b", b}});
  session.wait(kPatience);
}

// alice approved a difference that is zero, of one order with itself.
Learnt difference_of_draws(Trial& trial) {
  const PreparedPtr program = mixed();
  approve(trial.world(), [&](Session& session) {
    const Ref order = session.run(program)["mixed"];
    difference(session, order, order);
  });
  Session& session = trial.session();
  const Refs first = session.run(program);
  const Refs second = session.run(program);
  difference(session, first["mixed"], second["mixed"]);
  return {{1}, {1}};
}

}  // namespace

Attempts approvals() {
  return {
      {"does once more what was approved once", true, over_used},
      {"fetches an approved value twice", true, second_fetch},
      {"has the worker killed to reset an approval", true, after_restart},
      {"has the policy read again to reset an approval", true, after_reload},
      {"takes the parts of an approved program from two sessions", true, mixed_sessions},
      {"fetches what lies between two approved programs", true, intermediate},
      {"feeds the approved program with another value", true, other_input},
      instead("runs the approved programs on another dataset",
              [](Script& script) { script.dataset = "other"; }),
      instead("runs another function under the approved names",
              [](Script& script) { script.largest = true; }),
      instead("puts another number into the approved programs",
              [](Script& script) { script.factor = 3; }),
      instead("puts the approved number under another salt",
              [](Script& script) { script.salt = "a salt that is as good"; }),
      instead("puts the approved number without a salt", [](Script& script) { script.salt = ""; }),
      instead("sends the approved value to another party",
              [](Script& script) { script.to = "carol"; }),
      {"does as another driver what was approved for one", true, by_mallory},
      {"uses an approval that has expired", true, expired},
      {"uses an approval that was withdrawn", true, withdrawn},
      {"has a plan approved that names another dataset's snapshot", true, lying_snapshot},
      {"has a sum approved and takes one cell under its names", true, lying_program},
      {"shows rows of two random orders under an approval of one", true, two_draws},
      {"takes the difference of two random orders where that of one is approved", true,
       difference_of_draws},
  };
}

}  // namespace curia
