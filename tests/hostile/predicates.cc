// Lets the rows steer the program, and watches which way it goes.
#include "tests/hostile/attempt.h"

namespace curia {
namespace {

Array number(Program& program, const std::string& party, std::int64_t value) {
  return program.constant(party, Tensor::scalar<std::int64_t>(value));
}

Array bit(Program& program, std::int64_t least) {
  return sum(rows_of(program, "secret").slice({0}, {1})) > least;
}

// The driver asks for nothing but what it put in: which constant comes back is the bit.
Learnt branch(Trial& trial) {
  Session& session = trial.session();
  Program program("branch");
  const Array way = cond(
      bit(program, 5), [&] { return Arrays{number(program, "alice", 1)}; },
      [&] { return Arrays{number(program, "alice", 0)}; })[0];
  program.output("out", way);
  const Refs refs = session.run(program);
  return {{session.fetch(refs["out"], kPatience).tensor().as<std::int64_t>()[0]}, {1}};
}

// bob, who is asked for no data of his own, does one of two things.
Learnt branch_of_another(Trial& trial) {
  Session& session = trial.session();
  Program program("branch_of_bob");
  const Array here = number(program, "bob", 1);
  const Array way = cond(
      bit(program, 5), [&] { return Arrays{here + 1}; }, [&] { return Arrays{here}; })[0];
  program.output("out", way);
  const Refs refs = session.run(program);
  return {{session.fetch(refs["out"], kPatience).tensor().as<std::int64_t>()[0]}, {2}};
}

// One of two names exists afterwards.
Learnt named_files(Trial& trial) {
  Session& session = trial.session();
  Program program("names");
  const Array none = number(program, "alice", 0);
  const std::string stem = "fs:///way-" + session.id();
  const auto save = [&](const std::string& name) {
    return [&program, none, uri = Uri::parse(stem + name)] {
      program.save(none, uri);
      return Arrays{none};
    };
  };
  program.output("out", cond(bit(program, 5), save("/yes"), save("/no"))[0]);
  session.run(program);
  session.wait(kPatience);
  session.stored("alice", Uri::parse(stem + "/yes"));
  return {{1}, {1}};
}

// Counts the first cell's lowest digit down, in a loop that runs at `party` with its test at alice.
Learnt count_down(Trial& trial, const std::string& name, const std::string& party) {
  Session& session = trial.session();
  Program program(name);
  const Array first = sum(rows_of(program, "secret").slice({0}, {1})) % 10;
  const Array last = while_loop(
      20, {first, number(program, party, 0)}, [](const Arrays& state) { return state[0] > 0; },
      [](const Arrays& state) {
        return Arrays{state[0] - 1, state[1] + 1};
      })[1];
  program.output("out", last);
  const Refs refs = session.run(program);
  return {{session.fetch(refs["out"], kPatience).tensor().as<std::int64_t>()[0]},
          {kCanaries[0] % 10}};
}

// The turns show in what the op took.
Learnt turns(Trial& trial) { return count_down(trial, "turns", "alice"); }

// bob is asked for each turn.
Learnt turns_of_another(Trial& trial) { return count_down(trial, "turns_of_bob", "bob"); }

// Fails in one of the branches: done or failed is the bit.
Learnt failing_branch(Trial& trial) {
  Session& session = trial.session();
  Program program("fails");
  const Array rows = program.dataset(of_alice("secret"));
  const Array few = rows.filter(rows.column("v") > kCanaries[0]).column("v");
  const Array fits =
      sum(few + program.constant(
                    "alice", Tensor::of<std::int64_t>({3}, std::vector<std::int64_t>{1, 2, 3})));
  const Array way = cond(
      fits > 0, [&] { return Arrays{number(program, "alice", 1)}; },
      [&] { return Arrays{number(program, "alice", 0)}; })[0];
  program.output("out", way);
  const Refs refs = session.run(program);
  try {
    session.wait(kPatience);
  } catch (const Error& error) {
    if (error.code() != Code::kInvalid) throw;
    return {{0}, {0}};
  }
  return {{1}, {1}};
}

// Nests a branch in a loop: a bit in each turn.
Learnt nested(Trial& trial) {
  Session& session = trial.session();
  Program program("nested");
  const Array rows = rows_of(program, "secret");
  const Array bits =
      for_loop(5, {number(program, "alice", 0), rows}, [&](const Arrays& state, const Index&) {
        const Array odd = sum(state[1].slice({0}, {1})) % 2 == 1;
        const Array next = cond(
            odd, [&] { return Arrays{state[0] * 2 + 1}; }, [&] { return Arrays{state[0] * 2}; })[0];
        return Arrays{next, concat({state[1].slice({1}, {5}), state[1].slice({0}, {1})}, 0)};
      })[0];
  program.output("out", bits);
  const Refs refs = session.run(program);
  std::int64_t truth = 0;
  for (const std::int64_t cell : kCanaries) truth = truth * 2 + cell % 2;
  return {{session.fetch(refs["out"], kPatience).tensor().as<std::int64_t>()[0]}, {truth}};
}

}  // namespace

Attempts predicates() {
  return {
      {"branches on a cell", true, branch},
      {"branches on a cell at another party", true, branch_of_another},
      {"saves under one of two names, as a cell says", true, named_files},
      {"counts the turns of a loop that a cell ends", true, turns},
      {"counts the turns of another party's loop", true, turns_of_another},
      {"fails or not, as a filter says, in a predicate", true, failing_branch},
      {"nests a branch in a loop, for a bit a turn", true, nested},
  };
}

}  // namespace curia
