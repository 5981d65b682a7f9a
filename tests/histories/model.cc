#include "tests/histories/model.h"

#include <algorithm>

namespace curia {

Tensor Numbers::tensor() const {
  std::vector<std::int64_t> elements(kCount);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    elements[i] = static_cast<std::int64_t>(base + slope * i);
  }
  return Tensor::of<std::int64_t>({kCount}, elements);
}

bool Numbers::is(const Value& value) const {
  if (!value.is_tensor() || value.tensor().dtype != DType::kI64) return false;
  return std::ranges::equal(value.tensor().as<std::int64_t>(), tensor().as<std::int64_t>());
}

int Model::add(int session, const std::string& party, const Numbers& numbers, bool failed) {
  objects_[++last_] = {session, {party, numbers, failed}};
  return last_;
}

void Model::drop(int id) {
  Object& object = objects_.at(id).second;
  if (--object.handles == 0 && !object.weak) objects_.erase(id);
}

void Model::weaken(int session) {
  for (auto& [id, entry] : objects_) entry.second.weak |= entry.first == session;
}

void Model::end_session(int session) {
  std::erase_if(objects_, [&](const auto& entry) { return entry.second.first == session; });
}

std::int64_t Model::count(const std::string& party) const {
  return std::ranges::count_if(
      objects_, [&](const auto& entry) { return entry.second.second.party == party; });
}

}  // namespace curia
