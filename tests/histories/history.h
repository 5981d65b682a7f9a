// One random history, done to workers in a simulation and to the model of them. Thread: one.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "driver/connection.h"
#include "driver/session.h"
#include "tests/histories/failing_disk.h"
#include "tests/histories/model.h"
#include "tests/support/temporary_folder.h"
#include "worker/simulation/simulation.h"

namespace curia {

// What a history may be told to get wrong, so that it is seen that it notices.
enum class Mistake { kNone, kKeepsDropped, kForgetsSave, kOtherValue };

class History {
 public:
  explicit History(std::uint64_t seed, Mistake mistake = Mistake::kNone);

  // Errors: kFailed with the seed, the step and what differs.
  void run(int steps);
  const std::vector<std::string>& steps() const { return steps_; }

 private:
  static constexpr std::chrono::seconds kPatience{60};

  struct Handle {
    Ref ref;
    int id = 0;
  };
  struct Open {
    std::unique_ptr<Session> session;
    std::vector<Handle> handles;
    int number = 0;
    bool failures = false;  // that wait() may tell of
    bool saves = false;     // that an end of the session could cut off
  };

  std::map<std::string, SimulatedParty> parties();
  std::size_t below(std::size_t limit) { return random_() % limit; }
  std::string any_party() { return below(2) == 0 ? "alice" : "bob"; }
  Open& any_open() { return open_[below(open_.size())]; }
  Handle* any_handle(Open& open);
  std::string any_name() { return "n" + std::to_string(below(4)); }
  static Uri uri_of(const std::string& name) { return Uri::parse("fs:///" + name); }
  Numbers any_numbers() { return {random_(), random_() % 1000}; }
  void note(const std::string& text) { steps_.push_back(text); }
  [[noreturn]] void differs(const std::string& text) const;
  void expect(bool so, const std::string& text) const;

  void step();
  void put();
  void compute();
  void move();
  void call();
  void alias();
  void fail();
  void copy();
  void drop();
  void save();
  void save_on_a_bad_disk();
  void load();
  void remove();
  void fetch();
  void describe();
  void resume();
  void end_session();
  void die();
  void restart();
  void cut();

  void add(Open& open, const Ref& ref, const std::string& party, const Numbers& numbers,
           bool failed);
  // Until all that was asked for is done.
  void wait(Open& open);
  void wait_for_others(const Open& open);
  void open_session(Open& open);
  void close_session(Open& open);
  // All objects are where they should be, and none else.
  void compare();
  std::int64_t counted(const std::string& party, const std::string& name);

  const std::uint64_t seed_;
  const Mistake mistake_;
  std::mt19937_64 random_;
  const TemporaryFolder folder_;
  std::map<std::string, FailingDisk> disks_;
  Simulation simulation_;
  std::vector<Open> open_;
  std::unique_ptr<Session> watcher_;
  Model model_;
  std::vector<std::string> steps_;
  int last_session_ = 0;
};

}  // namespace curia
