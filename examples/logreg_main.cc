#include "examples/logreg.h"

int main(int argc, char** argv) { return curia::example_main(curia::logreg_example(), argc, argv); }
