#include "examples/iris_means.h"

#include <cstdio>

namespace curia {
namespace {

const std::vector<std::string> kMeasures = {"sepal_length_cm", "sepal_width_cm", "petal_length_cm",
                                            "petal_width_cm"};

// The program names the datasets' types, so that its digest is known before anything is connected.
DatasetInfo iris_of(const std::string& party) {
  return {"iris", parse_type("table[50]{sepal_length_cm:f64,sepal_width_cm:f64,petal_length_cm:f64,"
                             "petal_width_cm:f64,species:i64} @" +
                             party)};
}

Array local_sum(Program& program, const std::string& party) {
  return sum(program.dataset(iris_of(party)).tensor(kMeasures), {0});
}

}  // namespace

PreparedPtr iris_means_program() {
  Program program("iris_means");
  const Array alice = local_sum(program, "alice").to("carol", "sums");
  const Array bob = local_sum(program, "bob").to("carol", "sums");
  const Array carol = local_sum(program, "carol");
  program.output("means", (alice + bob + carol) / 150);
  return prepare(program);
}

std::vector<double> iris_means(Session& session) {
  const Refs refs = session.run(iris_means_program());
  const Value means = session.fetch(refs["means"]);
  const auto numbers = means.tensor().as<double>();
  return {numbers.begin(), numbers.end()};
}

Example iris_means_example() {
  Example example;
  example.name = "iris_means";
  example.programs = [] { return std::vector<PreparedPtr>{iris_means_program()}; };
  example.parties = [](const std::string& driver) {
    const Digest program = iris_means_program()->digest;
    std::map<std::string, SimulatedParty> parties;
    for (const std::string party : {"alice", "bob", "carol"}) {
      parties[party].datasets.emplace("iris", example_data("iris_" + party));
      // carol may see the sums of the others, the driver the means: by this program only.
      if (party != "carol") {
        parties[party].grants.push_back({"iris", "carol", {program}, {"sums"}, {}});
      }
      parties[party].grants.push_back({"iris", driver, {program}, {"means"}, {}});
    }
    return parties;
  };
  example.run = [](Session& session) {
    const std::vector<double> means = iris_means(session);
    std::string text;
    for (std::size_t i = 0; i < means.size(); ++i) {
      char line[64];
      std::snprintf(line, sizeof(line), "%-16s %.4f\n", kMeasures[i].c_str(), means[i]);
      text += line;
    }
    return text;
  };
  return example;
}

}  // namespace curia
