#include "examples/logreg.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/examples/attacks.h"
#include "tests/support/worlds.h"

using namespace curia;

namespace {

struct Patients {
  std::vector<std::vector<double>> x;  // a row a patient, 31 columns
  std::vector<double> y;
};

Patients patients(bool test) {
  Patients found;
  for (const std::string party : {"alice", "bob"}) {
    const Table table = logreg_patients(party, test);
    found.x.resize(static_cast<std::size_t>(table.rows));
    for (const Column& column : table.columns) {
      const auto& data = std::get<Tensor>(column.data);
      for (std::size_t row = 0; row < found.x.size(); ++row) {
        if (column.name == "benign") {
          found.y.push_back(static_cast<double>(data.as<std::int64_t>()[row]));
        } else {
          found.x[row].push_back(data.as<double>()[row]);
        }
      }
    }
  }
  for (auto& row : found.x) row.push_back(1);
  return found;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The same algorithm without Curia.
LogregResult in_plain_cpp() {
  Patients train = patients(false), test = patients(true);
  const auto rows = static_cast<double>(train.x.size());
  for (std::size_t i = 0; i < 30; ++i) {
    double mean = 0, square = 0;
    for (const auto& x : train.x) mean += x[i] / rows;
    for (const auto& x : train.x) square += (x[i] - mean) * (x[i] - mean) / rows;
    for (Patients* part : {&train, &test}) {
      for (auto& x : part->x) x[i] = (x[i] - mean) / std::sqrt(square);
    }
  }
  std::vector<double> weights(31);
  for (int step = 0; step < kLogregSteps; ++step) {
    std::vector<double> slope(31);
    for (std::size_t row = 0; row < train.x.size(); ++row) {
      const double guess = std::clamp(dot(train.x[row], weights) + 0.5, 0.0, 1.0);
      for (std::size_t i = 0; i < 31; ++i) slope[i] += (guess - train.y[row]) * train.x[row][i];
    }
    for (std::size_t i = 0; i < 31; ++i) weights[i] -= kLogregRate * slope[i] / rows;
  }
  double right = 0, pairs = 0, ordered = 0;
  for (std::size_t a = 0; a < test.x.size(); ++a) {
    const double score = dot(test.x[a], weights);
    right += (score > 0) == (test.y[a] == 1) ? 1 : 0;
    for (std::size_t b = 0; b < test.x.size(); ++b) {
      if (test.y[a] != 1 || test.y[b] != 0) continue;
      pairs++;
      ordered += score > dot(test.x[b], weights) ? 1 : 0;
    }
  }
  return {right / static_cast<double>(test.x.size()), ordered / pairs};
}

void check_training(World& world) {
  const LogregResult clear = in_plain_cpp();
  CHECK(std::abs(clear.accuracy - 0.9737) < 1e-4);
  CHECK(std::abs(clear.auc - 0.9974) < 1e-4);
  Session session = world.connect();
  const LogregResult found = logreg(session);
  CHECK(std::abs(found.accuracy - clear.accuracy) < 0.01);
  CHECK(std::abs(found.auc - clear.auc) < 0.002);
}

}  // namespace

TEST_CASE("logreg: simulated parties train as well as the same algorithm in plain C++") {
  check_training(*simulated_world(logreg_example().parties("dora")));
}

TEST_CASE("logreg: worker processes train as well, and keep the patients") {
  const auto world = process_world(logreg_example().parties("dora"));
  check_training(*world);
  Session session = world->connect();
  check_rows_stay(session, session.dataset("alice", "train"), "accuracy", "bob");
  check_rows_stay(session, session.dataset("bob", "test"), "auc", "alice");
}

TEST_CASE("logreg: without alice's consent bob does not see the scores") {
  auto parties = logreg_example().parties("dora");
  std::erase_if(parties["alice"].grants, [](const Grant& grant) { return grant.to == "bob"; });
  const auto world = simulated_world(std::move(parties));
  Session session = world->connect();
  check_denied([&] { logreg(session); }, "bob");
}
