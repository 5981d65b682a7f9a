#include "examples/example.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "driver/cluster.h"
#include "driver/connection.h"
#include "worker/policy_json.h"

namespace curia {
namespace {

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) throw Error(Code::kFailed, "cannot write " + path.string());
}

void write_parties(const std::map<std::string, SimulatedParty>& parties, const std::string& dir) {
  for (const auto& [party, config] : parties) {
    const std::filesystem::path folder = std::filesystem::path(dir) / party;
    std::filesystem::create_directories(folder);
    for (const auto& [name, value] : config.datasets) {
      write_file(folder / (name + ".csv"), write_csv(value.table()));
    }
    write_file(folder / "grants.json", grants_json(config.grants) + "\n");
  }
}

std::string simulate(const Example& example, const std::string& driver) {
  Simulation cluster(example.parties(driver), {driver});
  Session session(cluster.wiring(driver), {});
  return example.run(session);
}

}  // namespace

int example_main(const Example& example, int argc, char** argv) {
  CLI::App app("Curia example " + example.name);
  std::string cluster;
  std::string folder;
  std::string driver = "dora";
  bool simulated = false;
  bool digest = false;
  app.add_flag("--simulate", simulated, "run on a cluster inside this process");
  app.add_option("--cluster", cluster, "run on the workers of this cluster file");
  app.add_flag("--digest", digest, "print the digest of each program");
  app.add_option("--write", folder, "write each party's data and grants below this folder");
  app.add_option("--driver", driver, "the driver's name in grants")->capture_default_str();
  app.require_option(1, 2);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    if (digest) {
      for (const PreparedPtr& program : example.programs()) {
        std::printf("%s %s\n", program->digest.hex().c_str(), program->graph.name.c_str());
      }
    }
    if (!folder.empty()) write_parties(example.parties(driver), folder);
    if (simulated) std::fputs(simulate(example, driver).c_str(), stdout);
    if (!cluster.empty()) {
      Session session = connect(cluster);
      std::fputs(example.run(session).c_str(), stdout);
    }
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", example.name.c_str(), error.what());
    return error.code() == Code::kInvalid ? 2 : 1;
  } catch (const std::filesystem::filesystem_error& error) {
    std::fprintf(stderr, "%s: %s\n", example.name.c_str(), error.what());
    return 2;
  }
}

Table example_data(const std::string& name) {
  return read_csv(CURIA_EXAMPLE_DATA "/" + name + ".csv");
}

}  // namespace curia
