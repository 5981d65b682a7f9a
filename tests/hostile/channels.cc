// Side channels: of two datasets that differ in their cells only, all that the driver can see is
// the same. Nothing is refused here but fetches, so no audit log is asked.
#include <cctype>

#include "protocol/lineage.h"
#include "protocol/value_bytes.h"
#include "tests/hostile/attempt.h"

namespace curia {
namespace {

using Lines = std::vector<std::string>;
using Write = std::function<Array(Program&, const DatasetInfo&)>;

// Digests, URIs and ids of sessions are random.
std::string plain(const std::string& text) {
  std::string out;
  std::string run;
  for (const char c : text + " ") {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
      run += c;
      continue;
    }
    out += run.size() >= 16 ? "#" : run;
    run.clear();
    out += c;
  }
  return out;
}

std::string outcome(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return plain(error.what());
  }
  return "done";
}

void add_description(Lines& lines, const DescribeReply& reply) {
  lines.push_back(plain(reply.type.str() + " " + reply.label + " " + reply.state + " " +
                        std::to_string(reply.bytes) + " " + ranges_text(reply.ranges) +
                        (reply.error ? reply.error->message : "")));
}

// Counters that all drivers see, but for those that count time or the log.
std::map<std::string, std::int64_t> counters(Session& session) {
  std::map<std::string, std::int64_t> all;
  for (const char* party : {"alice", "bob", "carol"}) {
    for (const StatsEntry& entry : session.stats(party)) {
      if (entry.name.starts_with("audit_") || entry.name == "data_port") continue;
      all[std::string(party) + "." + entry.name] = entry.value;
    }
  }
  return all;
}

// The same once all that earlier sessions held has gone.
std::map<std::string, std::int64_t> counters_at_rest(Session& session) {
  std::map<std::string, std::int64_t> all;
  const bool rests = eventually([&] {
    all = counters(session);
    return all["alice.objects"] == 0 && all["bob.objects"] == 0 && all["carol.objects"] == 0;
  });
  Trial::must(rests, "objects of earlier sessions go");
  return all;
}

void add_counted(Lines& lines, const std::map<std::string, std::int64_t>& before,
                 const std::map<std::string, std::int64_t>& after) {
  for (const auto& [name, value] : after) {
    const std::int64_t more = value - before.at(name);
    if (more != 0) lines.push_back(name + " +" + std::to_string(more));
  }
}

std::string mpc_text(Session& session, std::uint64_t task) {
  std::string text;
  for (const auto& [party, uses] : session.measured(task)) {
    text += party + ":";
    for (const MpcUse& use : uses) {
      text += " " + std::to_string(use.op) + "x" + std::to_string(use.runs) + "/" +
              std::to_string(use.rounds) + "/" + std::to_string(use.bytes);
    }
  }
  return text;
}

// Runs what `write` makes, and looks at the run, the result, the list, the refusal of a fetch, and
// the counters, as the driver itself and as another one.
Attempt sees(const std::string& name, const Write& write) {
  Attempt attempt{name};
  attempt.observe = [write](Trial& trial, const DatasetInfo& data) {
    Session& session = trial.session();
    Session& mallory = trial.session("mallory");
    const auto before = counters_at_rest(mallory);
    Lines lines;
    Program program("channel");
    program.output("out", write(program, data));
    const PreparedPtr prepared = prepare(program);
    for (const Error& refusal : session.refusals(prepared, {"out"})) {
      lines.push_back(plain(refusal.what()));
    }
    const Refs refs = session.run(prepared);
    lines.push_back("run: " + outcome([&] { session.wait(kPatience); }));
    lines.push_back(outcome([&] { add_description(lines, session.describe(refs["out"])); }));
    for (const char* party : {"alice", "bob"}) {
      for (const ListEntry& entry : session.list(party)) {
        lines.push_back(plain(entry.name + " " + entry.type.str() + " " + entry.label));
      }
    }
    lines.push_back(mpc_text(session, refs["out"].facts().task));
    add_counted(lines, before, counters(mallory));
    lines.push_back("fetch: " + outcome([&] { session.fetch(refs["out"], kPatience); }));
    return lines;
  };
  return attempt;
}

Array numbers(Program& program, const std::vector<std::int64_t>& values) {
  return program.constant("alice", Tensor::of<std::int64_t>({std::ssize(values)}, values));
}

Array few(Program& program, const DatasetInfo& data) {
  const Array rows = program.dataset(data);
  return rows.filter(rows.column("v") > 3);
}

// Can be computed of side1, of which three rows pass, and not of side0, of which two do.
Array failing(Program& program, const DatasetInfo& data) {
  return few(program, data).column("v") + numbers(program, {1, 2, 3});
}

Array all_rows(Program& program, const DatasetInfo& data) {
  return program.dataset(data).column("v");
}

// A failure, or rows of a size that nobody may know, in a file.
Attempt saves(const std::string& name, const Write& write) {
  Attempt attempt{name};
  attempt.observe = [write](Trial& trial, const DatasetInfo& data) {
    Session& session = trial.session();
    Session& mallory = trial.session("mallory");
    const auto before = counters_at_rest(mallory);
    const Uri uri = Uri::parse("fs:///side-" + session.id());
    Program keep("keep");
    const Array value = write(keep, data);
    const Type& type = value.type();
    keep.save(value, uri);
    Lines lines;
    session.run(keep);
    lines.push_back("run: " + outcome([&] { session.wait(kPatience); }));
    const Ref stored = session.stored("alice", uri);
    lines.push_back(stored.type().str());
    add_description(lines, session.describe(stored));
    Program program("load");
    program.output("out", program.load(uri, type));
    const Refs refs = session.run(program);
    lines.push_back("load: " + outcome([&] { session.wait(kPatience); }));
    add_description(lines, session.describe(refs["out"]));
    add_counted(lines, before, counters(mallory));
    lines.push_back("fetch: " + outcome([&] { session.fetch(stored, kPatience); }));
    session.remove(stored);
    session.wait(kPatience);
    return lines;
  };
  return attempt;
}

// 200,000 rows, of which two in five pass for side0 and three in five for side1: ten times the
// former are below 8 MiB, and ten times the latter are not.
constexpr int kTimes = 10;
Array many(Program& program, const DatasetInfo& data) {
  const Array rows = all_rows(program, data).reshape({5, 1}).broadcast({5, 40'000});
  const Array column = rows.reshape({200'000});
  const Array table =
      program.op("make_table", "alice", {column}, {{"names", std::vector<std::string>{"v"}}})[0];
  return table.filter(column > 3);
}

// Runs `build` ten times, and keeps what it makes.
using Build = std::function<Array(Program&)>;
std::vector<Ref> fill_memory(Session& session, Lines& lines, const Build& build) {
  std::vector<Ref> kept;
  for (int i = 0; i < kTimes; ++i) {
    Program program("many");
    program.output("out", build(program));
    kept.push_back(session.run(program)["out"]);
    lines.push_back(outcome([&] { session.wait(kPatience); }));
    add_description(lines, session.describe(kept.back()));
  }
  return kept;
}

// Fills the memory that results of unknown size have, and looks what still fits.
Lines full_memory(Trial& trial, const DatasetInfo& data) {
  Session& session = trial.session();
  const auto before = counters_at_rest(session);
  Lines lines;
  const auto kept =
      fill_memory(session, lines, [&](Program& program) { return many(program, data); });
  const Ref own = session.put("alice", Tensor::of<double>({100'000}, std::vector<double>(100'000)));
  lines.push_back("put: " + outcome([&] { session.wait(kPatience); }));
  add_counted(lines, before, counters(session));
  return lines;
}

// Fills bob's, who may see the rows, so that the driver learns how many they are.
Lines full_memory_of_bob(Trial& trial, const DatasetInfo& data) {
  Session& session = trial.session();
  const auto before = counters_at_rest(session);
  Lines lines;
  const auto kept =
      fill_memory(session, lines, [&](Program& program) { return many(program, data).to("bob"); });
  add_counted(lines, before, counters(session));
  return lines;
}

// The same on the disk.
Lines full_disk(Trial& trial, const DatasetInfo& data) {
  Session& session = trial.session();
  Lines lines;
  std::vector<Ref> kept;
  for (int i = 0; i < kTimes; ++i) {
    const Uri uri = Uri::parse("fs:///many-" + session.id() + "/" + std::to_string(i));
    Program program("many");
    program.save(many(program, data), uri);
    session.run(program);
    lines.push_back(outcome([&] { session.wait(kPatience); }));
    kept.push_back(session.stored("alice", uri));
    add_description(lines, session.describe(kept.back()));
  }
  for (const Ref& ref : kept) session.remove(ref);
  lines.push_back("remove: " + outcome([&] { session.wait(kPatience); }));
  return lines;
}

// An input that the program says is within 0 .. 4, of which that is not so.
Lines narrow_range(Trial& trial, const DatasetInfo& data) {
  Session& session = trial.session();
  Program first("first");
  first.output("rows", all_rows(first, data) + 0);
  const Refs rows = session.run(first);
  Program second("second");
  const Array held = second.input("rows", parse_type("i64[5] @alice"), {{"", Interval{0, 4}}});
  second.output("out", held + 1);
  const Refs refs = session.run(second, {{"rows", rows["rows"]}});
  Lines lines = {"run: " + outcome([&] { session.wait(kPatience); })};
  add_description(lines, session.describe(refs["out"]));
  return lines;
}

// dora was granted to see branches and turns of a program. mallory looks at the counters.
Lines turns_of_another(Trial& trial, const DatasetInfo& data) {
  Session& mallory = trial.session("mallory");
  Session& dora = trial.session();
  const auto before = counters_at_rest(mallory);
  const Refs refs = dora.run(granted_turns(data.name));
  dora.wait(kPatience);
  Lines lines;
  add_counted(lines, before, counters(mallory));
  return lines;
}

// Everything that a lineage of so small a table could be made of, when it were made of its cells.
Lines guessed_lineage(Trial& trial, const DatasetInfo& data) {
  Session& session = trial.session();
  const Digest snapshot = session.snapshot("alice", data.name);
  Program program("guess");
  program.output("out", all_rows(program, data));
  const Refs refs = session.run(program);
  const Digest result = session.describe(refs["out"]).lineage;
  Lines lines;
  for (const std::vector<std::int64_t>& guess :
       {std::vector<std::int64_t>{1, 2, 3, 4, 5}, {5, 5, -1, 0, INT64_C(1) << 62}}) {
    const Tensor column = Tensor::of<std::int64_t>({5}, guess);
    Table table;
    table.rows = 5;
    table.columns = {{"v", column}};
    int fit = 0;
    for (const Value& value : {Value(column), Value(table)}) {
      const Digest content = content_digest(value);
      for (const Digest& made :
           {content, put_commitment(Digest{}, content), put_lineage("alice", content).id,
            put_lineage("alice", put_commitment(Digest{}, content)).id,
            dataset_lineage("alice", data.name, content).id}) {
        fit += made == snapshot || made == result ? 1 : 0;
        const Digest there = dataset_lineage("alice", data.name, made).id;
        const RunLineage run(prepare(program)->digest, {dataset_lineage("alice", data.name, made)},
                             nullptr);
        fit += there == snapshot || run.output(0).id == result ? 1 : 0;
      }
    }
    lines.push_back(std::to_string(fit) + " lineages fit a guess of all cells");
  }
  return lines;
}

}  // namespace

Attempts channels() {
  const auto on = [](Program& p) { return p.device("abc", kAbc); };
  Attempts all = {
      sees("sees whether an op fails, as a filter says", failing),
      sees("sees the failure's effect behind a sum",
           [](Program& p, const DatasetInfo& data) { return sum(failing(p, data)); }),
      sees("moves the failure to bob, who may see it",
           [](Program& p, const DatasetInfo& data) { return sum(failing(p, data)).to("bob"); }),
      sees("shares a value that cannot be computed for some cells",
           [on](Program& p, const DatasetInfo& data) { return sum(failing(p, data)).to(on(p)); }),
      sees("carries the failure through a loop",
           [](Program& p, const DatasetInfo& data) {
             const Array broken = sum(failing(p, data));
             return for_loop(3, {broken},
                             [](const Arrays& s, const Index&) { return Arrays{s[0] + 1}; })[0];
           }),
      sees("reads the number of rows behind a filter off types, sizes and counters", few),
      sees("reads the number of groups off types, sizes and counters",
           [](Program& p, const DatasetInfo& data) {
             return group_by(p.dataset(data), {"v"}, {"count:v:n"});
           }),
      sees("reads the number of matches of a join off types, sizes and counters",
           [](Program& p, const DatasetInfo& data) {
             const Array guess = p.op("make_table", "alice", {numbers(p, {5, 6, 7})},
                                      {{"names", std::vector<std::string>{"v"}}})[0];
             return join(guess, p.dataset(data), {"v"});
           }),
      sees("reads the size of what moves to bob off the counters",
           [](Program& p, const DatasetInfo& data) { return few(p, data).to("bob"); }),
      sees("pads to fewer rows than there may be",
           [](Program& p, const DatasetInfo& data) {
             return p.op("to_tensor", "alice", {few(p, data)},
                         {{"columns", std::vector<std::string>{"v"}},
                          {"dtype", std::string("i64")},
                          {"pad_to", std::int64_t{2}}})[0];
           }),
      sees("gathers with cells as indices, some beyond the end",
           [](Program& p, const DatasetInfo& data) {
             return gather(numbers(p, {1, 2, 3}), all_rows(p, data));
           }),
      sees("divides by cells, some of them zero",
           [](Program& p, const DatasetInfo& data) {
             return 100 / all_rows(p, data) + 100 % all_rows(p, data);
           }),
      sees("casts cells that do not fit, and takes logarithms of negatives",
           [](Program& p, const DatasetInfo& data) {
             const Array small = all_rows(p, data).cast(DType::kI8);
             return log(small.cast(DType::kF64)) + sqrt(all_rows(p, data).cast(DType::kF64));
           }),
      sees("shares cells that are out of range",
           [on](Program& p, const DatasetInfo& data) { return all_rows(p, data).to(on(p)); }),
      sees("measures bytes and rounds of a comparison of shares",
           [on](Program& p, const DatasetInfo& data) {
             const Array secret = all_rows(p, data).to(on(p));
             return max(select(secret > 3, secret, 0));
           }),
      saves("saves rows behind a filter, and looks at the file", few),
      saves("saves a failure, and looks at the file",
            [](Program& p, const DatasetInfo& data) { return sum(failing(p, data)); }),
  };
  all.push_back({"fills the memory quota with rows behind a filter", false, {}, full_memory});
  all.push_back({"fills the memory of bob, who may see the rows", false, {}, full_memory_of_bob});
  all.push_back({"fills the disk quota with rows behind a filter", false, {}, full_disk});
  all.push_back({"takes a range for granted that some cells are beyond", false, {}, narrow_range});
  all.push_back({"reads branches and turns of another driver's program off the counters",
                 false,
                 {},
                 turns_of_another});
  all.push_back({"guesses the cells of a small table from lineages", false, {}, guessed_lineage});
  return all;
}

}  // namespace curia
