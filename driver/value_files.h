// Values from and to files of other programs, by the ending of the name:
//
//   .csv              tables; tensors of at most two dimensions, as columns "value", or "c0", "c1"
//   .npy              tensors
//   .arrow, .feather  both: the Arrow IPC format, which is also Feather V2
//
// A CSV file has no dtypes: they are inferred when it is read, so that an f32 comes back as f64 and
// a column of strings such as "12" as i64. Every number comes back with the digits it had. The
// others keep dtypes and shapes.
//
//   curia::write_value(session.fetch(refs["means"]), "means.arrow");
//   curia::Ref patients = session.put("alice", curia::read_value("patients.feather"));
//
// Thread: any.
#pragma once

#include <string>

#include "protocol/value.h"

namespace curia {

// Errors: kInvalid for another ending and where the file does not hold what it should (store/csv.h,
// npy.h, arrow/import.h); kCorrupt, kUnimplemented for Arrow files; kNotFound, kQuota, kFailed.
Value read_value(const std::string& path);

// A new file of mode 0600. Errors: kInvalid for another ending, when the file exists or cannot be
// written, or where the value has no such form; the value's own, when it is an error.
void write_value(const Value& value, const std::string& path);

// The ending that fits best: ".npy" or ".csv".
std::string natural_ending(const Type& type);

}  // namespace curia
