#include "driver/value_files.h"

#include <cstring>

#include "driver/files.h"
#include "store/arrow_file.h"
#include "store/csv.h"
#include "store/npy.h"

namespace curia {
namespace {

[[noreturn]] void refuse_ending(const std::string& path) {
  throw Error(Code::kInvalid, path + ": expected a name that ends with .csv, .npy or .arrow");
}

// Rows and columns, as CSV has them.
Table table_of(const Tensor& tensor, const std::string& path) {
  if (tensor.shape.size() > 2) {
    throw Error(Code::kInvalid, path + ": .csv holds tensors of at most two dimensions, this is " +
                                    type_text(tensor.type()) + "; use .npy or .arrow");
  }
  const std::int64_t rows = tensor.shape.empty() ? 1 : tensor.shape[0];
  const std::int64_t columns = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
  const std::int64_t size = dtype_bytes(tensor.dtype);
  Table table;
  table.rows = rows;
  for (std::int64_t i = 0; i < columns; ++i) {
    const auto buffer = Buffer::allocate(rows * size);
    for (std::int64_t row = 0; row < rows; ++row) {
      std::memcpy(buffer->data() + row * size, tensor.data.data + (row * columns + i) * size,
                  static_cast<std::size_t>(size));
    }
    table.columns.push_back(
        {columns == 1 ? "value" : "c" + std::to_string(i), Tensor{tensor.dtype, {rows}, {buffer}}});
  }
  return table;
}

}  // namespace

Value read_value(const std::string& path) {
  if (path.ends_with(".npy")) return read_npy(path);
  if (path.ends_with(".csv")) return read_csv(path);
  if (path.ends_with(".arrow") || path.ends_with(".feather")) return read_arrow(path);
  refuse_ending(path);
}

void write_value(const Value& value, const std::string& path) {
  value.check();
  if (value.is_share()) {
    throw Error(Code::kInvalid, path + ": expected a tensor or a table, found a share of a secret");
  }
  if (path.ends_with(".arrow") || path.ends_with(".feather")) {
    return write_new_file(path, write_arrow(value));
  }
  if (path.ends_with(".npy")) {
    if (!value.is_tensor()) {
      throw Error(Code::kInvalid, path + ": .npy holds no tables; use .csv or .arrow");
    }
    return write_new_file(path, write_npy(value.tensor()));
  }
  if (!path.ends_with(".csv")) refuse_ending(path);
  write_new_file(path,
                 write_csv(value.is_table() ? value.table() : table_of(value.tensor(), path)));
}

std::string natural_ending(const Type& type) { return type.is_table() ? ".csv" : ".npy"; }

}  // namespace curia
