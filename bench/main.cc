// curia-bench: what Curia reaches beside what the machine can do. See ./dev bench.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/benches.h"
#include "protocol/error.h"

namespace {

using namespace curia::bench;

struct Group {
  const char* name;
  std::vector<Figure> (*run)(int);
};

constexpr Group kGroups[] = {
    {"runs", bench_runs},   {"objects", bench_objects}, {"bulk", bench_bulk},
    {"local", bench_local}, {"lanes", bench_lanes},     {"mpc", bench_mpc},
};

int run(int argc, char** argv) {
  CLI::App app("curia-bench: figures beside the machine's limits, medians of several runs");
  bool json = false;
  int runs = 5;
  std::vector<std::string> only;
  app.add_flag("--json", json, "print a list of {name, value, unit, limit, ratio}");
  app.add_option("--runs", runs, "repeats of each measurement")->check(CLI::Range(1, 100));
  app.add_option("groups", only, "which groups: runs, objects, bulk, local, lanes, mpc (all)");
  CLI11_PARSE(app, argc, argv);
  std::vector<Figure> figures;
  for (const Group& group : kGroups) {
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
