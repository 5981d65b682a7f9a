#include "tests/noninterference/random_script.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <utility>

#include "tests/noninterference/random_program.h"

namespace curia::test {
namespace {

class Writer {
 public:
  explicit Writer(std::uint64_t seed) : random_(seed) { script_.seed = seed; }

  Script write() {
    for (const char* party : {"bob", "carol", "dan"}) {
      if (chance(random_, 60)) script_.coalition.insert(party);
    }
    if (chance(random_, 75)) script_.coalition.insert(kDriver);
    for (std::int64_t n = pick(random_, 1, 3); n > 0; --n) put();
    for (std::int64_t n = pick(random_, 3, 7); n > 0; --n) run();
    questions(2);
    for (const KnownObject& object : objects_) {
      if (chance(random_, 40)) ask(Step::Kind::kFetch, object);
    }
    Step& stats = step(Step::Kind::kStats);
    stats.parties = kAllParties;
    step(Step::Kind::kList).parties = kAllParties;
    grants();
    return std::move(script_);
  }

 private:
  Step& step(Step::Kind kind) {
    Step& fresh = script_.steps.emplace_back();
    fresh.kind = kind;
    return fresh;
  }

  std::string fresh_uri(bool on_disk) {
    std::array<char, 64> text{};
    const auto number = static_cast<unsigned>(++names_);
    if (on_disk) {
      std::snprintf(text.data(), text.size(), "fs:///run/n%u", number);
    } else {
      std::snprintf(text.data(), text.size(), "mem://%032x", number);
    }
    script_.objects.insert(text.data());
    return text.data();
  }

  void put() {
    Step& put = step(Step::Kind::kPut);
    const std::string party = chance(random_, 60) ? "alice" : pick(random_, kAllParties);
    put.parties = {party};
    put.uri = fresh_uri(false);
    std::optional<Value> value;
    switch (pick(random_, 0, 3)) {
      case 0:
        value = Tensor::scalar(pick(random_, 0, 3));
        break;
      case 1:
        value = Tensor::of<double>({2}, std::vector<double>{1.5, -0.5});
        break;
      case 2:
        value = Tensor::scalar(chance(random_, 50));
        break;
      default:
        value = Table{{{"k", Tensor::of<std::int64_t>({3}, std::vector<std::int64_t>{0, 1, 1})},
                       {"t", StringColumn::of({"p", "", "qr"})}},
                      3};
    }
    put.type = value->type();
    put.type.device = party;
    put.value = std::make_shared<const Value>(*std::move(value));
    objects_.push_back({put.uri, put.type, false});
  }

  RandomProgram program() {
    std::vector<std::string> saves;
    for (std::int64_t n = pick(random_, 0, 2); n > 0; --n)
      saves.push_back(fresh_uri(chance(random_, 30)));
    for (;;) {
      if (auto made = random_program(random_, objects_, saves)) return *std::move(made);
    }
  }

  void run() {
    RandomProgram made = program();
    script_.known.push_back(known_program(made.graph));
    const Verified& verified = script_.known.back().verified;
    Step& run = step(Step::Kind::kRun);
    run.program = static_cast<int>(script_.programs.size());
    run.inputs = made.inputs;
    // A driver that gives one value for another, or none.
    if (!run.inputs.empty() && chance(random_, 6)) {
      run.inputs[0] = chance(random_, 30) ? "mem://ffffffffffffffffffffffffffffffff"
                                          : pick(random_, objects_).uri;
    }
    for (std::size_t i = 0; i < made.graph.outputs.size(); ++i) {
      run.outputs.push_back(fresh_uri(false));
      objects_.push_back({run.outputs.back(), verified.output_type(made.graph, i), false});
    }
    deceive(run, verified.parties);
    objects_.insert(objects_.end(), made.saves.begin(), made.saves.end());
    script_.programs.push_back(std::move(made.graph));
    // The same once more, perhaps: what one run used up another does not have.
    if (chance(random_, 10)) {
      Step again = script_.steps.back();
      for (std::string& output : again.outputs) output = fresh_uri(false);
      script_.steps.push_back(std::move(again));
    }
    questions(2);
  }

  // A driver that gives one party another program. Of the same parties, or some would wait for
  // those that do not know of them.
  void deceive(Step& run, const std::vector<std::string>& parties) {
    if (run.program == 0 || parties.empty() || !chance(random_, 4)) return;
    const auto other = static_cast<int>(pick(random_, 0, run.program - 1));
    const Graph& graph = script_.programs[static_cast<std::size_t>(other)];
    if (graph.outputs.size() > run.outputs.size() ||
        script_.known[static_cast<std::size_t>(other)].verified.parties != parties)
      return;
    run.deceived = pick(random_, parties);
    run.other_program = other;
  }

  void ask(Step::Kind kind, const KnownObject& object) {
    Step& ask = step(kind);
    ask.uri = object.uri;
    ask.type = object.type;
    ask.parties = holders(kDevices, object.type.device);
    if (chance(random_, 5)) ask.parties = {pick(random_, kAllParties)};
  }

  void questions(std::int64_t most) {
    for (std::int64_t n = pick(random_, 0, most); n > 0; --n) {
      const KnownObject& object =
          objects_[objects_.size() - 1 - random_() % std::min<std::size_t>(5, objects_.size())];
      switch (pick(random_, 0, 11)) {
        case 0:
          step(Step::Kind::kList).parties = kAllParties;
          break;
        case 1:
          step(Step::Kind::kStats).parties = kAllParties;
          break;
        case 2:
          step(Step::Kind::kGrants).parties = {"alice"};
          break;
        case 3: {
          Step& check = step(Step::Kind::kCheck);
          check.parties = {"alice"};
          check.uri = chance(random_, 50) ? "x" : "y";
          check.program =
              script_.programs.empty() ? -1 : static_cast<int>(script_.programs.size()) - 1;
          if (check.program < 0) script_.steps.pop_back();
          break;
        }
        case 4: {
          Step& data = step(Step::Kind::kDataset);
          data.parties = {"alice"};
          data.uri = chance(random_, 50) ? "x" : "y";
          break;
        }
        case 5:
          ask(Step::Kind::kRelease, object);
          break;
        case 6:
        case 7:
        case 8:
          ask(Step::Kind::kDescribe, object);
          break;
        default:
          ask(Step::Kind::kFetch, object);
      }
    }
  }

  void narrow(Grant& grant) {
    if (chance(random_, 30)) {
      for (const KnownProgram& program : script_.known) {
        if (chance(random_, 60)) grant.programs.insert(program.digest);
      }
    }
    if (chance(random_, 20)) grant.releases = {"out"};
    if (chance(random_, 10)) grant.releases.insert("move");
    if (chance(random_, 15)) grant.times = pick(random_, 1, 2);
    if (chance(random_, 10)) grant.until = parse_time("2020-01-01T00:00:00Z");
  }

  // Alice allows nothing, a little, or most of what is asked. Some scripts live by approvals of
  // single values, besides.
  void grants() {
    if (chance(random_, 40)) script_.approves = static_cast<int>(pick(random_, 20, 90));
    const std::int64_t mood = script_.approves > 0 ? pick(random_, 0, 2) : pick(random_, 0, 9);
    const int to_reader = mood == 0 ? 0 : mood < 5 ? 35 : 85;
    const int to_device = mood == 0 ? 30 : mood < 5 ? 60 : 90;
    for (const char* source : {"x", "y"}) {
      for (const std::string reader : {"dora", "bob", "carol", "dan"}) {
        // An honest driver is mostly trusted, and others are kept out.
        const bool trusted = reader == kDriver && !script_.coalition.contains(kDriver);
        if (!chance(random_, trusted ? 90 : to_reader)) continue;
        Grant grant{.source = source, .to = reader};
        if (mood < 8 && !trusted) narrow(grant);
        script_.grants.push_back(std::move(grant));
      }
      for (const SecureDevice& device : kDevices) {
        if (!chance(random_, to_device)) continue;
        Grant grant{.source = source,
                    .to = "",
                    .members = {device.members.begin(), device.members.end()},
                    .protocol = std::string(kReplicated3)};
        if (mood < 8 && chance(random_, 20)) narrow(grant);
        script_.grants.push_back(std::move(grant));
      }
    }
  }

  Random random_;
  Script script_;
  std::vector<KnownObject> objects_;
  int names_ = 0;
};

}  // namespace

Script random_script(std::uint64_t seed) { return Writer(seed).write(); }

}  // namespace curia::test
