#include <atomic>
#include <stdexcept>
#include <thread>

#include "tests/kernels/support.h"

using namespace curia;
using namespace curia::test;

TEST_CASE("ThreadPool: every chunk runs once, for any number of helpers") {
  for (const int helpers : {0, 1, 3}) {
    ThreadPool threads(helpers);
    for (const std::int64_t chunks : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(chunks));
      threads.run(chunks, [&](std::int64_t i) { ++seen[static_cast<std::size_t>(i)]; });
      for (const auto& count : seen) CHECK(count == 1);
    }
  }
}

TEST_CASE("ThreadPool: several callers and nested runs finish") {
  ThreadPool threads(2);
  std::atomic<std::int64_t> total{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        threads.run(8, [&](std::int64_t) { threads.run(8, [&](std::int64_t) { ++total; }); });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(total == 4 * 50 * 64);
}

TEST_CASE("ThreadPool: an exception in a chunk reaches the caller, and the pool lives on") {
  ThreadPool threads(2);
  for (int round = 0; round < 20; ++round) {
    CHECK_THROWS_WITH_AS(threads.run(100,
                                     [](std::int64_t i) {
                                       if (i == 50) throw std::runtime_error("chunk");
                                     }),
                         "chunk", std::runtime_error);
  }
  std::atomic<int> done{0};
  threads.run(10, [&](std::int64_t) { ++done; });
  CHECK(done == 10);
}

TEST_CASE("Kernels: a cancelled task stops within a chunk") {
  const Tensor x = sample(DType::kF64, {1 << 20}, 1);
  for (const char* name : {"exp", "sum", "argsort", "transpose"}) {
    Op op;
    op.name = name;
    op.attrs = {{"axis", std::int64_t{0}}};
    const std::vector<ValuePtr> operands = {std::make_shared<const Value>(
        std::string(name) == "transpose" ? Tensor{x.dtype, {1 << 10, 1 << 10}, x.data} : x)};
    std::atomic<int> polls{0};
    const std::function<bool()> cancelled = [&] { return ++polls > 0; };
    try {
      (*find_kernel(name))(
          {.op = op, .operands = operands, .pool = &pool(), .cancelled = &cancelled});
      FAIL_CHECK(name);
    } catch (const Error& error) {
      CHECK(error.code() == Code::kCancelled);
    }
    CHECK(polls <= 3);  // one a thread
  }
}

TEST_CASE("Kernels: the table is sorted, has no name twice, and does not know other names") {
  const auto table = kernel_table();
  for (std::size_t i = 1; i < table.size(); ++i) CHECK(table[i - 1].name < table[i].name);
  CHECK(find_kernel("cond") == nullptr);
  CHECK(find_kernel("") == nullptr);
  CHECK(find_kernel("zzz") == nullptr);
}
