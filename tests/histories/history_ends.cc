// How sessions, drivers and workers end and go on.
#include "protocol/error.h"
#include "tests/histories/history.h"

namespace curia {

void History::resume() {
  Open& open = any_open();
  note("another process resumes a session");
  wait(open);
  ConnectionOptions options;
  options.resume = open.session->detach();
  model_.weaken(open.number);
  std::vector<Handle> handles;
  for (const Handle& handle : open.handles) {
    handles.push_back({Ref::parse(handle.ref.json()), handle.id});
  }
  open.handles = std::move(handles);
  open.session.reset();
  open.session = std::make_unique<Session>(simulation_.wiring("dora"), options);
}

void History::end_session() {
  Open& open = any_open();
  note("a session ends, and another one begins");
  if (below(2) == 0 || open.saves) wait(open);
  close_session(open);
  open_session(open);
}

void History::die() {
  Open& open = any_open();
  note("a driver is killed, and its lease ends");
  if (below(2) == 0) wait(open);
  ConnectionOptions options;
  options.resume = open.session->detach();
  options.lease = std::chrono::milliseconds(50);
  open.session.reset();
  try {
    Session(simulation_.wiring("dora"), options).detach();
  } catch (const Error& error) {
    // On a busy machine the lease may end before this has begun.
    expect(error.code() == Code::kSessionOver, error.what());
  }
  open.handles.clear();
  model_.end_session(open.number);
  open_session(open);
}

void History::cut() {
  const std::string party = any_party();
  note("all connections to the worker of " + party + " are cut");
  simulation_.cut(party);
}

void History::restart() {
  const std::string party = any_party();
  note("the worker of " + party + " dies and starts again");
  // What is under way at a save is there afterwards, or is not: the model knows of no such thing.
  for (Open& open : open_) wait(open);
  simulation_.restart(party);
  for (Open& open : open_) {
    for (const Handle& handle : open.handles) {
      if (model_.object(handle.id).party != party) continue;
      try {
        open.session->fetch(handle.ref, kPatience);
        differs("what a dead worker held was fetched");
      } catch (const Error& error) {
        const bool said = error.code() == Code::kStaleEpoch || error.code() == Code::kSessionOver ||
                          error.code() == Code::kWorkerLost;
        expect(said, error.what());
      }
      break;
    }
    close_session(open);
    open_session(open);
  }
  watcher_ = std::make_unique<Session>(simulation_.wiring("mallory"), ConnectionOptions{});
}

void History::wait(Open& open) {
  try {
    open.session->wait(kPatience);
  } catch (const Error& error) {
    expect(open.failures && error.code() == Code::kNotFound, error.what());
  }
  open.failures = open.saves = false;
}

void History::wait_for_others(const Open& open) {
  for (Open& other : open_) {
    if (&other != &open) wait(other);
  }
}

void History::open_session(Open& open) {
  open.session = std::make_unique<Session>(simulation_.wiring("dora"), ConnectionOptions{});
  open.number = ++last_session_;
  open.failures = open.saves = false;
}

void History::close_session(Open& open) {
  open.handles.clear();
  try {
    open.session->close();
  } catch (const Error& error) {
    expect(error.code() == Code::kWorkerLost || error.code() == Code::kStaleEpoch ||
               error.code() == Code::kSessionOver,
           error.what());
  }
  open.session.reset();
  model_.end_session(open.number);
}

}  // namespace curia
