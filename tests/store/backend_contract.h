// What every backend must do. A backend's test lists it here with a way to make one, empty, with a
// quota of kContractQuota bytes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "store/backend.h"

namespace curia {

inline constexpr std::int64_t kContractQuota = 1 << 20;

using MakeBackend = std::function<std::unique_ptr<Backend>()>;

// Runs the whole contract as subcases of the calling TEST_CASE.
void check_backend_contract(const MakeBackend& make);

ValuePtr contract_value(std::int64_t elements, double first);
std::shared_ptr<const ObjectMeta> contract_meta(const std::string& principal);

}  // namespace curia
