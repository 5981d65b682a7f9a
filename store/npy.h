// Tensors from and to NumPy's .npy files, format versions 1.0 and 2.0: little endian, C order, the
// dtypes Curia has. Nothing else is accepted; no pickles.
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/value.h"

namespace curia {

inline constexpr std::int64_t kMaxNpyHeader = 64 << 10;
inline constexpr std::int64_t kMaxNpyBytes = std::int64_t{1} << 40;

// The tensor shares `bytes` where its data is 64-byte aligned there, as it is in files numpy wrote.
// `name` stands for the input in errors. Errors: kInvalid, saying what was expected.
Tensor parse_npy(const Slice& bytes, std::string_view name);

// Errors: also kNotFound, kQuota above max_bytes, kFailed.
Tensor read_npy(const std::string& path, std::int64_t max_bytes = kMaxNpyBytes);

// The whole file, version 1.0. The data begins at a multiple of 64 bytes.
std::string write_npy(const Tensor& tensor);

}  // namespace curia
