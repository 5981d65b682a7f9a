#include "examples/iris_means.h"

int main(int argc, char** argv) {
  return curia::example_main(curia::iris_means_example(), argc, argv);
}
