// write_samples FOLDER: a store with the samples in it, for tests that read it with other programs.
#include <cstdio>
#include <filesystem>

#include "store/file_backend.h"
#include "tests/store/arrow_samples.h"

int main(int argc, char** argv) {
  using namespace curia;
  if (argc != 2) {
    std::fputs("expected a folder\n", stderr);
    return 2;
  }
  const std::string folder = argv[1];
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
  return 0;
}
