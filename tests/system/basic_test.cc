// Real worker processes, real sockets.
#include <doctest/doctest.h>

#include "driver/session.h"
#include "tests/support/process_cluster.h"

using namespace curia;

namespace {

std::map<std::string, ProcessParty> three_parties() {
  std::map<std::string, ProcessParty> parties;
  parties["alice"] = {
      .csv = {{"x", "v\n1\n2\n3\n"}},
      .grants = R"([{"source": "x", "to": "carol"}, {"source": "x", "to": "dora"}])"};
  parties["bob"] = {.csv = {{"x", "v\n10\n20\n30\n"}},
                    .grants = R"([{"source": "x", "to": "carol"}, {"source": "x", "to": "dora"}])"};
  parties["carol"] = {};
  return parties;
}

}  // namespace

TEST_CASE("System: three processes add up, and the driver fetches the sum") {
  ProcessCluster cluster(three_parties());
  Session session = cluster.connect();
  Program program("total");
  Array total;
  for (const char* party : {"alice", "bob"}) {
    const Array rows = program.dataset(session.dataset(party, "x"));
    const Array part = sum(rows.column("v")).to("carol");
    total = total.node() == nullptr ? part : total + part;
  }
  program.output("total", total);
  const Refs refs = session.run(program);
  CHECK(session.fetch(refs["total"]).tensor().as<std::int64_t>()[0] == 66);
}

TEST_CASE("System: a large value goes to a party, to another and back, unchanged") {
  ProcessCluster cluster(three_parties());
  Session session = cluster.connect();
  std::vector<double> numbers(1 << 20);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i) * 0.5;
  const Ref there = session.put("alice", Tensor::of<double>({1 << 20}, numbers));
  Program program("move");
  program.output("moved", program.input(there).to("bob"));
  const Refs refs = session.run(program);
  const Value back = session.fetch(refs["moved"]);
  const auto found = back.tensor().as<double>();
  CHECK(std::equal(found.begin(), found.end(), numbers.begin(), numbers.end()));
}
