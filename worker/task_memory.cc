#include "worker/task_memory.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "protocol/op_table.h"

namespace curia {

void put_result(ObjectStore& store, const Uri& uri, ValuePtr value,
                const std::shared_ptr<const ObjectMeta>& meta, const Expected& expected) {
  try {
    store.put(uri, std::move(value), meta, expected);
  } catch (const Error& error) {
    if (!meta->hidden || error.code() != Code::kQuota) throw;
    store.put(uri, std::make_shared<const Value>(error), meta, expected);
  }
}

struct TaskMemory::Books {
  Books(Backend& quota, const LabelPtr& label)
      : account{label, "run"}, backend(&quota), kept(quota.hold(account, 0)) {}

  void take(std::int64_t bytes) {
    const std::lock_guard lock(mutex);
    if (backend == nullptr || bytes <= 0) return;
    backend->reserve(account, bytes);
    held += bytes;
    open += bytes;
  }
  void give_back(std::int64_t bytes) {
    const std::lock_guard lock(mutex);
    if (backend == nullptr) return;
    backend->unreserve(account, bytes);
    held -= bytes;
  }

  const Account account;
  std::mutex mutex;
  Backend* backend;  // none once it was released: memory may outlive the worker's store
  std::shared_ptr<const void> kept;  // the account, also while nothing counts in it
  std::int64_t held = 0;             // reserved altogether
  std::int64_t open = 0;             // of it: not charged to any memory yet
};

// Lives as long as the memory that it stands for.
struct TaskMemory::Charge {
  Charge(std::shared_ptr<Books> of, std::int64_t size) : books(std::move(of)), bytes(size) {}
  ~Charge() { books->give_back(bytes); }
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  const std::shared_ptr<Books> books;
  const std::int64_t bytes;
};

namespace {

// Calls `see` with each piece of memory that a value refers to.
template <class V, class See>
void each_slice(V& value, const See& see) {
  const auto tensor = [&](auto& t) { see(t.data); };
  if (auto* t = std::get_if<Tensor>(&value.form)) tensor(*t);
  auto* table = std::get_if<Table>(&value.form);
  if (table == nullptr) return;
  for (auto& column : table->columns) {
    if (auto* t = std::get_if<Tensor>(&column.data)) {
      tensor(*t);
    } else {
      auto& strings = std::get<StringColumn>(column.data);
      see(strings.offsets);
      see(strings.text);
    }
  }
}

// The slice's memory keeps `charge`, too.
void keep(Slice& slice, const std::shared_ptr<const void>& charge) {
  struct Both {
    std::shared_ptr<const void> memory;
    std::shared_ptr<const void> charge;
  };
  const auto both = std::make_shared<const Both>(Both{slice.owner, charge});
  slice.owner = std::shared_ptr<const void>(both, slice.owner.get());
}

}  // namespace

ValuePtr with_charge(const ValuePtr& value, const std::shared_ptr<const void>& charge) {
  Value charged = *value;
  each_slice(charged, [&](Slice& slice) { keep(slice, charge); });
  return std::make_shared<const Value>(std::move(charged));
}

TaskMemory::TaskMemory(Backend& backend, const LabelPtr& label)
    : books_(std::make_shared<Books>(backend, label)),
      reserver_([this](std::int64_t bytes) { reserve(bytes); }) {}

TaskMemory::~TaskMemory() { release(); }

bool TaskMemory::concerns(const Type& type) {
  if (type.is_secret()) return false;
  if (type.is_tensor()) return byte_count(type.tensor()) == kUnknown;
  const TableType& table = type.table();
  return table.rows == kUnknown || std::ranges::any_of(table.columns, [](const ColumnType& column) {
           return column.dtype == DType::kString;
         });
}

void TaskMemory::reserve(std::int64_t bytes) { books_->take(bytes); }

void TaskMemory::reserve_results(const Op& op, const std::vector<ValuePtr>& operands) {
  const OpSpec* spec = find_op(op.name);
  if (spec == nullptr) return;
  std::vector<Type> types;
  for (const ValuePtr& operand : operands) {
    types.push_back(operand->type());
    types.back().device = op.device;
  }
  std::vector<Type> results;
  try {
    results = spec->rule({op, types, {}});
  } catch (const Error&) {
    return;  // the kernel says what is wrong with them
  }
  // Kernels that make tables reserve by themselves, and so do those whose rows depend on values.
  for (const Type& type : results) {
    if (type.is_tensor()) reserve(byte_count(type.tensor()));
  }
}

void TaskMemory::settle(const std::vector<ValuePtr>& operands, std::vector<ValuePtr>& results) {
  std::set<const void*> shared;
  for (const ValuePtr& operand : operands) {
    each_slice(*operand, [&](const Slice& slice) { shared.insert(slice.owner.get()); });
  }
  std::map<const void*, std::int64_t> fresh;
  for (const ValuePtr& result : results) {
    each_slice(*result, [&](const Slice& slice) {
      if (slice.size > 0 && !shared.contains(slice.owner.get())) {
        fresh[slice.owner.get()] += slice.size;
      }
    });
  }
  std::int64_t wanted = 0;
  for (const auto& [owner, bytes] : fresh) wanted += bytes;
  const std::int64_t open = std::exchange(books_->open, 0);
  if (wanted > open) {
    books_->take(wanted - open);
  } else if (wanted < open) {
    books_->give_back(open - wanted);
  }
  books_->open = 0;
  std::map<const void*, std::shared_ptr<const Charge>> charges;
  for (const auto& [owner, bytes] : fresh) {
    charges.emplace(owner, std::make_shared<const Charge>(books_, bytes));
  }
  for (ValuePtr& result : results) {
    Value charged = *result;
    each_slice(charged, [&](Slice& slice) {
      const auto charge = charges.find(slice.owner.get());
      if (charge == charges.end()) return;
      keep(slice, charge->second);
    });
    result = std::make_shared<const Value>(std::move(charged));
  }
}

const Account& TaskMemory::account() const { return books_->account; }

std::int64_t TaskMemory::left() const {
  const std::lock_guard lock(books_->mutex);
  return books_->backend->left(books_->account);
}

void TaskMemory::release() {
  const std::lock_guard lock(books_->mutex);
  if (books_->backend == nullptr) return;
  books_->backend->unreserve(books_->account, books_->held);
  books_->held = books_->open = 0;
  books_->backend = nullptr;
  books_->kept.reset();
}

}  // namespace curia
