#include "store/backend.h"

namespace curia {

bool Account::operator<(const Account& other) const {
  if (label == nullptr || other.label == nullptr) return label == nullptr && other.label != nullptr;
  if (label->sources != other.label->sources) return label->sources < other.label->sources;
  return use < other.use;
}

Error name_taken() { return {Code::kImmutable, "this URI is not free; use another one"}; }

void Expected::check(std::int64_t found_version, std::uint64_t found_number,
                     bool same_owner) const {
  if (version == found_version && (number == 0 || number == found_number)) return;
  if (version == 0 || !same_owner) throw name_taken();
  throw Error(Code::kImmutable,
              "expected version " + std::to_string(version) + " of the object, found " +
                  (version == found_version ? "a new object" : std::to_string(found_version)));
}

void Backend::alias(const std::string& /*key*/, const Owner& /*owner*/, const Entry& /*object*/) {
  throw Error(Code::kUnimplemented, "an object in " + std::string(scheme()) +
                                        ":// has one name; only those in mem:// may have more");
}

std::int64_t Backend::erase_own(const Owner& owner, std::span<const std::string_view> keys) {
  std::int64_t count = 0;
  for (const std::string_view key : keys) {
    const auto known = describe(std::string(key));
    if (known && known->meta->principal == owner.principal && erase_exactly(*known)) ++count;
  }
  return count;
}

}  // namespace curia
