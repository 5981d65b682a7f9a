// write_samples FOLDER: a store with the samples in it, and files as they are exported, for tests
// that read them with other programs.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "store/arrow_file.h"
#include "store/csv.h"
#include "store/file_backend.h"
#include "store/npy.h"
#include "tests/store/arrow_samples.h"

using namespace curia;

namespace {

void store_samples(const std::string& folder) {
  std::filesystem::create_directories(folder + "/state");
  FileStoreOptions options{.root = folder + "/objects", .state = folder + "/state"};
  FileBackend store(options);
  for (const auto& [name, value] : arrow_samples()) {
    auto meta = std::make_shared<ObjectMeta>();
    if (!value.is_error()) meta->type = value.type();
    meta->type.device = "alice";
    auto label = std::make_shared<Label>();
    label->sources[{"alice", "patients"}];
    meta->label = std::move(label);
    meta->principal = "dora";
    store.put(name, std::make_shared<const Value>(value), std::move(meta), 0);
  }
}

void export_samples(const std::string& folder) {
  std::filesystem::create_directories(folder);
  const auto write = [&folder](const std::string& name, const std::string& bytes) {
    std::ofstream(folder + "/" + name, std::ios::binary) << bytes;
  };
  for (const auto& [name, value] : arrow_samples()) {
    if (value.is_error() || value.is_share()) continue;
    write(name + ".arrow", write_arrow(value));
    if (value.is_tensor()) write(name + ".npy", write_npy(value.tensor()));
    if (value.is_table()) write(name + ".csv", write_csv(value.table()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("expected a folder\n", stderr);
    return 2;
  }
  store_samples(std::string(argv[1]));
  export_samples(std::string(argv[1]) + "/exports");
  return 0;
}
