#include "examples/logreg.h"

#include <algorithm>
#include <cstdio>

#include "examples/secure.h"

namespace curia {
namespace {

constexpr std::int64_t kTrain = 455;
constexpr std::int64_t kTest = 114;
constexpr std::size_t kColumns = 15;  // of each of the two

// Names of the columns of one party, without the diagnosis.
std::vector<std::string> features(const std::string& party) {
  const Table all = example_data("breast_cancer");
  std::vector<std::string> names;
  const std::size_t first = party == "alice" ? 0 : kColumns;
  for (std::size_t i = first; i < first + kColumns; ++i) names.push_back(all.columns[i].name);
  return names;
}

DatasetInfo patients_of(const std::string& party, bool test) {
  Type type{logreg_patients(party, test).type(), party};
  return {test ? "test" : "train", std::move(type)};
}

}  // namespace

Table logreg_patients(const std::string& party, bool test) {
  const Table all = example_data("breast_cancer");
  const Table test_rows = example_data("breast_cancer_test_rows");
  const auto chosen = std::get<Tensor>(test_rows.columns[0].data).as<std::int64_t>();
  std::vector<std::size_t> rows;
  for (std::int64_t row = 0; row < all.rows; ++row) {
    const bool is_test = std::binary_search(chosen.begin(), chosen.end(), row);
    if (is_test == test) rows.push_back(static_cast<std::size_t>(row));
  }
  const auto pick = [&]<class T>(const Column& column, T) {
    std::vector<T> values;
    for (const std::size_t row : rows) {
      values.push_back(std::get<Tensor>(column.data).as<T>()[row]);
    }
    return Tensor::of<T>({std::ssize(rows)}, values);
  };
  Table mine;
  mine.rows = std::ssize(rows);
  for (const std::string& name : features(party)) {
    mine.columns.push_back({name, pick(all.column(name), double{})});
  }
  if (party == "bob") {
    mine.columns.push_back({"benign", pick(all.column("benign"), std::int64_t{})});
  }
  return mine;
}

PreparedPtr logreg_program() {
  Program program("logreg");
  const Device abc = program.device("abc", kSecureParties);
  Arrays train, test;  // of alice, of bob: features with mean 0 and variance 1
  for (const std::string party : {"alice", "bob"}) {
    const Array rows = program.dataset(patients_of(party, false)).tensor(features(party));
    train.push_back(standardised(rows, rows).to(abc));
    const Array others = program.dataset(patients_of(party, true)).tensor(features(party));
    test.push_back(standardised(others, rows).to(abc));
  }
  const auto ones = [&](std::int64_t rows) {
    return program.constant("bob", Tensor::scalar(1.0)).broadcast({rows, 1}).to(abc);
  };
  train.push_back(ones(kTrain));
  test.push_back(ones(kTest));
  const Array x = concat(train, 1);
  const Array benign =
      program.dataset(patients_of("bob", false)).column("benign").cast(DType::kF64).to(abc);
  const Array start = program.constant("bob", Tensor::scalar(0.0)).broadcast({31}).to(abc);
  const Arrays model = for_loop(kLogregSteps, {start}, [&](const Arrays& state, const Index&) {
    const Array z = matmul(x, state[0]);
    const Array error = relu(z + 0.5) - relu(z - 0.5) - benign;
    const Array slope = matmul(x.transpose(), error) * (1.0 / static_cast<double>(kTrain));
    return Arrays{state[0] - slope * kLogregRate};
  });
  const Array scores = matmul(concat(test, 1), model[0]).reveal("bob", "scores");
  const Array truth = program.dataset(patients_of("bob", true)).column("benign") == 1;
  program.output("accuracy", mean(((scores > 0.0) == truth).cast(DType::kF64)));
  // Of the pairs of a benign and a malignant patient, those in the right order.
  const Array pairs = truth.reshape({kTest, 1}) & !truth.reshape({1, kTest});
  const Array right = pairs & (scores.reshape({kTest, 1}) > scores.reshape({1, kTest}));
  program.output("auc", sum(right.cast(DType::kF64)) / sum(pairs.cast(DType::kF64)));
  return prepare(program);
}

LogregResult logreg(Session& session) {
  const Refs refs = session.run(logreg_program());
  const auto number = [&](const char* name) {
    return session.fetch(refs[name]).tensor().as<double>()[0];
  };
  return {number("accuracy"), number("auc")};
}

Example logreg_example() {
  Example example;
  example.name = "logreg";
  example.programs = [] { return std::vector<PreparedPtr>{logreg_program()}; };
  example.parties = [](const std::string& driver) {
    const Digest program = logreg_program()->digest;
    std::map<std::string, SimulatedParty> parties = secure_parties();
    for (const std::string party : {"alice", "bob"}) {
      SimulatedParty& config = parties[party];
      for (const std::string dataset : {"train", "test"}) {
        config.datasets.emplace(dataset, logreg_patients(party, dataset == "test"));
        config.grants.push_back({dataset, driver, {program}, {"accuracy", "auc"}, {}});
        if (party == "alice") config.grants.push_back({dataset, "bob", {program}, {"scores"}, {}});
        accept_device(config, dataset, program);
      }
    }
    return parties;
  };
  example.run = [](Session& session) {
    const LogregResult result = logreg(session);
    char line[64];
    std::snprintf(line, sizeof(line), "accuracy %.4f  AUC %.4f\n", result.accuracy, result.auc);
    return std::string(line);
  };
  return example;
}

}  // namespace curia
