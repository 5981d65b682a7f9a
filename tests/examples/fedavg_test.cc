#include "examples/fedavg.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/examples/attacks.h"
#include "tests/support/worlds.h"

using namespace curia;

namespace {

struct Patients {
  std::vector<std::vector<double>> x;
  std::vector<double> y;
};

Patients patients(int party, bool test) {
  const Table table = fedavg_patients(party, test);
  Patients found;
  found.x.resize(static_cast<std::size_t>(table.rows));
  for (const std::string& feature : fedavg_features()) {
    const auto column = std::get<Tensor>(table.column(feature).data).as<double>();
    for (std::size_t row = 0; row < column.size(); ++row) found.x[row].push_back(column[row]);
  }
  for (const std::int64_t y : std::get<Tensor>(table.column("benign").data).as<std::int64_t>()) {
    found.y.push_back(static_cast<double>(y));
  }
  return found;
}

double predict(const std::vector<double>& x, const std::vector<double>& weights) {
  double z = weights.back();
  for (std::size_t i = 0; i < x.size(); ++i) z += x[i] * weights[i];
  return 1 / (1 + std::exp(-z));
}

std::vector<double> descend(const Patients& data, std::vector<double> weights) {
  std::vector<double> slope(weights.size());
  for (std::size_t row = 0; row < data.x.size(); ++row) {
    const double error = predict(data.x[row], weights) - data.y[row];
    for (std::size_t i = 0; i < data.x[row].size(); ++i) slope[i] += error * data.x[row][i];
    slope.back() += error;
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] -= kFedavgRate * slope[i] / static_cast<double>(data.x.size());
  }
  return weights;
}

// The same algorithm without Curia: the weights after all rounds, and the accuracy.
std::pair<std::vector<double>, double> in_plain_cpp() {
  std::vector<Patients> train, test;
  for (int party = 0; party < 3; ++party) {
    train.push_back(patients(party, false));
    test.push_back(patients(party, true));
  }
  std::vector<double> means(30), squares(30);
  for (const Patients& part : train) {
    for (const auto& x : part.x) {
      for (std::size_t i = 0; i < 30; ++i) means[i] += x[i] / 456;
      for (std::size_t i = 0; i < 30; ++i) squares[i] += x[i] * x[i] / 456;
    }
  }
  for (auto* parts : {&train, &test}) {
    for (Patients& part : *parts) {
      for (auto& x : part.x) {
        for (std::size_t i = 0; i < 30; ++i) {
          x[i] = (x[i] - means[i]) / std::sqrt(squares[i] - means[i] * means[i]);
        }
      }
    }
  }
  std::vector<double> weights(31);
  for (int round = 0; round < kFedavgRounds; ++round) {
    std::vector<double> average(31);
    for (const Patients& part : train) {
      std::vector<double> local = weights;
      for (int step = 0; step < kFedavgSteps; ++step) local = descend(part, local);
      for (std::size_t i = 0; i < 31; ++i) average[i] += local[i] / 3;
    }
    weights = average;
  }
  int right = 0;
  for (const Patients& part : test) {
    for (std::size_t row = 0; row < part.x.size(); ++row) {
      if ((predict(part.x[row], weights) > 0.5) == (part.y[row] == 1)) ++right;
    }
  }
  return {weights, right / 113.0};
}

void check_training(World& world) {
  Session session = world.connect();
  const double accuracy = fedavg(session);
  CHECK(accuracy == doctest::Approx(in_plain_cpp().second));
  CHECK(accuracy == doctest::Approx(0.9912).epsilon(1e-4));
}

void check_attacks(World& world) {
  Session session = world.connect();
  for (const std::string party : {"alice", "bob", "carol"}) {
    const std::string other = party == "alice" ? "bob" : "alice";
    check_rows_stay(session, session.dataset(party, "train"), "accuracy", other);
    check_rows_stay(session, session.dataset(party, "test"), "accuracy", other);
  }
}

}  // namespace

TEST_CASE("fedavg: simulated clinics reach the accuracy of the same algorithm in plain C++") {
  check_training(*simulated_world(fedavg_example().parties("dora")));
}

TEST_CASE("fedavg: worker processes reach the same accuracy, and keep the patients") {
  const auto world = process_world(fedavg_example().parties("dora"));
  check_training(*world);
  check_attacks(*world);
}

TEST_CASE("fedavg: simulated clinics keep the patients") {
  check_attacks(*simulated_world(fedavg_example().parties("dora")));
}

TEST_CASE("fedavg: the weights are those of plain C++, for a driver who may see them") {
  auto parties = fedavg_example().parties("dora");
  for (auto& [party, config] : parties) config.grants.push_back({.source = "train", .to = "dora"});
  const auto world = simulated_world(std::move(parties));
  Session session = world->connect();
  const FedavgPrograms programs = fedavg_programs();
  const Refs scale = session.run(programs.scale);
  Ref weights = session.put("carol", Tensor::of<double>({31}, std::vector<double>(31)));
  for (int round = 0; round < kFedavgRounds; ++round) {
    weights = session.run(programs.round, {{"weights", weights},
                                           {"means", scale["means"]},
                                           {"deviations", scale["deviations"]}})["weights"];
  }
  const Value value = session.fetch(weights);
  const auto found = value.tensor().as<double>();
  const std::vector<double> expected = in_plain_cpp().first;
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(std::abs(found[i] - expected[i]) < 1e-9);
}

TEST_CASE("fedavg: the driver cannot see the model, nor the means it is scaled with") {
  const auto world = simulated_world(fedavg_example().parties("dora"));
  Session session = world->connect();
  const FedavgPrograms programs = fedavg_programs();
  const Refs scale = session.run(programs.scale);
  const Ref start = session.put("carol", Tensor::of<double>({31}, std::vector<double>(31)));
  const Refs model = session.run(
      programs.round,
      {{"weights", start}, {"means", scale["means"]}, {"deviations", scale["deviations"]}});
  check_denied([&] { session.fetch(scale["means"]); }, "but not as \"means\"");
  check_denied([&] { session.fetch(model["weights"]); }, "but not as \"weights\"");
}

// The value has been through a program that no owner named, and the label remembers it.
TEST_CASE("fedavg: a patient's row, cut out first, cannot go through a granted program") {
  const auto world = simulated_world(fedavg_example().parties("dora"));
  Session session = world->connect();
  const FedavgPrograms programs = fedavg_programs();
  const Refs scale = session.run(programs.scale);
  Program cut("cut");
  const Array rows = cut.dataset(session.dataset("carol", "train"));
  const Array row = rows.tensor(fedavg_features()).slice({0, 0}, {1, 30}).reshape({30});
  cut.output("weights", concat({row, row.slice({0}, {1})}, 0));
  const Refs stolen = session.run(cut);
  const std::map<std::string, Ref> inputs = {{"weights", stolen["weights"]},
                                             {"means", scale["means"]},
                                             {"deviations", scale["deviations"]}};
  const std::string reason = "not through program " + stolen["weights"].facts().program;
  // Towards the other clinics,
  const Refs model = session.run(programs.round, inputs);
  check_denied([&] { session.fetch(model["weights"]); }, reason);
  // and towards the driver.
  const Refs accuracy = session.run(programs.accuracy, inputs);
  check_denied([&] { session.fetch(accuracy["accuracy"]); }, reason);
  check_denied([&] { session.wait(); }, reason);
}
