// Objects on disk: put beside a plain write, get beside reading and checksumming. Aliases.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string>

#include "bench/benches.h"
#include "protocol/error.h"
#include "store/file_backend.h"
#include "store/mapping.h"
#include "store/memory_backend.h"
#include "tests/support/temporary_folder.h"

namespace curia::bench {
namespace {

constexpr std::int64_t kBytes = std::int64_t{256} << 20;
constexpr double kMappingLimit = 1e-3;  // seconds
constexpr double kOverheadPercent = 1;
constexpr int kChain = 1000;
constexpr double kChainLimit = 1e-3;  // seconds

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void check(bool good) {
  if (!good) throw Error(Code::kFailed, "a plain read or write failed");
}

// Writes a new file in one MiB after the other, and fdatasync().
void plain_write(const std::string& path, const Tensor& data) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  for (std::int64_t at = 0; at < data.data.size; at += kChecksumBytes) {
    check(::write(file, data.data.data + at, kChecksumBytes) == kChecksumBytes);
  }
  check(::fdatasync(file) == 0);
  ::close(file);
}

// Reads a file into memory that was touched before, and checksums each MiB.
void plain_read(const std::string& path, Buffer& to) {
  FileSeal seal(StoreKey{}, Digest{});
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  for (std::int64_t at = 0; at < to.size(); at += kChecksumBytes) {
    check(::read(file, to.data() + at, kChecksumBytes) == kChecksumBytes);
    seal.checksum(static_cast<std::uint32_t>(at / kChecksumBytes),
                  {to.data() + at, static_cast<std::size_t>(kChecksumBytes)});
  }
  ::close(file);
}

std::shared_ptr<const ObjectMeta> meta() {
  auto known = std::make_shared<ObjectMeta>();
  known->label = std::make_shared<const Label>();
  return known;
}

// Share of a file that is not the data, in percent: the larger of a tensor's and a table's of 1
// MiB.
double overhead_percent(FileBackend& store, const std::string& root) {
  const std::vector<double> numbers(std::size_t{1} << 17, 0.5);
  const auto rows = static_cast<std::int64_t>(numbers.size());
  Table table;
  table.rows = rows / 8;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    table.columns.push_back(
        {name, Tensor::of<double>({table.rows}, {numbers.data(), numbers.size() / 8})});
  }
  double worst = 0;
  for (const Value& value : {Value(Tensor::of<double>({rows / 64, 64}, numbers)), Value(table)}) {
    store.put("overhead", std::make_shared<const Value>(value), meta(), 0);
    const auto file = static_cast<double>(std::filesystem::file_size(root + "/overhead"));
    worst = std::max(worst, 100 * (file / static_cast<double>(value.bytes()) - 1));
    store.erase("overhead");
  }
  return worst;
}

constexpr std::int64_t kSpilled = 6;  // objects; two more have room

// Puts more than memory has room for, and gets what went to the disk.
double spill_seconds(const std::string& folder, const Tensor& piece) {
  const std::int64_t room = 2 * (piece.data.size + kObjectOverhead) + (1 << 20);
  MemoryBackend store(room, 0, std::make_unique<Spill>(folder, 0));
  const auto value = std::make_shared<const Value>(piece);
  const double seconds = seconds_of([&] {
    for (std::int64_t i = 0; i < kSpilled + 2; ++i) store.put(std::to_string(i), value, meta(), 0);
    for (std::int64_t i = 0; i < kSpilled; ++i) store.get(std::to_string(i));
  });
  check(store.stats().spilled_objects == kSpilled);
  return seconds;
}

// The same bytes into files and back into memory, without checksums.
double plain_seconds(const std::string& stem, const Tensor& piece, Buffer& to) {
  const auto name = [&](std::int64_t i) { return stem + std::to_string(i); };
  const double seconds = seconds_of([&] {
    for (std::int64_t i = 0; i < kSpilled; ++i) {
      const FileHandle file(::open(name(i).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
      check(::write(file.fd(), piece.data.data, static_cast<std::size_t>(piece.data.size)) ==
            piece.data.size);
    }
    for (std::int64_t i = 0; i < kSpilled; ++i) {
      const FileHandle file(::open(name(i).c_str(), O_RDONLY | O_CLOEXEC));
      check(::read(file.fd(), to.data(), static_cast<std::size_t>(piece.data.size)) ==
            piece.data.size);
    }
  });
  for (std::int64_t i = 0; i < kSpilled; ++i) std::filesystem::remove(name(i));
  return seconds;
}

// Finds an object by the last of a chain of aliases, for the first time.
double chain_seconds() {
  MemoryBackend store(0, 0);
  const Owner owner{};
  store.put("0", std::make_shared<const Value>(Tensor::scalar<std::int64_t>(7)), meta(), 0);
  for (int i = 1; i <= kChain; ++i) {
    store.alias(std::to_string(i), owner, store.describe(std::to_string(i - 1)).value());
  }
  const std::string last = std::to_string(kChain);
  bool found = false;
  const double seconds = seconds_of([&] { found = store.describe(last) && store.get(last); });
  check(found);
  return seconds;
}

}  // namespace

std::vector<Figure> bench_store(int runs) {
  const TemporaryFolder folder(TemporaryFolder::Place::kDisk);
  FileStoreOptions options{.root = folder.path() + "/objects", .state = folder.path()};
  FileBackend store(options);
  auto buffer = Buffer::allocate(kBytes);
  std::iota(buffer->data(), buffer->data() + kBytes, std::uint8_t{0});
  const Tensor tensor{DType::kU8, {kBytes}, Slice(BufferPtr(buffer))};
  const auto value = std::make_shared<const Value>(tensor);
  auto copy = Buffer::allocate(kBytes);
  std::fill_n(copy->data(), kBytes, std::uint8_t{1});

  const std::int64_t piece_bytes = kBytes / 4;
  const Tensor piece{
      DType::kU8, {piece_bytes}, Slice(BufferPtr(buffer), buffer->data(), piece_bytes)};
  std::vector<double> put, put_limit, get, get_limit, map, spill, spill_limit, chain;
  const std::string plain = folder.path() + "/plain";
  for (int i = 0; i <= runs; ++i) {  // the first round is not counted
    put_limit.push_back(seconds_of([&] { plain_write(plain, tensor); }));
    put.push_back(seconds_of([&] { store.put("k", value, meta(), 0); }));
    get_limit.push_back(seconds_of([&] { plain_read(plain, *copy); }));
    get.push_back(seconds_of([&] { store.get("k"); }));
    map.push_back(seconds_of([&] {
      const FileHandle file(::open((options.root + "/k").c_str(), O_RDONLY | O_CLOEXEC));
      Mapping::of(file.fd(), kBytes);
    }));
    store.erase("k");
    std::filesystem::remove(plain);
    spill_limit.push_back(plain_seconds(plain, piece, *copy));
    spill.push_back(spill_seconds(folder.path() + "/spill", piece));
    chain.push_back(chain_seconds());
    if (i == 0) {
      for (auto* times : {&put, &put_limit, &get, &get_limit, &map, &spill, &spill_limit, &chain})
        times->clear();
    }
  }
  const auto rate = [](const std::vector<double>& times, std::int64_t bytes = kBytes) {
    return static_cast<double>(bytes) / median(times);
  };
  const std::int64_t moved = 2 * kSpilled * piece_bytes;
  const double overhead = overhead_percent(store, options.root);
  return {of_rate("fs_put", "B/s", rate(put), rate(put_limit), 0.8),
          of_rate("fs_get", "B/s", rate(get), rate(get_limit), 0.8),
          of_rate("spill", "B/s", rate(spill, moved), rate(spill_limit, moved), 0.7),
          of_time("fs_map", median(map), kMappingLimit, 1),
          of_time("alias_chain", median(chain), kChainLimit, 1),
          {"arrow_overhead", overhead, "%", kOverheadPercent, kOverheadPercent / overhead, 1}};
}

}  // namespace curia::bench
