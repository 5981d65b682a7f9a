// Mean petal length of alice's and bob's irises; neither sees the other's rows, nor does the
// driver.
#include <cstdio>

#include "driver/cluster.h"

using namespace curia;

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: first CLUSTER.json\n"), 2;
  try {
    Session session = connect(argv[1]);
    Program program("first");
    Array alice = program.dataset(session.dataset("alice", "iris")).column("petal_length_cm");
    Array bob = program.dataset(session.dataset("bob", "iris")).column("petal_length_cm");
    Array total = sum(alice).to("bob") + sum(bob);
    program.output("mean", total / 100);

    Refs refs = session.run(program);  // returns at once; the result stays at bob
    std::printf("%s\n", refs["mean"].str().c_str());
    Value mean = session.fetch(refs["mean"]);  // asks alice and bob
    std::printf("%.3f\n", mean.tensor().as<double>()[0]);
  } catch (const Error& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
}
