// How the values of a session were made: the program of a run and what went into it, down to puts
// and datasets. Holds names and programs, never values. A value that a restarted worker lost can be
// made again from its recipe (Session::reconstruct), and its lineage shown.
//
// A recipe lives as long as a reference to one of its values, or a recipe that builds on it. Beyond
// a number of them the oldest are cut off from what went into them.
//
// Owned by the session, its references and the callbacks of requests under way. Thread: any; what
// changes is guarded by Recipes::mutex(), which is never held while a recipe may be destroyed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "driver/ref.h"
#include "protocol/digest.h"

namespace curia {

inline constexpr std::size_t kMaxOldUris = 64;  // of a recipe, the latest

class DriverConnection;
class Recipes;
struct Prepared;
struct Recipe;
struct OutputInfo;

// An input of a run.
struct RecipeInput {
  std::shared_ptr<Recipe> maker;  // null: another process of the session, or no session at all
  std::uint32_t output = 0;       // of the maker
  Ref other;                      // where there is no maker: what was given; weak
};

// The value of a put, or what a run made.
struct Recipe : std::enable_shared_from_this<Recipe> {
  struct Output {
    Uri uri;  // where the value is now; changes when it is made again
    std::weak_ptr<const ValueHandle> handle;
    Digest lineage{};  // that the workers told; all zero until then
  };

  explicit Recipe(std::shared_ptr<Recipes> all) : recipes(std::move(all)) {}
  ~Recipe();  // also of a long chain without recursion
  Recipe(const Recipe&) = delete;
  Recipe& operator=(const Recipe&) = delete;

  bool is_put() const { return program == nullptr; }
  const Type& type_of(std::uint32_t output) const;
  // Who holds an output.
  std::vector<std::string> places(std::uint32_t output) const;
  // "output means of task 3 (iris_means.cc:31)", "a put (iris_means.cc:30)"
  std::string str(std::uint32_t output) const;
  // What the workers told of a run. Errors: none; the first word counts.
  void note(const std::vector<OutputInfo>& told);

  const std::shared_ptr<Recipes> recipes;
  std::shared_ptr<const Prepared> program;  // without what is bound; null for a put
  std::uint64_t task = 0;                   // the first that made it; 0 for a put
  std::uint64_t last_task = 0;              // the latest
  Type put_type;                            // of a put
  Site site;                                // line of the driver program that asked for it

  // Guarded by the mutex:
  std::vector<RecipeInput> inputs;  // in the program's order
  std::vector<Output> outputs;
  std::uint64_t made = 0;             // how often workers had been restarted then
  bool counted = false;               // in Recipes::remembered_
  bool forgotten = false;             // `inputs` are
  std::vector<std::string> old_uris;  // of outputs that were made again
};

// References that a value speaks of; null for none.
using KeptRefs = std::shared_ptr<const std::vector<Ref>>;

// What a strong Ref holds: when the last copy goes, so does the object.
struct ValueHandle {
  ValueHandle(std::weak_ptr<DriverConnection> to, std::shared_ptr<Recipe> of, std::uint32_t number,
              KeptRefs kept = nullptr)
      : connection(std::move(to)), recipe(std::move(of)), output(number), keeps(std::move(kept)) {}
  ~ValueHandle();  // also of a long chain of what is kept without recursion
  ValueHandle(const ValueHandle&) = delete;
  ValueHandle& operator=(const ValueHandle&) = delete;

  const std::weak_ptr<DriverConnection> connection;  // a Ref may outlive its session
  const std::shared_ptr<Recipe> recipe;
  const std::uint32_t output;
  // What the value speaks of: goes with it, after it. Changed by the destructor alone.
  mutable KeptRefs keeps;
};

// What releasing a value of this type frees; kUnknown with `?`.
std::int64_t known_bytes(const Type& type);

class Recipes : public std::enable_shared_from_this<Recipes> {
 public:
  explicit Recipes(std::int64_t most) : most_(most) {}

  std::mutex& mutex() { return mutex_; }

  // Of a put, or of a run once it has its task. Cuts off the oldest when there are too many.
  void add(const std::shared_ptr<Recipe>& recipe);

  // The recipe of a reference of this session, and which output it is; null where it is not known.
  RecipeInput find(const Ref& ref);
  // As find(), and the URI at which the value is now. REQUIRES: mutex() is held.
  RecipeInput find_held(const Ref& ref, std::string& uri);

  // It was made again by this task. REQUIRES: mutex() is held.
  void made_again(Recipe& recipe, std::uint64_t task);

  // The strong reference that there is, or a new one.
  std::shared_ptr<const ValueHandle> handle(const std::shared_ptr<DriverConnection>& connection,
                                            const std::shared_ptr<Recipe>& recipe,
                                            std::uint32_t output, const KeptRefs& keeps = nullptr);

 private:
  friend struct Recipe;
  // A recipe takes itself out when it goes, so what is found here under the mutex is still whole.
  using Known = std::map<std::uint64_t, Recipe*>;

  std::mutex mutex_;
  const std::int64_t most_;
  Known runs_;                                          // by first task
  Known again_;                                         // by latest task, those made again
  std::unordered_map<std::string_view, Recipe*> puts_;  // by URI, a view of the recipe's
  std::int64_t remembered_ = 0;                         // runs that were not cut off
  std::uint64_t forgotten_below_ = 0;                   // tasks that were
};

}  // namespace curia
