#include "driver/recipes.h"

#include <algorithm>
#include <utility>

#include "driver/connection.h"
#include "driver/session.h"
#include "protocol/memory.h"
#include "protocol/message.h"

namespace curia {

std::int64_t known_bytes(const Type& type) {
  if (type.is_secret()) return held_bytes(type);
  return type.is_tensor() ? byte_count(type.tensor()) : kUnknown;
}

Recipe::~Recipe() {
  std::vector<RecipeInput> left;
  {
    const std::lock_guard lock(recipes->mutex_);
    left.swap(inputs);
    if (is_put()) {
      if (!outputs.empty()) recipes->puts_.erase(outputs[0].uri.str());
    } else if (task != 0) {
      recipes->runs_.erase(task);
      if (last_task != task) recipes->again_.erase(last_task);
      if (counted) --recipes->remembered_;
    }
  }
  while (!left.empty()) {
    const RecipeInput last = std::move(left.back());
    left.pop_back();
    if (last.maker == nullptr) continue;
    const std::lock_guard lock(recipes->mutex_);
    if (last.maker.use_count() != 1 || last.maker->inputs.empty()) continue;
    // It goes now. Whoever finds it in this moment is not to take it for one without inputs.
    auto& inner = last.maker->inputs;
    std::move(inner.begin(), inner.end(), std::back_inserter(left));
    inner.clear();
    last.maker->forgotten = true;
    if (std::exchange(last.maker->counted, false)) --recipes->remembered_;
  }
}

const Type& Recipe::type_of(std::uint32_t output) const {
  return is_put() ? put_type : program->verified.output_type(program->graph, output);
}

std::vector<std::string> Recipe::places(std::uint32_t output) const {
  if (is_put()) return {put_type.device};
  return holders(program->graph.devices, type_of(output).device);
}

std::string Recipe::str(std::uint32_t output) const {
  std::string text = is_put() ? "a put"
                              : "output " + program->graph.outputs[output].name + " of task " +
                                    std::to_string(task);
  if (const std::string line = site.str(); !line.empty()) text += " (" + line + ")";
  return text;
}

void Recipe::note(const std::vector<OutputInfo>& told) {
  const std::lock_guard lock(recipes->mutex_);
  for (const OutputInfo& info : told) {
    if (info.output >= outputs.size()) continue;
    Digest& lineage = outputs[info.output].lineage;
    if (lineage.empty()) lineage = info.lineage;
  }
}

namespace {

// One after the other, since what is kept may keep others in its turn.
void let_go(KeptRefs keeps) {
  thread_local std::vector<KeptRefs>* going = nullptr;
  if (keeps == nullptr) return;
  if (going != nullptr) {
    going->push_back(std::move(keeps));
    return;
  }
  std::vector<KeptRefs> list;
  going = &list;
  list.push_back(std::move(keeps));
  while (!list.empty()) {
    const KeptRefs last = std::move(list.back());
    list.pop_back();
  }
  going = nullptr;
}

}  // namespace

ValueHandle::~ValueHandle() {
  if (const auto open = connection.lock()) {
    std::string uri;
    {
      const std::lock_guard lock(recipe->recipes->mutex());
      uri = recipe->outputs[output].uri.str();
    }
    const Type& type = recipe->type_of(output);
    const std::int64_t bytes = known_bytes(type);
    if (recipe->is_put()) {
      open->release(type.device, uri, bytes);  // of which there may be millions
    } else {
      for (const std::string& party : recipe->places(output)) open->release(party, uri, bytes);
    }
  }
  let_go(std::move(keeps));
}

void Recipes::add(const std::shared_ptr<Recipe>& recipe) {
  std::vector<RecipeInput> cut_off;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  if (recipe->is_put()) {
    puts_.emplace(recipe->outputs[0].uri.str(), recipe.get());
    return;
  }
  runs_.emplace_hint(runs_.end(), recipe->task, recipe.get());
  recipe->counted = true;
  if (++remembered_ <= most_) return;
  for (auto at = runs_.lower_bound(forgotten_below_); at != runs_.end(); ++at) {
    forgotten_below_ = at->first + 1;
    Recipe& oldest = *at->second;
    if (!oldest.counted) continue;
    oldest.counted = false;
    oldest.forgotten = true;
    oldest.inputs.swap(cut_off);
    --remembered_;
    return;
  }
}

void Recipes::made_again(Recipe& recipe, std::uint64_t task) {
  if (recipe.last_task != recipe.task) again_.erase(recipe.last_task);
  recipe.last_task = task;
  again_.emplace(task, &recipe);
}

RecipeInput Recipes::find_held(const Ref& ref, std::string& uri) {
  const RefFacts& facts = ref.facts();
  uri = facts.uri.str();
  RecipeInput found;
  if (const auto& handle = ref.handle(); handle != nullptr) {
    if (handle->recipe->recipes.get() != this) return found;
    found.maker = handle->recipe;
    found.output = handle->output;
    uri = found.maker->outputs[found.output].uri.str();
    return found;
  }
  if (facts.uri.scheme() != "mem") return found;
  if (facts.task == 0) {
    if (const auto put = puts_.find(uri); put != puts_.end()) {
      found.maker = put->second->weak_from_this().lock();
    }
    return found;
  }
  auto known = runs_.find(facts.task);
  if (known == runs_.end()) {
    known = again_.find(facts.task);
    if (known == again_.end()) return found;
  }
  Recipe& recipe = *known->second;
  for (std::uint32_t i = 0; i < recipe.outputs.size(); ++i) {
    if (recipe.program->graph.outputs[i].name != facts.output) continue;
    // What a reference says of itself is a claim.
    const std::string& now = recipe.outputs[i].uri.str();
    if (uri != now && std::ranges::find(recipe.old_uris, uri) == recipe.old_uris.end()) break;
    uri = now;
    found.maker = recipe.weak_from_this().lock();
    found.output = i;
    break;
  }
  return found;
}

RecipeInput Recipes::find(const Ref& ref) {
  std::string uri;
  const std::lock_guard lock(mutex_);
  return find_held(ref, uri);
}

std::shared_ptr<const ValueHandle> Recipes::handle(
    const std::shared_ptr<DriverConnection>& connection, const std::shared_ptr<Recipe>& recipe,
    std::uint32_t output, const KeptRefs& keeps) {
  const std::lock_guard lock(mutex_);
  auto known = recipe->outputs[output].handle.lock();
  if (known == nullptr) {
    known = std::make_shared<const ValueHandle>(connection, recipe, output, keeps);
    recipe->outputs[output].handle = known;
  }
  return known;
}

}  // namespace curia
