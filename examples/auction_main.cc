#include "examples/auction.h"

int main(int argc, char** argv) {
  return curia::example_main(curia::auction_example(), argc, argv);
}
