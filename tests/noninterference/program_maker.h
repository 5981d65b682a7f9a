// How a random program is made, op by op. For random_program.cc and random_control.cc. Thread: one.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/noninterference/random_program.h"
#include "tests/noninterference/script.h"

namespace curia::test {

// The ops of a graph or region that is being made.
struct Scope {
  std::vector<Op> ops;
  std::vector<Type> types;
  int depth = 0;
  bool in_for = false;
};

inline const TensorType kFlag = {DType::kBool, {}};

inline bool on_device(const std::string& place) { return find_device(kDevices, place) != nullptr; }

class ProgramMaker {
 public:
  ProgramMaker(Random& random, const std::vector<KnownObject>& objects,
               std::vector<std::string> saves)
      : random_(random), objects_(objects), saves_(std::move(saves)) {}

  std::optional<RandomProgram> make();

 private:
  using Maybe = std::optional<ValueId>;

  bool chance_of(int percent) { return chance(random_, percent); }
  // The op's first result, where its row accepts it.
  Maybe add(Scope& scope, Op op);
  Maybe add(Scope& scope, std::string name, std::string device, std::vector<ValueId> operands,
            std::map<std::string, Attr> attrs = {}) {
    return add(
        scope,
        Op{std::move(name), std::move(device), std::move(operands), std::move(attrs), {}, 0});
  }
  Maybe any_value(const Scope& scope, const auto& good) {
    std::vector<ValueId> found;
    for (ValueId id = 0; id < scope.types.size(); ++id) {
      if (good(scope.types[id])) found.push_back(id);
    }
    if (found.empty()) return std::nullopt;
    // What came last is the most interesting.
    if (chance_of(50))
      return found[found.size() - 1 - random_() % std::min<std::size_t>(3, found.size())];
    return pick(random_, found);
  }
  std::string any_place(const Scope& scope) {
    return scope.types.empty() ? pick(random_, kAllParties) : pick(random_, scope.types).device;
  }

  void sources(Scope& scope);
  void grow(Scope& scope, std::int64_t count);
  void one_more(Scope& scope);
  void any_op(Scope& scope);
  void move(Scope& scope);
  void to_device(Scope& scope);
  void on_secrets(Scope& scope);
  void save(Scope& scope);
  void fails_for_some(Scope& scope);
  Maybe flag(Scope& scope);
  void branch(Scope& scope);
  void repeat(Scope& scope);
  void repeat_while(Scope& scope);
  void call(Scope& scope);
  std::vector<ValueId> args(const Scope& scope, std::int64_t most);
  // A region on these parameters, which gives back values of the types of the first `results`.
  Region region(const Scope& around, const std::vector<Type>& params, std::size_t results,
                bool in_for);

  Random& random_;
  const std::vector<KnownObject>& objects_;
  std::vector<std::string> saves_;
  RandomProgram made_;
};

}  // namespace curia::test
