// What an op does at a party: one function an op, found in a table by the op's name.
//
// A kernel is a pure function of its operands and attributes, the noise of dp_ ops aside. It is
// total: a value never makes it throw (division by zero, casts and indices are defined), and its
// result does not depend on the number of threads. Types were checked by verify; what verify could
// not know (`?` extents) a kernel checks again and throws kInvalid. The one other error that
// depends on data is kQuota, where an output (a join) would not fit into memory. Thread: any;
// kernels share nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/error.h"
#include "protocol/graph.h"
#include "protocol/value.h"
#include "worker/kernels/pool.h"

namespace curia {

struct KernelContext {
  const Op& op;
  std::span<const ValuePtr> operands;
  ThreadPool* pool = nullptr;                        // none: everything runs on the caller
  const std::function<bool()>* cancelled = nullptr;  // polled once a chunk, from any thread
  // Sets memory aside in the worker's quota. None: there is no quota, or the types told all.
  const std::function<void(std::int64_t bytes)>* reserver = nullptr;
  // Everybody knows how many rows operand 0 has: its declared type tells, and no filter ran.
  bool public_rows = false;
  // Fills the random bytes that noise is made of. None: those of the operating system.
  const std::function<void(std::span<std::uint8_t>)>* noise = nullptr;

  // Operands. Errors: kInvalid when there is no such operand or it is of the other kind.
  const Tensor& tensor(std::size_t i) const;
  const Table& table(std::size_t i) const;

  // Attributes. Errors: kInvalid, "expected attribute <key> of type ..., found ...".
  bool has(std::string_view key) const;
  std::int64_t int_attr(std::string_view key) const;
  std::int64_t int_attr_or(std::string_view key, std::int64_t fallback) const;
  double double_attr(std::string_view key) const;
  bool bool_attr_or(std::string_view key, bool fallback) const;
  const std::string& string_attr(std::string_view key) const;
  const std::vector<std::int64_t>& ints_attr(std::string_view key) const;
  const std::vector<std::string>& strings_attr(std::string_view key) const;
  const Tensor& tensor_attr(std::string_view key) const;

  // Errors: kCancelled once the task was cancelled.
  void poll() const;

  // Before memory is allocated whose size depends on values: at least all of a table's columns.
  // Thread: any. Errors: kQuota.
  void reserve(std::int64_t bytes) const;

  // Calls body(begin, end) for pieces of 0..count of `grain` each (the last one shorter), on
  // several threads where there is a pool. The cut depends on count and grain only. Polls before
  // each.
  template <class Body>
  void for_chunks(std::int64_t count, std::int64_t grain, Body&& body) const {
    const std::int64_t chunks = (count + grain - 1) / grain;
    const auto one = [&](std::int64_t i) {
      poll();
      body(i * grain, i + 1 == chunks ? count : (i + 1) * grain);
    };
    if (pool != nullptr && chunks > 1) {
      pool->run(chunks, one);
    } else {
      for (std::int64_t i = 0; i < chunks; ++i) one(i);
    }
  }
};

using Kernel = std::vector<ValuePtr> (*)(const KernelContext&);

struct KernelEntry {
  std::string_view name;
  Kernel kernel;
};

// nullptr where there is no kernel of that name (control ops, and ops of the runtime).
const Kernel* find_kernel(std::string_view name);

// Every kernel, sorted by name.
std::span<const KernelEntry> kernel_table();

// The tables it is made of, one a file.
std::span<const KernelEntry> arithmetic_kernels();
std::span<const KernelEntry> logic_kernels();
std::span<const KernelEntry> unary_kernels();
std::span<const KernelEntry> cast_kernels();
std::span<const KernelEntry> shape_kernels();
std::span<const KernelEntry> index_kernels();
std::span<const KernelEntry> reduce_kernels();
std::span<const KernelEntry> order_kernels();
std::span<const KernelEntry> matmul_kernels();
std::span<const KernelEntry> random_kernels();
std::span<const KernelEntry> table_kernels();
std::span<const KernelEntry> join_kernels();
std::span<const KernelEntry> group_kernels();
std::span<const KernelEntry> private_kernels();

// One result.
template <class V>
std::vector<ValuePtr> one(V value) {
  std::vector<ValuePtr> results;
  results.push_back(std::make_shared<const Value>(std::move(value)));
  return results;
}

// A tensor under construction: typed memory of `shape`, contents unspecified.
struct Output {
  Output(DType dtype, Shape shape);
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(buffer->data());
  }
  std::uint8_t* bytes() { return buffer->data(); }
  void zero();
  Tensor finish() && { return {dtype, std::move(shape), Slice(BufferPtr(std::move(buffer)))}; }

  DType dtype;
  Shape shape;
  std::int64_t elements;
  std::shared_ptr<Buffer> buffer;
};

// The elements as memory of T. Bools are read as std::uint8_t.
template <class T>
const T* elements_of(const Tensor& tensor) {
  return reinterpret_cast<const T*>(tensor.data.data);
}

// `axis` of a tensor of `rank`; negative ones count from the end. Errors: kInvalid.
std::int64_t check_axis(std::int64_t axis, std::int64_t rank);

}  // namespace curia
