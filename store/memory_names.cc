// Objects with several names: memory_backend.h.
#include <utility>

#include "store/memory_backend.h"

namespace curia {

MemoryBackend::Objects::iterator MemoryBackend::resolve(Objects::iterator at) const {
  if (at == objects_.end() || !at->second.is_name()) return at;
  return objects_.find(names_.body_of(at->first));
}

const MemoryBackend::Charge* MemoryBackend::freed_with(Objects::iterator at) const {
  const auto* of_name = at->second.is_name() ? names_.charge_of(at->first).get() : nullptr;
  const auto& charge = resolve(at)->second.object.charge;
  const auto* freed = of_name != nullptr        ? of_name
                      : charge.use_count() == 1 ? charge.get()
                                                : nullptr;
  return static_cast<const Charge*>(freed);
}

void MemoryBackend::leave(Objects::iterator at, Gone& gone) {
  if (!at->second.is_name()) return dequeue(at->second);
  const auto body = resolve(at);
  gone.charge = names_.remove(at->first);
  if (gone.charge != nullptr) return;
  dequeue(body->second);
  gone.body = objects_.extract(body);
}

void MemoryBackend::alias_now(const std::string& key, const Owner& owner, const Entry& object) {
  const std::lock_guard lock(mutex_);
  const auto of = objects_.find(object.key);
  if (of == objects_.end() || of->second.object.number != object.number) {
    throw Error(Code::kNotFound, "the object that was to get another name is not there any more");
  }
  const std::shared_ptr<const ObjectMeta> meta = of->second.object.meta;
  if (owner_of(*meta) != owner) {
    throw Error(Code::kInvalid, "only an object of the same session can get another name");
  }
  if (objects_.contains(key)) throw name_taken();
  auto charge = std::make_shared<const Charge>(books_, Account::open_of(owner), 0, nullptr);
  if (!of->second.is_name()) make_body(of);
  const auto at = objects_.try_emplace(key).first;
  bool named = false;
  try {
    names_.add(at->first, object.key, std::move(charge));
    named = true;
    keys_.insert(owner, at->first);
  } catch (...) {
    if (named) names_.remove(at->first);
    objects_.erase(at);
    throw;
  }
  at->second.object = {nullptr, meta, 1, nullptr, ++last_number_};
}

void MemoryBackend::make_body(Objects::iterator at) {
  auto& [name, kept] = *at;
  const auto body = objects_.try_emplace(NameTable::body_key(kept.object.number)).first;
  try {
    names_.begin(name, body->first);
  } catch (...) {
    objects_.erase(body);
    throw;
  }
  body->second = std::exchange(
      kept,
      {{nullptr, kept.object.meta, kept.object.version, nullptr, kept.object.number}, nullptr});
  Turn* const turn = body->second.turn.get();
  if (turn != nullptr && turn->file == nullptr) turns_.rename(turn->place, body->first);
}

}  // namespace curia
