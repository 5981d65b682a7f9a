// Fetched values for people and scripts.
// Thread: any.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "protocol/value.h"

namespace curia {

inline constexpr std::int64_t kMostPrinted = 20;  // rows, and columns of a tensor

// Columns of equal width; what is beyond kMostPrinted is counted.
std::string pretty(const Value& value);
// {"type", "data"}: a tensor's elements row-major; a table's columns by name. NaN and infinities,
// which JSON has no numbers for, are "nan", "inf", "-inf".
nlohmann::ordered_json value_json(const Value& value);

}  // namespace curia
