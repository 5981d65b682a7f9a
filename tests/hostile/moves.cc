// Has the rows moved to where it may fetch, or hopes that somebody there is less careful.
#include "tests/hostile/attempt.h"

namespace curia {
namespace {

std::vector<std::int64_t> cells(const Value& value) {
  const auto found = value.tensor().as<std::int64_t>();
  return {found.begin(), found.end()};
}

using Write = std::function<Array(Program&)>;

Attempt moves_by(const std::string& name, const Write& write) {
  Attempt attempt{name, true};
  attempt.run = [write](Trial& trial) -> Learnt {
    Session& session = trial.session();
    Program program("move");
    program.output("out", write(program));
    const Refs refs = session.run(program);
    return {cells(session.fetch(refs["out"], kPatience)), kCanaries};
  };
  return attempt;
}

// What bob may see he also saves, under a name of the driver's.
Learnt saved_at_bob(Trial& trial) {
  Session& session = trial.session();
  const Uri uri = Uri::parse("fs:///moved-" + session.id());
  Program keep("keep");
  keep.save(rows_of(keep, "board").to("bob"), uri);
  session.run(keep);
  session.wait(kPatience);
  return {cells(session.fetch(session.stored("bob", uri), kPatience)), kCanaries};
}

// A second program knows the moved rows as an input only.
Learnt as_an_input(Trial& trial) {
  Session& session = trial.session();
  Program move("move");
  move.output("moved", rows_of(move, "board").to("bob"));
  const Refs moved = session.run(move);
  Program program("other");
  program.output("out", program.input(moved["moved"]) + rows_of(program, "x", "bob") -
                            rows_of(program, "x", "bob"));
  const Refs refs = session.run(program);
  return {cells(session.fetch(refs["out"], kPatience)), kCanaries};
}

// A name that no program with a label for it gave.
Learnt by_another_name(Trial& trial, const Write& write) {
  Session& session = trial.session();
  Program first("first");
  first.output("rows", write(first));
  const Ref rows = session.run(first)["rows"];
  Program hand_on("hand_on");
  hand_on.output("total", hand_on.input(rows));  // named as a release that was granted
  const Refs refs = session.run(hand_on);
  return {cells(session.fetch(refs["total"], kPatience)), kCanaries};
}

// bob's worker has the rows; a key that is bob's asks alice whether mallory may have them.
Learnt onward_by_bob(Trial& trial) {
  RawDriver& bob = trial.raw("alice", "bob");
  ConsentRequest request;
  request.principal = "mallory";
  request.session = std::string(32, 'a');
  request.task = 1;
  ConsentItem item;
  item.source = "board";
  item.recipient = "mallory";
  item.release = "out";
  request.items = {item};
  const auto reply = decode<ConsentReply>(trial.call(bob, Kind::kConsent, encode(request)));
  if (reply.allowed == std::vector<std::uint8_t>{1}) return {{1}, {1}};
  trial.found_by({"alice", AuditKind::kConsent, "mallory", request.session, "asked_by", "bob"});
  throw Error(Code::kDenied, reply.reasons.at(0));
}

// The granted sum is asked for by the driver that no grant names.
Learnt by_mallory(Trial& trial) {
  Session& session = trial.session("mallory");
  const Refs refs = session.run(granted_sum());
  return {cells(session.fetch(refs["total"], kPatience)), {183'048}};
}

}  // namespace

Attempts moves() {
  return {
      moves_by("moves rows to a party that has no grant",
               [](Program& p) { return rows_of(p, "secret").to("bob"); }),
      moves_by("calls the move by the name of a release that was granted",
               [](Program& p) { return rows_of(p, "secret").to("bob", "total"); }),
      moves_by("fetches at bob what only bob may see",
               [](Program& p) { return rows_of(p, "board").to("bob"); }),
      moves_by("brings what bob may see back to alice and fetches it there",
               [](Program& p) { return rows_of(p, "board").to("bob").to("alice"); }),
      moves_by("has bob pass on to carol what only bob may see",
               [](Program& p) { return rows_of(p, "board").to("bob").to("carol"); }),
      moves_by("has bob mix it with rows of his own that were granted",
               [](Program& p) {
                 const Array x = rows_of(p, "x", "bob");
                 return rows_of(p, "board").to("bob") + x - x;
               }),
      moves_by("moves the rows a cell at a time in a loop",
               [](Program& p) {
                 const Array rows = rows_of(p, "secret");
                 const Array none =
                     p.constant("bob", Tensor::of<std::int64_t>({5}, std::vector<std::int64_t>(5)));
                 return for_loop(5, {none, rows}, [](const Arrays& s, const Index&) {
                   const Array cell = s[1].slice({0}, {1}).to("bob");
                   return Arrays{concat({s[0].slice({1}, {5}), cell}, 0),
                                 concat({s[1].slice({1}, {5}), s[1].slice({0}, {1})}, 0)};
                 })[0];
               }),
      moves_by("moves the rows in a call that comes after all that was granted",
               [](Program& p) {
                 p.output("total", sum(rows_of(p, "board")));
                 const Array rows = rows_of(p, "secret");
                 return p.call("bob", [&] { return Arrays{rows.to("bob")}; })[0];
               }),
      moves_by("moves what it called for in the next call",
               [](Program& p) {
                 const Array rows = rows_of(p, "board");
                 const Array at_bob = p.call("alice", [&] { return Arrays{rows.to("bob")}; })[0];
                 return p.call("bob", [&] { return Arrays{at_bob.to("carol")}; })[0];
               }),
      {"has rows that stay at alice get another name, and fetches by that", true,
       [](Trial& trial) {
         return by_another_name(trial, [](Program& p) { return rows_of(p, "secret") + 0; });
       }},
      {"has what bob may see get another name there, and fetches by that", true,
       [](Trial& trial) {
         return by_another_name(trial, [](Program& p) { return rows_of(p, "board").to("bob"); });
       }},
      moves_by("fetches at alice what dan let her see",
               [](Program& p) { return rows_of(p, "dans", "dan").to("alice"); }),
      {"saves at bob what only bob may see, and fetches the file", true, saved_at_bob},
      {"uses moved rows as the input of another program", true, as_an_input},
      {"asks for consent to pass rows on, with the key of a party that has them", true,
       onward_by_bob},
      {"asks for a granted sum as a driver that no grant names", true, by_mallory},
  };
}

}  // namespace curia
