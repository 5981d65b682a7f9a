// curia-bench: what Curia reaches beside what the machine can do. See ./dev bench.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/benches.h"
#include "protocol/error.h"

namespace {

using namespace curia::bench;

struct Group {
  const char* name;
  std::function<std::vector<Figure>(int)> run;
};

// KIND=N, several times.
MpcSizes sizes_of(const std::vector<std::string>& words) {
  MpcSizes sizes;
  for (const std::string& word : words) {
    const std::size_t sign = word.find('=');
    std::int64_t size = 0;
    const char* const end = word.data() + word.size();
    if (sign == std::string::npos ||
        std::from_chars(word.data() + sign + 1, end, size) != std::from_chars_result{end, {}}) {
      throw curia::Error(curia::Code::kInvalid, "--size " + word + ": want KIND=N, as mul=1000000");
    }
    sizes[word.substr(0, sign)].push_back(size);
  }
  return sizes;
}

int run(int argc, char** argv) {
  CLI::App app("curia-bench: figures beside the machine's limits, medians of several runs");
  bool json = false;
  int runs = 5;
  std::vector<std::string> only, sizes;
  app.add_flag("--json", json, "print a list of {name, value, unit, limit, ratio}");
  app.add_option("--runs", runs, "repeats of each measurement")->check(CLI::Range(1, 100));
  app.add_option(
         "--size", sizes,
         "KIND=N, any number of times: sizes of mpc instead of the published ones; kinds: "
         "mul, and, lt, fixed_mul (elements), matmul (n x n), mul_round, logreg_step (times)")
      ->allow_extra_args(false);
  app.add_option("groups", only,
                 "which groups: runs, objects, bulk, local, lanes, mpc, store (all)");
  CLI11_PARSE(app, argc, argv);
  const MpcSizes mpc_sizes = sizes_of(sizes);
  const Group groups[] = {
      {"runs", bench_runs},   {"objects", bench_objects},
      {"bulk", bench_bulk},   {"local", bench_local},
      {"lanes", bench_lanes}, {"mpc", [&](int repeats) { return bench_mpc(repeats, mpc_sizes); }},
      {"store", bench_store}, {"store", bench_oss},
  };
  std::vector<Figure> figures;
  for (const Group& group : groups) {
    if (!only.empty() && std::find(only.begin(), only.end(), group.name) == only.end()) continue;
    if (!json) std::fprintf(stderr, "measuring %s ...\n", group.name);
    const std::vector<Figure> found = group.run(runs);
    figures.insert(figures.end(), found.begin(), found.end());
  }
  if (json) {
    print_json(figures);
  } else {
    print_table(figures);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const curia::Error& error) {
    std::fprintf(stderr, "curia-bench: %s\n", error.what());
    return 1;
  }
}
