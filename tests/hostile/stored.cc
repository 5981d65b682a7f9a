// Names, files and objects: renames, saves and loads before it fetches, guesses and lists names.
#include "protocol/value_bytes.h"
#include "tests/hostile/attempt.h"
#include "tests/hostile/graphs.h"

namespace curia {
namespace {

std::vector<std::int64_t> cells(const Value& value) {
  const auto found = value.tensor().as<std::int64_t>();
  return {found.begin(), found.end()};
}

const Type kRow = parse_type("i64[5] @alice");

void save(Session& session, const Uri& uri, const std::string& dataset = "secret") {
  Program program("save");
  program.save(rows_of(program, dataset), uri);
  session.run(program);
  session.wait(kPatience);
}

Uri fresh_file(const std::string& stem) { return Uri::parse("fs:///" + stem + random_hex(8)); }

Learnt file(Trial& trial) {
  Session& session = trial.session();
  const Uri uri = fresh_file("kept-");
  save(session, uri);
  return {cells(session.fetch(session.stored("alice", uri), kPatience)), kCanaries};
}

Learnt renamed(Trial& trial) {
  Session& session = trial.session();
  const Uri first = fresh_file("first-");
  const Uri second = fresh_file("second-");
  save(session, first);
  Program copy("copy");
  copy.save(copy.load(first, kRow) + 0, second);
  session.run(copy);
  session.wait(kPatience);
  return {cells(session.fetch(session.stored("alice", second), kPatience)), kCanaries};
}

Learnt reloaded(Trial& trial) {
  const Uri uri = fresh_file("reloaded-");
  save(trial.session(), uri);
  Session& later = trial.session();
  Program program("load");
  program.output("out", program.load(uri, kRow));
  const Refs refs = later.run(program);
  return {cells(later.fetch(refs["out"], kPatience)), kCanaries};
}

Learnt after_restart(Trial& trial) {
  const Uri uri = fresh_file("restarted-");
  save(trial.session(), uri);
  trial.end_sessions();
  trial.world().restart("alice");
  Session& later = trial.session();
  return {cells(later.fetch(later.stored("alice", uri), kPatience)), kCanaries};
}

// An object of its own, whose label is its own, is to become the rows.
Learnt over_own_object(Trial& trial) {
  Session& session = trial.session();
  const Ref own = session.put("alice", Tensor::of<std::int64_t>({5}, std::vector<std::int64_t>(5)));
  session.wait(kPatience);
  save(session, own.uri());
  return {cells(session.fetch(own, kPatience)), kCanaries};
}

Learnt over_own_file(Trial& trial) {
  Session& session = trial.session();
  const Uri uri = fresh_file("own-");
  Program mine("mine");
  mine.save(mine.constant("alice", Tensor::of<std::int64_t>({5}, std::vector<std::int64_t>(5))),
            uri);
  session.run(mine);
  session.wait(kPatience);
  const Ref ref = session.stored("alice", uri);
  save(session, uri);
  return {cells(session.fetch(ref, kPatience)), kCanaries};
}

// The name of a result is that of an object which the driver put.
Learnt named_as_a_put(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  PutRequest put;
  put.uri = Uri::fresh().str();
  put.type = kRow;
  const ValueBytes zeros = value_bytes(Tensor::of<std::int64_t>({5}, std::vector<std::int64_t>(5)));
  put.head = zeros.head;
  put.body.assign(64, '\0');
  put.bytes = static_cast<std::uint64_t>(zeros.bytes);
  trial.call(raw, Kind::kPut, encode(put));
  const PrepareRequest program = prepared(rows_graph("secret"));
  trial.call(raw, Kind::kPrepare, encode(program));
  const Error error =
      trial.refused([&] { trial.call(raw, Kind::kRun, encode(run_of(program, 1, {put.uri}))); });
  trial.call(raw, Kind::kFetch, encode(FetchRequest{put.uri, 0}));
  throw error;
}

// Loads what is beneath no root, by names that lead out of it.
Learnt outside(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  std::optional<Error> last;
  for (const char* uri : {"fs:///../state-alice/signing.key", "fs:///./../alice.key",
                          "fs:////etc/passwd", "fs:///%2e%2e/alice.key", "file:///etc/passwd"}) {
    last = trial.refused([&] { trial.call(raw, Kind::kFetch, encode(FetchRequest{uri, 0})); });
  }
  throw *last;
}

// Another driver's file, by its name.
Learnt file_of_another(Trial& trial) {
  const Uri uri = fresh_file("doras-");
  save(trial.session(), uri, "pay");
  Session& mallory = trial.session("mallory");
  Program program("load");
  program.output("out", program.load(uri, kRow));
  mallory.run(program);
  mallory.wait(kPatience);
  return {{1}, {1}};
}

Learnt overwritten(Trial& trial) {
  const Uri uri = fresh_file("doras-");
  save(trial.session(), uri, "pay");
  Session& mallory = trial.session("mallory");
  save(mallory, uri, "pay");
  return {{1}, {1}};
}

Learnt removed(Trial& trial) {
  const Uri uri = fresh_file("doras-");
  Session& dora = trial.session();
  save(dora, uri, "pay");
  RawDriver& raw = trial.raw("alice");
  trial.call(raw, Kind::kRelease, encode(ReleaseRequest{{uri.str()}}));
  dora.stored("alice", uri);  // is still there
  trial.call(raw, Kind::kDescribe, encode(DescribeRequest{uri.str(), "", 0}));
  return {{1}, {1}};
}

// Says that another's object does not exist, in the same words and bytes as of one that does not.
Learnt guessed(Trial& trial, Kind kind) {
  Session& dora = trial.session();
  const Ref theirs = dora.run(granted_sum())["total"];
  dora.wait(kPatience);
  RawDriver& raw = trial.raw("alice");
  const auto ask = [&](std::string uri) {
    const Error error = trial.refused([&] {
      trial.call(raw, kind,
                 kind == Kind::kFetch ? encode(FetchRequest{uri, 0})
                                      : encode(DescribeRequest{uri, "", 0}));
    });
    std::string text = error.what();
    return std::pair(error, text.replace(text.find(uri), uri.size(), "URI"));
  };
  std::string unknown = theirs.uri().str();
  unknown.back() = unknown.back() == '0' ? '1' : '0';
  const auto known = ask(theirs.uri().str());
  if (known.second != ask(unknown).second) return {{1}, {1}};
  throw known.first;
}

// A reference that was printed is no right either.
Learnt printed(Trial& trial) {
  Session& dora = trial.session();
  const Ref theirs = dora.run(granted_sum())["total"];
  dora.wait(kPatience);
  Session& mallory = trial.session("mallory");
  return {cells(mallory.fetch(Ref::parse(theirs.json()), kPatience)), {183'048}};
}

// Lists everything, and takes what it finds.
Learnt listed(Trial& trial) {
  Session& dora = trial.session();
  const Ref kept = dora.run(granted_sum())["total"];
  dora.wait(kPatience);
  Session& mallory = trial.session("mallory");
  const std::vector<ListEntry> entries = mallory.list("alice");
  if (!entries.empty()) return {{std::ssize(entries)}, {1}};
  Program program("out");
  program.output("out", program.dataset(mallory.dataset("alice", "secret")));
  const Refs refs = mallory.run(program);
  mallory.fetch(refs["out"], kPatience);
  return {{1}, {1}};
}

// The result of another run is at hand under the same name in a second session.
Learnt other_session(Trial& trial) {
  Session& first = trial.session();
  const Ref rows = [&] {
    Program program("rows");
    program.output("out", rows_of(program, "secret"));
    return first.run(program)["out"];
  }();
  first.wait(kPatience);
  RawDriver& raw = trial.raw("alice", "dora");
  trial.call(raw, Kind::kFetch, encode(FetchRequest{rows.uri().str(), 0}));
  return {{1}, {1}};
}

}  // namespace

Attempts stored() {
  return {
      {"saves rows to a file and fetches the file", true, file},
      {"copies a file under another name first", true, renamed},
      {"loads the file in a later session", true, reloaded},
      {"loads the file after the worker was restarted", true, after_restart},
      {"saves rows over an object of its own", true, over_own_object},
      {"saves rows over a file of its own", true, over_own_file},
      {"gives a result the name of an object that it put", false, named_as_a_put},
      {"names files outside of the worker's folder", false, outside},
      {"loads another driver's file by its name", false, file_of_another},
      {"writes over another driver's file", false, overwritten},
      {"removes another driver's file", false, removed},
      {"guesses the URI of another's result and fetches it", false,
       [](Trial& trial) { return guessed(trial, Kind::kFetch); }},
      {"guesses the URI of another's result and has it described", false,
       [](Trial& trial) { return guessed(trial, Kind::kDescribe); }},
      {"fetches by a reference that another driver printed", false, printed},
      {"lists objects and datasets, and takes what is there", false, listed},
      {"fetches a result of another session of the same driver", false, other_session},
  };
}

}  // namespace curia
