#include <cblas.h>
#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <thread>

#include "bench/benches.h"
#include "tests/support/process_cluster.h"

namespace curia::bench {
namespace {

constexpr std::int64_t kAddElements = (64 << 20) / 8;
constexpr std::int64_t kMatmulSize = 1024;
// Runs of the op in one task: what a run costs besides is measured by run_rtt.
constexpr std::int64_t kRepeats = 20;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

using AddLoop = void (*)(double* to, const double* x, const double* y, std::int64_t count);

void add_through_cache(double* to, const double* x, const double* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = x[i] + y[i];
}

// count: a multiple of 4; addresses aligned to 32 bytes.
[[gnu::target("avx2")]] void add_round_cache(double* to, const double* x, const double* y,
                                             std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += 4) {
    _mm256_stream_pd(to + i, _mm256_add_pd(_mm256_load_pd(x + i), _mm256_load_pd(y + i)));
  }
  _mm_sfence();
}

double stream_add_seconds(AddLoop loop) {
  const auto bytes = static_cast<std::size_t>(kAddElements) * 8;
  const auto a = Buffer::allocate(static_cast<std::int64_t>(bytes));
  const auto b = Buffer::allocate(static_cast<std::int64_t>(bytes));
  const auto c = Buffer::allocate(static_cast<std::int64_t>(bytes));
  std::memset(a->data(), 1, bytes);
  std::memset(b->data(), 1, bytes);
  std::memset(c->data(), 1, bytes);
  const auto cores = static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  const auto part = [&](std::int64_t i) {
    const std::int64_t from = kAddElements * i / cores / 4 * 4;
    const std::int64_t to = kAddElements * (i + 1) / cores / 4 * 4;
    loop(reinterpret_cast<double*>(a->data()) + from,
         reinterpret_cast<const double*>(b->data()) + from,
         reinterpret_cast<const double*>(c->data()) + from, to - from);
  };
  std::vector<double> times;
  for (int round = 0; round < 10; ++round) {
    times.push_back(seconds_of([&] {
      std::vector<std::thread> threads;
      for (std::int64_t i = 1; i < cores; ++i) threads.emplace_back(part, i);
      part(0);
      for (std::thread& thread : threads) thread.join();
    }));
  }
  return median(times);
}

// Seconds that all cores together need to read two arrays and write a third, a[i] = b[i] + c[i]:
// the add of STREAM, into memory that was touched before, by the faster of two ways to store.
double stream_add_seconds() {
  const double through = stream_add_seconds(add_through_cache);
  if (!__builtin_cpu_supports("avx2")) return through;
  return std::min(through, stream_add_seconds(add_round_cache));
}

double blas_seconds() {
  const auto size = static_cast<std::size_t>(kMatmulSize);
  std::vector<double> a(size * size, 1.5), b(size * size, 0.5), c(size * size);
  const int n = static_cast<int>(kMatmulSize);
  std::vector<double> times;
  for (int round = 0; round < 10; ++round) {
    times.push_back(seconds_of([&] {
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0, a.data(), n, b.data(), n,
                  0.0, c.data(), n);
    }));
  }
  return median(times);
}

// Seconds of one op inside a loop of kRepeats rounds at a party.
double op_seconds(Session& session, const Ref& a, const Ref& b,
                  const std::function<Array(const Array&, const Array&)>& op) {
  Program program("local");
  const Array x = program.input("a", a.type());
  const Array y = program.input("b", b.type());
  program.output("r", for_loop(kRepeats, {x}, [&](const Arrays&, const Index&) -> Arrays {
                   return {op(x, y)};
                 })[0]);
  const PreparedPtr prepared = prepare(program);
  std::vector<double> times;
  for (int round = 0; round < 3; ++round) {
    times.push_back(seconds_of([&] {
      const Refs refs = session.run(prepared, {{"a", a}, {"b", b}});
      session.wait();
    }));
  }
  return median(times) / static_cast<double>(kRepeats);
}

}  // namespace

std::vector<Figure> bench_local(int runs) {
  std::vector<double> add, add_limit, matmul_time, matmul_limit;
  for (int i = 0; i < runs; ++i) {
    add_limit.push_back(stream_add_seconds());
    matmul_limit.push_back(blas_seconds());
    ProcessCluster cluster(std::map<std::string, ProcessParty>{{"alice", {}}});
    Session session = cluster.connect();
    const std::vector<double> vector(static_cast<std::size_t>(kAddElements), 1.25);
    const Ref a = session.put("alice", Tensor::of<double>({kAddElements}, vector));
    const Ref b = session.put("alice", Tensor::of<double>({kAddElements}, vector));
    add.push_back(op_seconds(session, a, b, [](const Array& x, const Array& y) { return x + y; }));
    const std::vector<double> matrix(static_cast<std::size_t>(kMatmulSize * kMatmulSize), 0.5);
    const Ref m = session.put("alice", Tensor::of<double>({kMatmulSize, kMatmulSize}, matrix));
    matmul_time.push_back(
        op_seconds(session, m, m, [](const Array& x, const Array& y) { return matmul(x, y); }));
  }
  return {of_time("local_add", median(add), median(add_limit), 0.7),
          of_time("local_matmul", median(matmul_time), median(matmul_limit), 0.8)};
}

}  // namespace curia::bench
