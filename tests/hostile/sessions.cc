// Sessions, sequences and replays, by hand.
#include "tests/hostile/attempt.h"
#include "tests/hostile/graphs.h"

namespace curia {
namespace {

std::string frame_of(const Header& header, const std::string& metadata) {
  std::string frame;
  append_packet(frame, header, metadata);
  return frame;
}

// The answer to a frame that was sent as it is. Errors: what came back as an error.
std::string answer(Trial& trial, RawDriver& raw, std::uint64_t request) {
  const auto reply = raw.recv_of(request);
  Trial::must(reply.has_value(), "no answer");
  trial.saw(reply->metadata);
  if (reply->failed()) throw reply->error();
  return reply->metadata;
}

// A granted sum, ready to be fetched, in a session that stays open.
struct Sum {
  SessionId id = fresh_session();
  RawDriver& raw;
  PrepareRequest program;
  RunRequest run;

  explicit Sum(Trial& trial) : raw(trial.raw("alice", "dora", id)) {
    const PreparedPtr sum = granted_sum();
    program = {sum->digest, sum->bytes, ""};
    run = run_of(program, 1);
    trial.call(raw, Kind::kPrepare, encode(program));
    trial.call(raw, Kind::kRun, encode(run));
  }
};

// Says the same of a session of another driver as of one that does not exist.
Learnt in_the_session_of(Trial& trial, Kind kind, const std::string& metadata) {
  const Sum sum(trial);
  RawDriver& mallory = trial.raw("alice");
  const auto ask = [&](const SessionId& session) {
    Header header = mallory.header(kind);
    header.session = session;
    header.sequence = is_ordered(kind) ? 1 : 0;
    return trial.refused([&] { trial.call(mallory, header, metadata); });
  };
  const Error known = ask(sum.id);
  if (std::string(known.what()) != ask(fresh_session()).what()) return {{1}, {1}};
  throw known;
}

Learnt fetch_in_it(Trial& trial) {
  return in_the_session_of(trial, Kind::kFetch, encode(FetchRequest{Uri::fresh().str(), 0}));
}
Learnt close_it(Trial& trial) { return in_the_session_of(trial, Kind::kClose, ""); }
Learnt resume_it(Trial& trial) {
  return in_the_session_of(trial, Kind::kOpen, encode(OpenRequest{1, 0, 0}));
}
Learnt dial_into_it(Trial& trial) {
  return in_the_session_of(trial, Kind::kDial, encode(DialRequestMessage{}));
}

// What dora sent, on a connection of mallory's.
Learnt recorded(Trial& trial) {
  const Sum sum(trial);
  RawDriver& mallory = trial.raw("alice");
  Header header = sum.raw.header(Kind::kFetch);
  mallory.send(frame_of(header, encode(FetchRequest{sum.run.outputs[0], 0})));
  answer(trial, mallory, header.request);
  return {{1}, {1}};
}

// The same, by dora herself, whose session goes on elsewhere.
Learnt recorded_by_itself(Trial& trial) {
  const Sum sum(trial);
  RawDriver& again = trial.raw("alice", "dora");
  Header header = sum.raw.header(Kind::kFetch);
  again.send(frame_of(header, encode(FetchRequest{sum.run.outputs[0], 0})));
  answer(trial, again, header.request);
  return {{1}, {1}};
}

Learnt stale_epoch(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  Header header = raw.header(Kind::kDescribe);
  ++header.epoch;
  trial.call(raw, header, encode(DescribeRequest{"", "pay", 0}));
  return {{1}, {1}};
}

// A recorded session is worth nothing after a restart: what was mem:// is gone, and no other object
// is in its place.
Learnt after_restart(Trial& trial) {
  const SessionId id = fresh_session();
  RawDriver& before = trial.raw("alice", "dora", id);
  const std::uint64_t epoch = before.epoch;
  trial.world().restart("alice");
  RawDriver& after = trial.raw("alice", "dora", id);
  Header header = after.header(Kind::kFetch);
  header.epoch = epoch;
  trial.call(after, header, encode(FetchRequest{Uri::fresh().str(), 0}));
  return {{1}, {1}};
}

// A task is repeated with other inputs: the same number, the same program.
Learnt repeated_task(Trial& trial) {
  Sum sum(trial);
  trial.call(sum.raw, Kind::kRun, encode(run_of(sum.program, 1)));
  return {{1}, {1}};
}

// The older process's session was resumed by a newer one; the older one goes on.
Learnt older_process(Trial& trial) {
  const Sum sum(trial);
  RawDriver& newer = trial.raw("alice", "dora");
  Header header = newer.header(Kind::kOpen);
  header.session = sum.id;
  trial.call(newer, header, encode(OpenRequest{1, 0, 5}));
  trial.call(sum.raw, Kind::kFetch, encode(FetchRequest{sum.run.outputs[0], 0}));
  return {{1}, {1}};
}

Learnt prepared_by_another(Trial& trial) {
  const Sum sum(trial);
  RawDriver& mallory = trial.raw("alice");
  trial.call(mallory, Kind::kRun, encode(sum.run));
  return {{1}, {1}};
}

Learnt party_as_driver(Trial& trial) {
  RawDriver& bob = trial.raw("alice", "bob");
  trial.found_by({"alice", AuditKind::kRefused, "bob", "", "code", "DENIED"});
  Header header = bob.header(Kind::kOpen);
  header.session = fresh_session();
  trial.call(bob, header, encode(OpenRequest{}));
  return {{1}, {1}};
}

Learnt older_version(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  trial.found_by({"alice", AuditKind::kRefused, "dora", "", "code", "VERSION"});
  trial.call(raw, Kind::kHello, encode(HelloRequest{0, 0, {}}));
  return {{1}, {1}};
}

Learnt unknown_request(Trial& trial) {
  RawDriver& raw = trial.raw("alice", "dora");
  trial.call(raw, raw.header(static_cast<Kind>(77)), "");
  return {{1}, {1}};
}

}  // namespace

Attempts sessions() {
  return {
      {"fetches in another driver's session, by its id", false, fetch_in_it},
      {"closes another driver's session", false, close_it},
      {"resumes another driver's session", false, resume_it},
      {"dials a data connection into another driver's session", false, dial_into_it},
      {"replays what another driver sent", false, recorded},
      {"replays its own session on a second connection", false, recorded_by_itself},
      {"names an epoch that has not been", false, stale_epoch},
      {"replays the epoch before a restart", false, after_restart},
      {"repeats a task under its number", false, repeated_task},
      {"goes on in a session that a newer process resumed", false, older_process},
      {"runs a program that another driver prepared", false, prepared_by_another},
      {"opens a session with a party's key", false, party_as_driver},
      {"asks for an older version of the protocol", false, older_version},
      {"sends a request that is none", false, unknown_request},
  };
}

}  // namespace curia
