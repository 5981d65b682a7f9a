#include "examples/join_group.h"

int main(int argc, char** argv) {
  return curia::example_main(curia::join_group_example(), argc, argv);
}
