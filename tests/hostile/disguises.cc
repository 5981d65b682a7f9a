// Makes something of alice's rows that is as good as the rows, and fetches it.
#include <algorithm>
#include <numeric>

#include "tests/hostile/attempt.h"

namespace curia {
namespace {

using Write = std::function<Array(Program&, const Array& rows)>;
using Read = std::function<std::vector<std::int64_t>(const Value&)>;

std::vector<std::int64_t> cells(const Value& value) {
  const auto found = value.tensor().as<std::int64_t>();
  return {found.begin(), found.end()};
}

Array numbers(Program& program, const std::vector<std::int64_t>& values) {
  return program.constant("alice", Tensor::of<std::int64_t>({std::ssize(values)}, values));
}

std::vector<std::int64_t> sorted(std::vector<std::int64_t> values) {
  std::ranges::sort(values);
  return values;
}

// Runs what `write` makes of alice's secret and fetches it; `read` turns it into cells.
Attempt fetches(const std::string& name, const Write& write, const Read& read = cells,
                const std::vector<std::int64_t>& truth = kCanaries,
                const std::string& output = "out") {
  Attempt attempt{name, true};
  attempt.run = [=](Trial& trial) -> Learnt {
    Session& session = trial.session();
    Program program("disguise");
    program.output(output, write(program, rows_of(program, "secret")));
    const Refs refs = session.run(program);
    return {read(session.fetch(refs[output], kPatience)), truth};
  };
  return attempt;
}

std::vector<std::int64_t> first_column(const Value& value) {
  const auto found = value.tensor().as<std::int64_t>();
  std::vector<std::int64_t> column;
  for (std::size_t i = 0; i < found.size(); i += found.size() / kCanaries.size()) {
    column.push_back(found[i]);
  }
  return column;
}

// Undoes what was done to each cell.
Read each(const std::function<std::int64_t(std::int64_t)>& undo) {
  return [undo](const Value& value) {
    std::vector<std::int64_t> values = cells(value);
    std::ranges::transform(values, values.begin(), undo);
    return values;
  };
}

// The owner agreed to the sum of five rows by one program; that of four tells the fifth.
Learnt one_row_less(Trial& trial) {
  Session& session = trial.session();
  const Refs all = session.run(granted_sum());
  const std::int64_t total = cells(session.fetch(all["total"], kPatience))[0];
  Program program("total");
  program.output("total", sum(rows_of(program, "pay").slice({0}, {4})));
  const Refs refs = session.run(program);
  return {{total - cells(session.fetch(refs["total"], kPatience))[0]}, {kPay[4]}};
}

// The same program, but on rows of which another program has set four to zero.
Learnt cut_to_size(Trial& trial) {
  Session& session = trial.session();
  Program cut("cut");
  const Array rows = rows_of(cut, "pay");
  cut.output("rows", rows * numbers(cut, {0, 0, 1, 0, 0}));
  const Refs kept = session.run(cut);
  Program program("total");
  program.output("total", sum(program.input(kept["rows"])));
  const Refs refs = session.run(program);
  return {cells(session.fetch(refs["total"], kPatience)), {kPay[2]}};
}

Learnt whole_table(Trial& trial) {
  Session& session = trial.session();
  Program program("whole");
  program.output("out", program.dataset(of_alice("secret")));
  const Refs refs = session.run(program);
  const Value value = session.fetch(refs["out"], kPatience);
  const auto& column = std::get<Tensor>(value.table().column("v").data);
  return {cells(Value(column)), kCanaries};
}

}  // namespace

Attempts disguises() {
  const auto same = [](Program&, const Array& x) { return x; };
  Attempts all = {
      {"fetches the whole table as it is", true, whole_table},
      fetches("fetches a column under a plain name", same),
      fetches("gives its output the name of one that was granted", same, cells, kCanaries, "total"),
      fetches(
          "adds a constant", [](Program&, const Array& x) { return x + 7; },
          each([](std::int64_t v) { return v - 7; })),
      fetches(
          "masks the rows with a constant of its own",
          [](Program& p, const Array& x) {
            return x ^ numbers(p, {1, 2, 3, 4, 5});
          },
          [](const Value& value) {
            std::vector<std::int64_t> found = cells(value);
            for (std::size_t i = 0; i < found.size(); ++i) {
              found[i] ^= static_cast<std::int64_t>(i + 1);
            }
            return found;
          }),
      fetches(
          "casts to another dtype", [](Program&, const Array& x) { return x.cast(DType::kU64); },
          [](const Value& value) {
            const auto found = value.tensor().as<std::uint64_t>();
            return std::vector<std::int64_t>(found.begin(), found.end());
          }),
      fetches("reshapes",
              [](Program&, const Array& x) {
                return x.reshape({5, 1});
              }),
      fetches(
          "broadcasts and transposes",
          [](Program&, const Array& x) {
            return x.broadcast({3, 5}).transpose();
          },
          first_column),
      fetches("copies the rows behind themselves",
              [](Program&, const Array& x) {
                return concat({x, x}, 0).slice({5}, {10});
              }),
      fetches("takes one cell alone", [](Program&, const Array& x) { return x.slice({2}, {3}); },
              cells, {kCanaries[2]}),
      fetches("takes the largest cell", [](Program&, const Array& x) { return max(x); }, cells,
              {*std::ranges::max_element(kCanaries)}),
      fetches(
          "sorts the rows",
          [](Program&, const Array& x) {
            const Array order = argsort(x, 0);
            return gather(x, order);
          },
          cells, sorted(kCanaries)),
      fetches(
          "uses the rows as indices into a table of its own",
          [](Program& p, const Array& x) {
            return gather(numbers(p, {10, 11, 12, 13}), x % 4);
          },
          each([](std::int64_t v) { return v - 10; }),
          [] {
            std::vector<std::int64_t> truth = kCanaries;
            std::ranges::transform(truth, truth.begin(), [](auto v) { return v % 4; });
            return truth;
          }()),
      fetches("compares each cell with a guess",
              [](Program&, const Array& x) { return (x == kCanaries[1]).cast(DType::kI64); }, cells,
              {0, 1, 0, 0, 0}),
      fetches(
          "lets the rows select among public numbers",
          [](Program& p, const Array& x) {
            return select(x > kCanaries[0], numbers(p, {1, 1, 1, 1, 1}), 0);
          },
          cells,
          [] {
            std::vector<std::int64_t> truth = kCanaries;
            std::ranges::transform(truth, truth.begin(),
                                   [](auto v) { return v > kCanaries[0] ? 1 : 0; });
            return truth;
          }()),
      fetches("carries the rows through a loop",
              [](Program& p, const Array& x) {
                return for_loop(2, {x, numbers(p, {0, 0, 0, 0, 0})},
                                [](const Arrays& s, const Index&) {
                                  return Arrays{s[0], s[0]};
                                })[1];
              }),
      fetches("counts the rows that pass a filter",
              [](Program&, const Array& x) { return sum(x > kCanaries[0]); }, cells,
              {std::ranges::count_if(kCanaries, [](auto v) { return v > kCanaries[0]; })}),
      fetches(
          "groups rows by their value",
          [](Program& p, const Array&) {
            const Array table = p.dataset(of_alice("secret"));
            return group_by(table, {"v"}, {"count:v:n"}).column("v");
          },
          cells, sorted(kCanaries)),
      fetches("joins the rows with guesses of its own",
              [](Program& p, const Array&) {
                const Array guesses =
                    p.op("make_table", "alice", {numbers(p, {1, kCanaries[3], kCanaries[4]})},
                         {{"names", std::vector<std::string>{"v"}}})[0];
                return join(guesses, p.dataset(of_alice("secret")), {"v"}).column("v");
              },
              cells, {kCanaries[3], kCanaries[4]}),
      fetches(
          "pads a filtered table to a known size",
          [](Program& p, const Array& x) {
            const Array few = p.dataset(of_alice("secret")).filter(x > kCanaries[0]);
            return p
                .op("to_tensor", "alice", {few},
                    {{"columns", std::vector<std::string>{"v"}},
                     {"dtype", std::string("i64")},
                     {"pad_to", std::int64_t{9}}})[1]
                .cast(DType::kI64);
          },
          [](const Value& value) {
            const auto found = cells(value);
            return std::vector<std::int64_t>{
                std::accumulate(found.begin(), found.end(), INT64_C(0))};
          },
          {std::ranges::count_if(kCanaries, [](auto v) { return v > kCanaries[0]; })}),
      fetches("hides a cell among random numbers that it knows",
              [](Program& p, const Array& x) {
                const Array noise = p.random("alice", {5}, 7);
                return x + (noise * 1000.0).cast(DType::kI64) * 0;
              }),
      {"takes the sum of n-1 rows, where that of n was granted", true, one_row_less},
      {"feeds the granted program with rows that it cut to size", true, cut_to_size},
  };
  // A failure that tells whether three rows pass a filter.
  Attempt failure{"fetches the failure of an op that fits only if three rows pass", true};
  failure.run = [](Trial& trial) -> Learnt {
    Session& session = trial.session();
    Program program("failure");
    const Array rows = program.dataset(of_alice("secret"));
    const Array few = rows.filter(rows.column("v") > kCanaries[0]).column("v");
    program.output("out", sum(few + numbers(program, {0, 0, 0})));
    const Refs refs = session.run(program);
    try {
      session.fetch(refs["out"], kPatience);
    } catch (const Error& error) {
      if (error.code() == Code::kInvalid) return {{0}, {0}};
      throw;
    }
    return {{1}, {0}};
  };
  all.push_back(std::move(failure));
  return all;
}

}  // namespace curia
