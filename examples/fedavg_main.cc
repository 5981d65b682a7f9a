#include "examples/fedavg.h"

int main(int argc, char** argv) { return curia::example_main(curia::fedavg_example(), argc, argv); }
