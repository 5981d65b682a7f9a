#include "examples/millionaires.h"

#include "examples/secure.h"

namespace curia {
namespace {

const std::vector<std::int64_t> kAlice = {120, 75, 3'000'000'000, -40};
const std::vector<std::int64_t> kBob = {119, 76, 3'000'000'000, 12};

Table fortunes(const std::vector<std::int64_t>& coins) {
  const auto rows = static_cast<std::int64_t>(coins.size());
  return {{{"coins", Tensor::of<std::int64_t>({rows}, coins)}}, rows};
}

}  // namespace

PreparedPtr millionaires_program(std::int64_t pairs) {
  Program program("millionaires");
  const Device abc = program.device("abc", kSecureParties);
  const auto coins = [&](const std::string& party) {
    const std::string type = "table[" + std::to_string(pairs) + "]{coins:i64} @" + party;
    return program.dataset({"fortunes", parse_type(type)}).column("coins").to(abc);
  };
  program.output("less", coins("alice") < coins("bob"));
  return prepare(program);
}

std::vector<bool> millionaires(Session& session, std::int64_t pairs) {
  const Refs refs = session.run(millionaires_program(pairs));
  const Value less = session.fetch(refs["less"]);
  const auto answers = less.tensor().as<bool>();
  return {answers.begin(), answers.end()};
}

std::map<std::string, SimulatedParty> millionaires_parties(const std::vector<std::int64_t>& alice,
                                                           const std::vector<std::int64_t>& bob,
                                                           const std::string& driver) {
  const Digest program = millionaires_program(std::ssize(alice))->digest;
  std::map<std::string, SimulatedParty> parties = secure_parties();
  parties["alice"].datasets.emplace("fortunes", fortunes(alice));
  parties["bob"].datasets.emplace("fortunes", fortunes(bob));
  for (const std::string party : {"alice", "bob"}) {
    parties[party].grants = {{"fortunes", driver, {program}, {"less"}, {}}};
    accept_device(parties[party], "fortunes", program);
  }
  return parties;
}

Example millionaires_example() {
  Example example;
  example.name = "millionaires";
  example.programs = [] { return std::vector{millionaires_program(std::ssize(kAlice))}; };
  example.parties = [](const std::string& driver) {
    return millionaires_parties(kAlice, kBob, driver);
  };
  example.run = [](Session& session) {
    std::string text;
    for (const bool less : millionaires(session, std::ssize(kAlice))) {
      text += less ? "bob is richer\n" : "alice has at least as much\n";
    }
    return text;
  };
  return example;
}

}  // namespace curia
