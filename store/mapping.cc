#include "store/mapping.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

namespace curia {

// One mapping in the list. Entries are used again, never freed: a signal handler may look at them.
struct Mapping::Entry {
  std::atomic<std::uintptr_t> begin{0};  // 0: free
  std::atomic<std::uintptr_t> end{0};
  std::atomic<bool> broken{false};
  Entry* next = nullptr;  // never changes once the entry is in the list
};

namespace {

using EntryHead = std::atomic<void*>;

// Constant-initialised and trivially destroyed, so that the handler may use them at any time.
EntryHead list_head{nullptr};
std::atomic<std::int64_t> fault_count{0};
struct sigaction handler_before;
std::mutex& list_mutex() {
  static std::mutex* mutex = new std::mutex;  // for those who add and remove, not the handler
  return *mutex;
}

// Calls `see` with each piece of memory of a value.
template <class V, class See>
void each_slice(V& value, const See& see) {
  if (auto* tensor = std::get_if<Tensor>(&value.form)) see(tensor->data);
  if (auto* share = std::get_if<Share>(&value.form)) {
    see(share->first);
    see(share->second);
  }
  auto* table = std::get_if<Table>(&value.form);
  if (table == nullptr) return;
  for (auto& column : table->columns) {
    if (auto* tensor = std::get_if<Tensor>(&column.data)) {
      see(tensor->data);
    } else {
      auto& strings = std::get<StringColumn>(column.data);
      see(strings.offsets);
      see(strings.text);
    }
  }
}

}  // namespace

Mapping::Entry* Mapping::find(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  for (auto* entry = static_cast<Entry*>(list_head.load()); entry != nullptr; entry = entry->next) {
    const std::uintptr_t begin = entry->begin.load();
    if (begin != 0 && wanted >= begin && wanted < entry->end.load()) return entry;
  }
  return nullptr;
}

void Mapping::on_fault(int signal, void* info, void* context) {
  const int before = errno;
  auto* facts = static_cast<siginfo_t*>(info);
  Entry* entry = find(facts->si_addr);
  if (entry != nullptr) {
    // All of it at once: what is left of the file is of no use, and many single pages would be more
    // mappings than a process may have.
    const std::uintptr_t begin = entry->begin;
    void* filled =
        ::mmap(reinterpret_cast<void*>(begin),  // NOLINT(performance-no-int-to-ptr)
               entry->end - begin, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (filled != MAP_FAILED) {
      entry->broken = true;
      ++fault_count;
      errno = before;
      return;
    }
  }
  if ((handler_before.sa_flags & SA_SIGINFO) != 0) {
    handler_before.sa_sigaction(signal, facts, context);
  } else if (handler_before.sa_handler != SIG_DFL && handler_before.sa_handler != SIG_IGN) {
    handler_before.sa_handler(signal);
  } else {
    ::signal(signal, SIG_DFL);  // the access is repeated, and ends the process
  }
}

void Mapping::install() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    action.sa_sigaction = [](int signal, siginfo_t* info, void* context) {
      on_fault(signal, info, context);
    };
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, &handler_before);
  });
}

std::shared_ptr<const Mapping> Mapping::of(int file, std::int64_t bytes) {
  expect(bytes > 0, "an empty file cannot be mapped");
  install();
  void* data = ::mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ, MAP_SHARED, file, 0);
  if (data == MAP_FAILED) {
    throw Error(Code::kQuota, std::string("cannot map a file: ") + std::strerror(errno));
  }
  const std::lock_guard lock(list_mutex());
  auto* entry = static_cast<Entry*>(list_head.load());
  while (entry != nullptr && entry->begin != 0) entry = entry->next;
  const bool fresh = entry == nullptr;
  if (fresh) entry = new Entry;
  entry->broken = false;
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  entry->end = begin + static_cast<std::uintptr_t>(bytes);
  entry->begin = begin;
  if (fresh) {
    entry->next = static_cast<Entry*>(list_head.load());
    list_head = entry;
  }
  return std::shared_ptr<const Mapping>(
      new Mapping(static_cast<const std::uint8_t*>(data), bytes, entry));
}

Mapping::~Mapping() {
  const std::lock_guard lock(list_mutex());
  entry_->begin = 0;
  ::munmap(const_cast<std::uint8_t*>(data_), static_cast<std::size_t>(size_));
}

bool Mapping::load(std::int64_t offset, std::int64_t bytes) const {
  const auto page = static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
  const std::int64_t begin = offset / page * page;
  auto* at = const_cast<std::uint8_t*>(data_) + begin;
  const auto length = static_cast<std::size_t>(offset + bytes - begin);
  if (::madvise(at, length, MADV_POPULATE_READ) == 0) return true;
  // Kernels before 5.14 do not know it; then reading the pages shows it.
  return errno == EINVAL && !faulted();
}

bool Mapping::faulted() const { return entry_->broken; }

bool Mapping::contains(const void* address) { return find(address) != nullptr; }

bool Mapping::faulted(const void* address) {
  if (fault_count == 0) return false;
  const Entry* entry = find(address);
  return entry != nullptr && entry->broken;
}

bool is_mapped(const Value& value) {
  bool found = false;
  each_slice(value, [&](const Slice& slice) {
    found = found || (slice.size > 0 && Mapping::contains(slice.data));
  });
  return found;
}

bool has_faulted(const Value& value) {
  if (fault_count == 0) return false;
  bool found = false;
  each_slice(value, [&](const Slice& slice) {
    found = found || (slice.size > 0 && Mapping::faulted(slice.data));
  });
  return found;
}

Slice slice_in_memory(const Slice& slice) {
  return Slice::copy_of({slice.data, static_cast<std::size_t>(slice.size)});
}

ValuePtr unmapped(const ValuePtr& value, const std::function<Slice(const Slice&)>& copied) {
  if (!is_mapped(*value)) return value;
  Value copy = *value;
  each_slice(copy, [&](Slice& slice) {
    if (slice.size > 0 && Mapping::contains(slice.data)) slice = copied(slice);
  });
  if (has_faulted(*value)) {
    throw Error(Code::kCorrupt, "the file of a stored object was cut or could not be read");
  }
  return std::make_shared<const Value>(std::move(copy));
}

}  // namespace curia
