#include "worker/kernels/kernel.h"

#include <algorithm>
#include <cstring>

namespace curia {
namespace {

template <class T>
const T& attr(const Op& op, std::string_view key, std::string_view kind) {
  const auto found = op.attrs.find(std::string(key));
  const T* value = found == op.attrs.end() ? nullptr : std::get_if<T>(&found->second);
  if (value == nullptr) {
    throw Error(Code::kInvalid, "op " + op.name + ": expected attribute " + std::string(key) +
                                    " of type " + std::string(kind) + ", found " +
                                    (found == op.attrs.end() ? "none" : "another type"));
  }
  return *value;
}

std::vector<KernelEntry> build_table() {
  std::vector<KernelEntry> all;
  for (const auto family :
       {arithmetic_kernels(), logic_kernels(), unary_kernels(), cast_kernels(), shape_kernels(),
        index_kernels(), reduce_kernels(), order_kernels(), matmul_kernels(), random_kernels(),
        table_kernels(), join_kernels(), group_kernels(), private_kernels()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.name < b.name; });
  return all;
}

}  // namespace

const Tensor& KernelContext::tensor(std::size_t i) const {
  expect(i < operands.size(), "an operand is missing");
  return operands[i]->tensor();
}

const Table& KernelContext::table(std::size_t i) const {
  expect(i < operands.size(), "an operand is missing");
  return operands[i]->table();
}

bool KernelContext::has(std::string_view key) const {
  return op.attrs.find(std::string(key)) != op.attrs.end();
}

std::int64_t KernelContext::int_attr(std::string_view key) const {
  return attr<std::int64_t>(op, key, "int");
}

std::int64_t KernelContext::int_attr_or(std::string_view key, std::int64_t fallback) const {
  return has(key) ? int_attr(key) : fallback;
}

double KernelContext::double_attr(std::string_view key) const {
  return attr<double>(op, key, "double");
}

bool KernelContext::bool_attr_or(std::string_view key, bool fallback) const {
  return has(key) ? attr<bool>(op, key, "bool") : fallback;
}

const std::string& KernelContext::string_attr(std::string_view key) const {
  return attr<std::string>(op, key, "string");
}

const std::vector<std::int64_t>& KernelContext::ints_attr(std::string_view key) const {
  return attr<std::vector<std::int64_t>>(op, key, "ints");
}

const std::vector<std::string>& KernelContext::strings_attr(std::string_view key) const {
  return attr<std::vector<std::string>>(op, key, "strings");
}

const Tensor& KernelContext::tensor_attr(std::string_view key) const {
  return attr<Tensor>(op, key, "tensor");
}

void KernelContext::poll() const {
  if (cancelled != nullptr && (*cancelled)()) {
    throw Error(Code::kCancelled, "the task was cancelled");
  }
}

void KernelContext::reserve(std::int64_t bytes) const {
  if (reserver != nullptr) (*reserver)(bytes);
}

std::span<const KernelEntry> kernel_table() {
  static const std::vector<KernelEntry> table = build_table();
  return table;
}

const Kernel* find_kernel(std::string_view name) {
  const auto table = kernel_table();
  const auto row = std::lower_bound(table.begin(), table.end(), name,
                                    [](auto& entry, auto& key) { return entry.name < key; });
  return row != table.end() && row->name == name ? &row->kernel : nullptr;
}

Output::Output(DType type, Shape extents)
    : dtype(type), shape(std::move(extents)), elements(element_count(shape)) {
  expect(elements >= 0, "the shape of a result is not known");
  buffer = Buffer::allocate(elements * dtype_bytes(dtype));
}

void Output::zero() { std::memset(buffer->data(), 0, static_cast<std::size_t>(buffer->size())); }

std::int64_t check_axis(std::int64_t axis, std::int64_t rank) {
  if (axis < -rank || axis >= rank) {
    throw Error(Code::kInvalid, "expected an axis below the rank " + std::to_string(rank) +
                                    ", found " + std::to_string(axis));
  }
  return axis < 0 ? axis + rank : axis;
}

}  // namespace curia
