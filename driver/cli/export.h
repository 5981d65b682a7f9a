// Fetched values for people, scripts and other programs.
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

// By the ending of the name: .npy (tensors), .csv (tables; tensors of rank <= 2). Errors: kInvalid
// for another ending, when the file exists, or where the value has no such form.
void save_value(const Value& value, const std::string& path);
// The ending that fits best: ".npy" or ".csv".
std::string natural_ending(const Type& type);
// A value from such a file. Errors: kInvalid, kNotFound.
Value load_value(const std::string& path);

}  // namespace curia
