#include "examples/secure_stats.h"

int main(int argc, char** argv) {
  return curia::example_main(curia::secure_stats_example(), argc, argv);
}
