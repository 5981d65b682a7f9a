#include "examples/millionaires.h"

int main(int argc, char** argv) {
  return curia::example_main(curia::millionaires_example(), argc, argv);
}
