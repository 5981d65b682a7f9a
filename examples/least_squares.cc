#include "examples/least_squares.h"

#include <cstdio>

#include "examples/secure.h"

namespace curia {
namespace {

constexpr std::int64_t kPatients = 442;
constexpr std::int64_t kFeatures = 10;

// The columns that a party holds, in the order of the data.
std::vector<std::string> columns_of(const std::string& party) {
  if (party == "alice") return {"age", "sex", "bmi", "bp", "s1"};
  if (party == "bob") return {"s2", "s3", "s4", "s5", "s6"};
  return {"progression"};
}

Table patients_of(const std::string& party) {
  const Table all = example_data("diabetes");
  Table mine;
  mine.rows = all.rows;
  for (const std::string& name : columns_of(party)) mine.columns.push_back(all.column(name));
  return mine;
}

// Solves a x = b by Gauss-Jordan elimination. equations: [n, n + 1], a with b as its last column.
// No pivoting: a is positive definite, so every pivot is at least its smallest eigenvalue.
Array solve(Program& program, const Device& device, Array equations) {
  for (std::int64_t i = 0; i < kFeatures; ++i) {
    const Array pivot = equations.slice({i, i}, {i + 1, i + 1});
    const Array row = equations.slice({i, 0}, {i + 1, kFeatures + 1}) * reciprocal(pivot);
    std::vector<double> unit(static_cast<std::size_t>(kFeatures), 0.0);
    unit[static_cast<std::size_t>(i)] = 1;
    const Array factor = equations.slice({0, i}, {kFeatures, i + 1}) -
                         program.constant(device, Tensor::of<double>({kFeatures, 1}, unit));
    equations = equations - factor * row;  // row i becomes `row` itself
  }
  return equations.slice({0, kFeatures}, {kFeatures, kFeatures + 1});
}

}  // namespace

PreparedPtr least_squares_program() {
  Program program("least_squares");
  const Device abc = program.device("abc", kSecureParties);
  const auto shared = [&](const std::string& party) {
    const Type type{patients_of(party).type(), party};
    const Array rows = program.dataset({"patients", type}).tensor(columns_of(party));
    return standardised(rows, rows).to(abc);
  };
  const Array x = concat({shared("alice"), shared("bob")}, 1);
  const Array y = shared("carol");  // [442, 1], mean 0 and variance 1
  const Array products = matmul(x.transpose(), concat({x, y}, 1));
  const Array weights = solve(program, abc, products * (1.0 / static_cast<double>(kPatients)));
  const Array residual = y - matmul(x, weights);
  program.output("r2", 1.0 - mean(residual * residual));
  return prepare(program);
}

double least_squares(Session& session) {
  const Refs refs = session.run(least_squares_program());
  return session.fetch(refs["r2"]).tensor().as<double>()[0];
}

Example least_squares_example() {
  Example example;
  example.name = "least_squares";
  example.programs = [] { return std::vector<PreparedPtr>{least_squares_program()}; };
  example.parties = [](const std::string& driver) {
    const Digest program = least_squares_program()->digest;
    std::map<std::string, SimulatedParty> parties = secure_parties();
    for (auto& [party, config] : parties) {
      config.datasets.emplace("patients", patients_of(party));
      config.grants = {{"patients", driver, {program}, {"r2"}, {}}};
      accept_device(config, "patients", program);
    }
    return parties;
  };
  example.run = [](Session& session) {
    char line[64];
    std::snprintf(line, sizeof(line), "R2 %.4f\n", least_squares(session));
    return std::string(line);
  };
  return example;
}

}  // namespace curia
