// The memory of a task's values of one label whose size no type tells (`?` rows, texts): set aside
// in the quota before it is allocated, and given back when the last who holds the memory lets go of
// it. What types do tell is reserved for the whole run (Plan::result_bytes).
//
// Owned by a Task; memory that is charged may outlive it. Thread: reserve() any, the rest the
// task's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "protocol/graph.h"
#include "protocol/value.h"
#include "store/object_store.h"

namespace curia {

// Stores a result. One for which there is no room although nobody may know its size is stored as
// that failure, under its label. Errors: as Backend::put() for all others.
void put_result(ObjectStore& store, const Uri& uri, ValuePtr value,
                const std::shared_ptr<const ObjectMeta>& meta, const Expected& expected);

// The value, which keeps `charge` for as long as somebody holds any of its memory.
ValuePtr with_charge(const ValuePtr& value, const std::shared_ptr<const void>& charge);

class TaskMemory {
 public:
  // Errors: kQuota where there is no account for this label.
  TaskMemory(Backend& backend, const LabelPtr& label);
  ~TaskMemory();  // releases
  TaskMemory(const TaskMemory&) = delete;
  TaskMemory& operator=(const TaskMemory&) = delete;

  // Is there anything about values of this type that the type does not tell?
  static bool concerns(const Type& type);

  // For the op that runs now. Errors: kQuota.
  void reserve(std::int64_t bytes);
  // What the results of the op will take, as far as its operands tell. Errors: kQuota.
  void reserve_results(const Op& op, const std::vector<ValuePtr>& operands);
  // The op has run: what was reserved is charged to the memory of its results, without that which
  // they share with operands; the rest is given back. Errors: kQuota.
  void settle(const std::vector<ValuePtr>& operands, std::vector<ValuePtr>& results);
  // What the values count in.
  const Account& account() const;
  // Bytes that could be reserved now.
  std::int64_t left() const;

  // Gives everything back, also what is charged to memory that lives on.
  void release();

  const std::function<void(std::int64_t)>& reserver() const { return reserver_; }

 private:
  struct Books;
  struct Charge;

  const std::shared_ptr<Books> books_;
  const std::function<void(std::int64_t)> reserver_;
};

}  // namespace curia
