#include "tests/histories/history.h"

#include <array>
#include <functional>
#include <utility>

#include "protocol/error.h"
#include "tests/support/eventually.h"

namespace curia {
namespace {

constexpr std::int64_t kRoomFor = 8;  // objects in memory; what is more spills
const Type kType = parse_type("i64[4096] @alice");

Type type_at(const std::string& party) {
  Type type = kType;
  type.device = party;
  return type;
}

}  // namespace

History::History(std::uint64_t seed, Mistake mistake)
    : seed_(seed), mistake_(mistake), random_(seed), simulation_(parties(), {"dora", "mallory"}) {
  open_.resize(2);
  for (Open& open : open_) open_session(open);
  watcher_ = std::make_unique<Session>(simulation_.wiring("mallory"), ConnectionOptions{});
}

std::map<std::string, SimulatedParty> History::parties() {
  std::map<std::string, SimulatedParty> both;
  for (const std::string party : {"alice", "bob"}) {
    SimulatedParty& one = both[party];
    one.fs_root = folder_ / (party + "-objects");
    one.spill_dir = folder_ / (party + "-spill");
    one.disk = &disks_[party];
    one.memory_quota_bytes = kRoomFor * Numbers::kCount * 8 + (1 << 20);
    one.hidden_quota_bytes = 1 << 20;
  }
  return both;
}

void History::differs(const std::string& text) const {
  std::string told =
      "history " + std::to_string(seed_) + ", step " + std::to_string(steps_.size()) + ": " + text;
  const std::size_t first = steps_.size() > 12 ? steps_.size() - 12 : 0;
  for (std::size_t i = first; i < steps_.size(); ++i) told += "\n  " + steps_[i];
  throw Error(Code::kFailed, told);
}

void History::expect(bool so, const std::string& text) const {
  if (!so) differs(text);
}

void History::run(int steps) {
  try {
    for (int i = 1; i <= steps; ++i) {
      step();
      if (i % 16 == 0 || i == steps) compare();
    }
    for (Open& open : open_) close_session(open);
    compare();
  } catch (const Error& error) {
    if (error.message().starts_with("history ")) throw;
    differs(std::string("an error that nobody expects: ") + error.what());
  }
}

void History::step() {
  struct Choice {
    unsigned weight;
    void (History::*act)();
  };
  static constexpr auto choices = std::to_array<Choice>({{13, &History::put},
                                                         {11, &History::compute},
                                                         {6, &History::move},
                                                         {4, &History::call},
                                                         {6, &History::alias},
                                                         {3, &History::fail},
                                                         {6, &History::copy},
                                                         {18, &History::drop},
                                                         {5, &History::save},
                                                         {2, &History::save_on_a_bad_disk},
                                                         {7, &History::load},
                                                         {2, &History::remove},
                                                         {8, &History::fetch},
                                                         {4, &History::describe},
                                                         {1, &History::resume},
                                                         {1, &History::end_session},
                                                         {1, &History::die},
                                                         {1, &History::cut},
                                                         {1, &History::restart}});
  std::size_t at = below(100);
  for (const Choice& choice : choices) {
    if (at < choice.weight) return (this->*choice.act)();
    at -= choice.weight;
  }
}

History::Handle* History::any_handle(Open& open) {
  return open.handles.empty() ? nullptr : &open.handles[below(open.handles.size())];
}

void History::add(Open& open, const Ref& ref, const std::string& party, const Numbers& numbers,
                  bool failed) {
  open.handles.push_back({ref, model_.add(open.number, party, numbers, failed)});
  open.failures = open.failures || failed;
}

void History::put() {
  Open& open = any_open();
  const std::string party = any_party();
  const Numbers numbers = any_numbers();
  note("put at " + party);
  add(open, open.session->put(party, numbers.tensor()), party, numbers, false);
}

void History::compute() {
  Open& open = any_open();
  const Handle* handle = any_handle(open);
  if (handle == nullptr) return put();
  const Model::Object object = model_.object(handle->id);
  const std::uint64_t factor = random_() % 7;
  note("compute at " + object.party);
  Program program("compute");
  const Array x = program.input(handle->ref);
  program.output("out", x * static_cast<std::int64_t>(factor) + x);
  const Refs refs = open.session->run(program);
  add(open, refs["out"], object.party, object.numbers.times(factor + 1), object.failed);
}

void History::move() {
  Open& open = any_open();
  const Handle* handle = any_handle(open);
  if (handle == nullptr) return put();
  const Model::Object object = model_.object(handle->id);
  // A failure of the driver's own data ends the run of both, and each party says so.
  if (object.failed) return copy();
  const std::string other = object.party == "alice" ? "bob" : "alice";
  note("move from " + object.party + " to " + other);
  Program program("move");
  program.output("out", program.input(handle->ref).to(other));
  add(open, open.session->run(program)["out"], other, object.numbers, false);
}

void History::call() {
  Open& open = any_open();
  const Handle* handle = any_handle(open);
  if (handle == nullptr) return put();
  const Model::Object object = model_.object(handle->id);
  if (object.failed) return copy();
  const std::string other = object.party == "alice" ? "bob" : "alice";
  note("compute at " + object.party + ", and call " + other);
  Program program("call");
  const Array x = program.input(handle->ref);
  program.output("early", x * 3);
  program.output("late", program.call(object.party, [&] { return Arrays{(x * 5).to(other)}; })[0]);
  const Refs refs = open.session->run(program);
  add(open, refs["early"], object.party, object.numbers.times(3), false);
  add(open, refs["late"], other, object.numbers.times(5), false);
}

void History::alias() {
  Open& open = any_open();
  const Handle* handle = any_handle(open);
  if (handle == nullptr) return put();
  const Model::Object object = model_.object(handle->id);
  note("another name for an object at " + object.party);
  Program program("alias");
  program.output("out", program.input(handle->ref));
  add(open, open.session->run(program)["out"], object.party, object.numbers, object.failed);
}

void History::fail() {
  Open& open = any_open();
  const std::string party = any_party();
  note("load what was never saved, at " + party);
  Program program("fail");
  program.output("out", program.load(uri_of("never"), type_at(party)) + 1);
  add(open, open.session->run(program)["out"], party, {}, true);
}

void History::copy() {
  Open& open = any_open();
  Handle* handle = any_handle(open);
  if (handle == nullptr) return put();
  note("copy a handle");
  model_.copy(handle->id);
  open.handles.push_back(Handle(*handle));
}

void History::drop() {
  Open& open = any_open();
  if (open.handles.empty()) return put();
  const std::size_t which = below(open.handles.size());
  note("drop a handle of an object at " + model_.object(open.handles[which].id).party);
  if (mistake_ != Mistake::kKeepsDropped) model_.drop(open.handles[which].id);
  open.handles.erase(open.handles.begin() + static_cast<std::ptrdiff_t>(which));
}

void History::save() {
  Open& open = any_open();
  const Handle* handle = any_handle(open);
  if (handle == nullptr) return put();
  const Model::Object object = model_.object(handle->id);
  if (object.failed) return drop();
  const std::string name = any_name();
  note("save as " + name + " at " + object.party);
  wait_for_others(open);
  Program program("save");
  program.save(program.input(handle->ref), uri_of(name));
  open.session->run(program);
  open.saves = true;
  if (mistake_ != Mistake::kForgetsSave) model_.saved[{object.party, name}] = object.numbers;
}

// What was saved before is there, or what is saved now, whatever the worker says; never anything
// else.
void History::save_on_a_bad_disk() {
  Open& open = any_open();
  const Handle* handle = any_handle(open);
  if (handle == nullptr) return put();
  const Model::Object object = model_.object(handle->id);
  if (object.failed) return drop();
  const std::string name = any_name();
  static constexpr auto errors = std::to_array<int>({0, EIO, ENOSPC});
  const int error = errors[below(errors.size())];
  const int step = 1 + static_cast<int>(below(8));
  note("save as " + name + " at " + object.party + ", where step " + std::to_string(step) +
       " of the disk ends with " + std::to_string(error));
  for (Open& other : open_) wait(other);
  disks_[object.party].fail(step, error);
  Program program("save");
  program.save(program.input(handle->ref), uri_of(name));
  open.session->run(program);
  bool failed = false;
  try {
    open.session->wait(kPatience);
  } catch (const Error& why) {
    const bool said = why.code() == Code::kFailed || why.code() == Code::kQuota;
    expect(said && error != 0, why.what());
    failed = true;
  }
  expect(disks_[object.party].end() || !failed, "a save failed on a disk that was good");
  auto& saved = model_.saved;
  const auto old = saved.find({object.party, name});
  try {
    const Value found = open.session->fetch(open.session->stored(object.party, uri_of(name)));
    if (object.numbers.is(found)) {
      saved[{object.party, name}] = object.numbers;
    } else {
      expect(failed && old != saved.end() && old->second.is(found), "another value was saved");
    }
  } catch (const Error& why) {
    if (why.message().starts_with("history ")) throw;
    expect(failed && why.code() == Code::kNotFound && old == saved.end(), why.what());
  }
}

void History::load() {
  Open& open = any_open();
  const std::string party = any_party();
  const std::string name = any_name();
  note("load " + name + " at " + party);
  wait_for_others(open);
  Program program("load");
  program.output("out", program.load(uri_of(name), type_at(party)) + 1);
  const Ref ref = open.session->run(program)["out"];
  const auto saved = model_.saved.find({party, name});
  const bool there = saved != model_.saved.end();
  add(open, ref, party, there ? saved->second.plus({1, 0}) : Numbers{}, !there);
}

void History::remove() {
  Open& open = any_open();
  const std::string party = any_party();
  const std::string name = any_name();
  note("remove " + name + " at " + party);
  wait_for_others(open);
  wait(open);
  const auto saved = model_.saved.find({party, name});
  try {
    open.session->remove(open.session->stored(party, uri_of(name)));
    wait(open);
    expect(saved != model_.saved.end(), name + " was there");
  } catch (const Error& error) {
    expect(error.code() == Code::kNotFound && saved == model_.saved.end(), error.what());
  }
  model_.saved.erase({party, name});
}

void History::fetch() {
  Open& open = any_open();
  const Handle* handle = any_handle(open);
  if (handle == nullptr) return put();
  const Model::Object object = model_.object(handle->id);
  note("fetch from " + object.party + (object.failed ? " what failed" : ""));
  try {
    const Value value = open.session->fetch(handle->ref, kPatience);
    expect(!object.failed, "what should have failed was fetched");
    const Numbers wrong{mistake_ == Mistake::kOtherValue ? 1U : 0U, 0};
    expect(object.numbers.plus(wrong).is(value), "another value was fetched");
  } catch (const Error& error) {
    if (error.message().starts_with("history ")) throw;
    expect(object.failed && error.code() == Code::kNotFound, error.what());
  }
}

void History::describe() {
  Open& open = any_open();
  const Handle* handle = any_handle(open);
  if (handle == nullptr) return put();
  const Model::Object object = model_.object(handle->id);
  note("describe one at " + object.party);
  const DescribeReply reply = open.session->describe(handle->ref);
  expect(reply.state == (object.failed ? "failed" : "ready"), "its state is " + reply.state);
}

std::int64_t History::counted(const std::string& party, const std::string& name) {
  for (const StatsEntry& entry : watcher_->stats(party)) {
    if (entry.name == name) return entry.value;
  }
  return -1;
}

void History::compare() {
  for (Open& open : open_) {
    if (open.session) wait(open);
  }
  for (const std::string party : {"alice", "bob"}) {
    const std::int64_t expected = model_.count(party);
    std::int64_t found = -1;
    const auto same = [&] { return (found = counted(party, "objects")) == expected; };
    const std::chrono::seconds patience(mistake_ == Mistake::kNone ? 60 : 1);
    expect(eventually(same, patience), party + " holds " + std::to_string(found) +
                                           " objects, expected " + std::to_string(expected));
    if (expected == 0) expect(counted(party, "spilled_objects") == 0, "spilled objects are left");
  }
}

}  // namespace curia
