#include "examples/least_squares.h"

int main(int argc, char** argv) {
  return curia::example_main(curia::least_squares_example(), argc, argv);
}
