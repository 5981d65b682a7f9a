#include "examples/fedavg.h"

#include <cstdio>

namespace curia {
namespace {

const std::vector<std::string> kClinics = {"alice", "bob", "carol"};
constexpr std::int64_t kTrain = 152;  // patients a clinic
constexpr std::int64_t kTest[] = {38, 38, 37};
constexpr std::int64_t kFeatures = 30;

// Names and types are constants, so that the programs' digests are known beforehand.
DatasetInfo patients(int clinic, bool test) {
  std::string columns;
  for (const std::string& feature : fedavg_features()) columns += feature + ":f64,";
  const std::int64_t rows = test ? kTest[clinic] : kTrain;
  return {test ? "test" : "train", parse_type("table[" + std::to_string(rows) + "]{" + columns +
                                              "benign:i64} @" + kClinics[clinic])};
}

// The model and the scales live at carol and are told to each clinic.
struct Model {
  explicit Model(Program& program)
      : weights(program.input("weights", parse_type("f64[31] @carol"))),
        means(program.input("means", parse_type("f64[30] @carol"))),
        deviations(program.input("deviations", parse_type("f64[30] @carol"))) {}
  Array scaled(const Array& table) const {
    const std::string& clinic = table.device();
    return (table.tensor(fedavg_features()) - means.to(clinic, "model")) /
           deviations.to(clinic, "model");
  }
  Array weights, means, deviations;
};

// The probability that a patient's tumour is benign; the last weight is the bias.
Array predict(const Array& x, const Array& weights) {
  return sigmoid(matmul(x, weights.slice({0}, {kFeatures})) +
                 weights.slice({kFeatures}, {kFeatures + 1}));
}

Array descend(const Array& x, const Array& y, const Array& weights) {
  const Array error = predict(x, weights) - y;
  const Array slope = concat(
      {matmul(x.transpose(), error) / static_cast<double>(kTrain), mean(error, {0}, true)}, 0);
  return weights - slope * kFedavgRate;
}

PreparedPtr scale_program() {
  Program program("fedavg_scale");
  std::vector<Array> sums, squares;
  for (int clinic = 0; clinic < 3; ++clinic) {
    const Array x = program.dataset(patients(clinic, false)).tensor(fedavg_features());
    sums.push_back(sum(x, {0}).to("carol", "moments"));
    squares.push_back(sum(x * x, {0}).to("carol", "moments"));
  }
  const Array means = (sums[0] + sums[1] + sums[2]) / (3 * kTrain);
  const Array square = (squares[0] + squares[1] + squares[2]) / (3 * kTrain);
  program.output("means", means);
  program.output("deviations", sqrt(square - means * means));
  return prepare(program);
}

PreparedPtr round_program() {
  Program program("fedavg_round");
  const Model model(program);
  std::vector<Array> updates;
  for (int clinic = 0; clinic < 3; ++clinic) {
    const Array table = program.dataset(patients(clinic, false));
    const Array x = model.scaled(table);
    const Array y = table.column("benign").cast(DType::kF64);
    const Arrays trained = for_loop(
        kFedavgSteps, {model.weights.to(table.device(), "model")},
        [&](const Arrays& state, const Index&) { return Arrays{descend(x, y, state[0])}; });
    updates.push_back(trained[0].to("carol", "update"));
  }
  program.output("weights", (updates[0] + updates[1] + updates[2]) / 3);
  return prepare(program);
}

PreparedPtr accuracy_program() {
  Program program("fedavg_accuracy");
  const Model model(program);
  std::vector<Array> right;
  for (int clinic = 0; clinic < 3; ++clinic) {
    const Array table = program.dataset(patients(clinic, true));
    const Array benign =
        predict(model.scaled(table), model.weights.to(table.device(), "model")) > 0.5;
    right.push_back(sum(benign == (table.column("benign") == 1)).to("carol", "right"));
  }
  const Array all = (right[0] + right[1] + right[2]).cast(DType::kF64);
  program.output("accuracy", all / (kTest[0] + kTest[1] + kTest[2]));
  return prepare(program);
}

}  // namespace

FedavgPrograms fedavg_programs() { return {scale_program(), round_program(), accuracy_program()}; }

double fedavg(Session& session) {
  const FedavgPrograms programs = fedavg_programs();
  const Refs scale = session.run(programs.scale);
  // They are zeros, as everybody knows; the salt only makes them the same value each time.
  Ref weights = session.put("carol", Tensor::of<double>({31}, std::vector<double>(31)),
                            {.salt = "the first weights are zeros"});
  const auto inputs = [&] {
    return std::map<std::string, Ref>{
        {"weights", weights}, {"means", scale["means"]}, {"deviations", scale["deviations"]}};
  };
  // No round waits for the one before: the references are known at once.
  for (int round = 0; round < kFedavgRounds; ++round) {
    weights = session.run(programs.round, inputs())["weights"];
  }
  const Refs result = session.run(programs.accuracy, inputs());
  return session.fetch(result["accuracy"]).tensor().as<double>()[0];
}

Example fedavg_example() {
  Example example;
  example.name = "fedavg";
  example.programs = [] {
    const FedavgPrograms programs = fedavg_programs();
    return std::vector<PreparedPtr>{programs.scale, programs.round, programs.accuracy};
  };
  example.parties = [programs = example.programs](const std::string& driver) {
    std::set<Digest> ours;
    for (const PreparedPtr& program : programs()) ours.insert(program->digest);
    std::map<std::string, SimulatedParty> parties;
    for (int clinic = 0; clinic < 3; ++clinic) {
      SimulatedParty& party = parties[kClinics[clinic]];
      party.datasets.emplace("train", fedavg_patients(clinic, false));
      party.datasets.emplace("test", fedavg_patients(clinic, true));
      for (const std::string& other : kClinics) {
        if (other == kClinics[clinic]) continue;
        party.grants.push_back({"train", other, ours, {"moments", "model", "update", "right"}, {}});
        if (other == "carol") party.grants.push_back({"test", other, ours, {"right"}, {}});
      }
      party.grants.push_back({"train", driver, ours, {"accuracy"}, {}});
      party.grants.push_back({"test", driver, ours, {"accuracy"}, {}});
    }
    return parties;
  };
  example.run = [](Session& session) {
    char line[64];
    std::snprintf(line, sizeof(line), "accuracy %.4f on 113 test patients\n", fedavg(session));
    return std::string(line);
  };
  return example;
}

}  // namespace curia
