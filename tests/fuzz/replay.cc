// Runs a fuzz target without libFuzzer: every file of a folder as it is, then seeded random
// mutations of them. The input that ended the process is left in the file named on stderr.
//
//   <target> <folder> [iterations] [seed]
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using Random = std::mt19937_64;
using Input = std::string;

constexpr std::size_t kMaxInput = 1 << 16;

// What the signal handler saves.
const Input* current = nullptr;

void save_input(int signal) {
  static constexpr char kPath[] = "fuzz-failure.bin";
  const int file = open(kPath, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const bool saved =
      file >= 0 && current != nullptr &&
      write(file, current->data(), current->size()) == static_cast<ssize_t>(current->size());
  static constexpr char kText[] = "the input is in fuzz-failure.bin\n";
  if (saved && write(STDERR_FILENO, kText, sizeof(kText) - 1) < 0) _exit(1);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::size_t below(Random& random, std::size_t limit) {
  return static_cast<std::size_t>(random() % limit);
}

void mutate_once(Random& random, const std::vector<Input>& corpus, Input& input) {
  static constexpr std::string_view kBytes("\x00\x01\x7f\x80\xff\"{}[],:@?/.%-0", 19);
  const std::size_t at = below(random, input.size() + 1);
  const std::size_t length = std::min(below(random, 16) + 1, input.size() - at);
  switch (below(random, 8)) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(random, 8)));
      break;
    case 1:
      if (at < input.size()) input[at] = kBytes[below(random, kBytes.size())];
      break;
    case 2:
      input.insert(at, 1, kBytes[below(random, kBytes.size())]);
      break;
    case 3:
      input.erase(at, length);
      break;
    case 4:
      input.insert(below(random, input.size() + 1), Input(input, at, length));
      break;
    case 5:
      input.insert(at, below(random, 64), static_cast<char>(random()));
      break;
    case 6: {  // A piece of another input.
      const Input& other = corpus[below(random, corpus.size())];
      const std::size_t from = below(random, other.size() + 1);
      input.replace(at, length, other, from, below(random, 64));
      break;
    }
    default:
      if (below(random, 4) == 0) input.resize(at);
      break;
  }
}

void run(const Input& input) {
  current = &input;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  current = nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: " << argv[0] << " <folder> [iterations] [seed]\n";
    return 2;
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) std::signal(signal, save_input);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry);
  std::ranges::sort(files);
  std::vector<Input> corpus;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    run(corpus.back());
  }
  if (corpus.empty()) {
    std::cerr << argv[1] << " holds no inputs\n";
    return 2;
  }
  const long iterations = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 10'000;
  Random random(argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1);
  for (long i = 0; i < iterations; ++i) {
    Input input = corpus[below(random, corpus.size())];
    for (std::size_t n = below(random, 6) + 1; n > 0; --n) mutate_once(random, corpus, input);
    if (input.size() > kMaxInput) input.resize(kMaxInput);
    run(input);
  }
  std::cout << corpus.size() << " inputs and " << iterations << " mutations\n";
  return 0;
}
