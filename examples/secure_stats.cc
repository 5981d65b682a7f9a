#include "examples/secure_stats.h"

#include <cstdio>

#include "examples/secure.h"

namespace curia {
namespace {

const std::vector<std::string> kMeasures = {"sepal_length_cm", "sepal_width_cm", "petal_length_cm",
                                            "petal_width_cm"};

std::vector<double> numbers(const Value& value) {
  const auto found = value.tensor().as<double>();
  return {found.begin(), found.end()};
}

}  // namespace

PreparedPtr secure_stats_program() {
  Program program("secure_stats");
  const Device abc = program.device("abc", kSecureParties);
  Arrays parts;
  for (const std::string& party : kSecureParties) {
    const DatasetInfo iris = {
        "iris", parse_type("table[50]{sepal_length_cm:f64,sepal_width_cm:f64,petal_length_cm:f64,"
                           "petal_width_cm:f64,species:i64} @" +
                           party)};
    parts.push_back(program.dataset(iris).tensor(kMeasures).to(abc));
  }
  const Array all = concat(parts, 0);
  program.output("means", mean(all, {0}));
  program.output("variances", variance(all, {0}));
  return prepare(program);
}

SecureStats secure_stats(Session& session) {
  const Refs refs = session.run(secure_stats_program());
  return {numbers(session.fetch(refs["means"])), numbers(session.fetch(refs["variances"]))};
}

Example secure_stats_example() {
  Example example;
  example.name = "secure_stats";
  example.programs = [] { return std::vector<PreparedPtr>{secure_stats_program()}; };
  example.parties = [](const std::string& driver) {
    const Digest program = secure_stats_program()->digest;
    std::map<std::string, SimulatedParty> parties = secure_parties();
    for (auto& [party, config] : parties) {
      config.datasets.emplace("iris", example_data("iris_" + party));
      config.grants = {{"iris", driver, {program}, {"means", "variances"}, {}}};
      accept_device(config, "iris", program);
    }
    return parties;
  };
  example.run = [](Session& session) {
    const SecureStats stats = secure_stats(session);
    std::string text = "                     mean  variance\n";
    for (std::size_t i = 0; i < kMeasures.size(); ++i) {
      char line[64];
      std::snprintf(line, sizeof(line), "%-16s %8.4f  %8.4f\n", kMeasures[i].c_str(),
                    stats.means[i], stats.variances[i]);
      text += line;
    }
    return text;
  };
  return example;
}

}  // namespace curia
