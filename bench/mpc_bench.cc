// A secure device of three processes on this machine, its links sealed. Each figure is what the
// slowest member takes; its limit is the floor: the bytes that a member has to send, at the rate of
// the bare sealed socket, and the arithmetic on its shares, at the rate of the bare loop.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/bare.h"
#include "bench/benches.h"
#include "bench/mpc_world.h"
#include "protocol/simd.h"
#include "worker/mpc/counting.h"
#include "worker/mpc/ring_matmul.h"

namespace curia::bench {
namespace {

using Words = std::uint64_t;

constexpr std::int64_t kRecordBytes = 256 << 10;
constexpr int kFractionBits = 18;
constexpr std::int64_t kProbe = 64 << 20;  // bytes that tell the sealed rate

Slice touched(std::int64_t bytes) { return Slice(filled(bytes)); }

// Parts that do not fit together: the time does not depend on it.
RingShare ring(std::int64_t count) { return {count, touched(8 * count), touched(8 * count)}; }
BitShare bits(std::int64_t count) {
  return {count, touched(8 * bit_words(count)), touched(8 * bit_words(count))};
}

// The same work on shares with data and without.
using Step =
    std::function<void(MpcProtocol&, const std::vector<RingShare>&, const std::vector<BitShare>&)>;

struct Job {
  std::string name;
  std::vector<std::int64_t> rings, bits;  // counts of the operands
  Step step;
  std::function<double()> arithmetic;  // seconds of one member's
  int repeats = 1;                     // inside one measurement
  double goal = 0;                     // seconds
  double goal_mib = 0;
  int counted = 1;  // how many of the repeats the figure stands for
};

MpcCost cost_of(const Job& job) {
  mpc::Counting counting;
  std::vector<RingShare> rings;
  std::vector<BitShare> planes;
  for (const std::int64_t count : job.rings) rings.push_back(counting.ring(count));
  for (const std::int64_t count : job.bits) planes.push_back(counting.bits(count));
  job.step(counting, rings, planes);
  return counting.cost();
}

double timed(const std::function<double()>& work) {
  std::vector<double> seconds;
  for (int i = 0; i < 3; ++i) seconds.push_back(work());
  return median(seconds);
}

// What a member computes of a product of `count` words: two multiplications or conjunctions.
std::function<double()> local_product(std::int64_t count, bool logic, int times = 1) {
  return [=] {
    const std::int64_t bytes = 8 * count;
    const Slice in[] = {touched(bytes), touched(bytes), touched(bytes), touched(bytes)};
    const auto out = Buffer::allocate(bytes);
    std::fill_n(out->data(), bytes, std::uint8_t{1});
    const auto words = [](const Slice& slice) {
      return reinterpret_cast<const Words*>(slice.data);
    };
    const Clock clock;
    for (int i = 0; i < times; ++i) {
      const auto body = [](const Words* a, const Words* b, const Words* c, const Words* d, Words* o,
                           std::int64_t n, bool bitwise) CURIA_INLINE {
        if (bitwise) {
          for (std::int64_t j = 0; j < n; ++j) o[j] = (a[j] & (c[j] ^ d[j])) ^ (b[j] & c[j]);
        } else {
          for (std::int64_t j = 0; j < n; ++j) o[j] = a[j] * (c[j] + d[j]) + b[j] * c[j];
        }
      };
      with_wide_simd(body, words(in[0]), words(in[1]), words(in[2]), words(in[3]),
                     reinterpret_cast<Words*>(out->data()), count, logic);
    }
    return clock.seconds();
  };
}

std::function<double()> local_matmul(std::int64_t n) {
  return [n] {
    const Slice a = touched(8 * n * n), b = touched(8 * n * n);
    const auto out = Buffer::allocate(8 * n * n);
    auto* const c = reinterpret_cast<Words*>(out->data());
    std::fill_n(c, n * n, Words{0});
    const Clock clock;
    const mpc::PackedMatrix packed(n, n, reinterpret_cast<const Words*>(b.data), nullptr);
    for (int i = 0; i < 2; ++i) {
      packed.multiply_add(reinterpret_cast<const Words*>(a.data), n, c);
    }
    return clock.seconds();
  };
}

std::vector<Job> jobs() {
  const auto multiply = [](MpcProtocol& p, const auto& x, const auto&) { p.multiply(x[0], x[1]); };
  const auto matmul = [](std::int64_t n) {
    return [n](MpcProtocol& p, const auto& x, const auto&) { p.matmul(x[0], x[1], n, n, n, 0); };
  };
  const std::int64_t million = 1'000'000;
  return {
      {"mul_1e6", {million, million}, {}, multiply, local_product(million, false), 1, 0.022},
      {"mul_1e7",
       {10 * million, 10 * million},
       {},
       multiply,
       local_product(10 * million, false),
       1,
       0.20,
       400},
      {"and_1e9",  // ten tensors of 10^8 bits
       {},
       {100 * million, 100 * million},
       [](MpcProtocol& p, const auto&, const auto& x) { p.conjunction(x[0], x[1]); },
       local_product(100 * million / 64, true),
       10,
       0.40,
       0,
       10},
      {"lt_1e6",
       {million},
       {},
       [](MpcProtocol& p, const auto& x, const auto&) { p.sign(x[0]); },
       local_product(million / 64, true, 63),
       1,
       0.10,
       120},
      {"fixed_mul_1e6",
       {million, million},
       {},
       [](MpcProtocol& p, const auto& x, const auto&) {
         p.multiply_shift(x[0], x[1], kFractionBits);
       },
       local_product(million, false),
       1,
       0.034},
      {"matmul_512", {512 * 512, 512 * 512}, {}, matmul(512), local_matmul(512), 1, 0.05},
      {"matmul_1024", {1 << 20, 1 << 20}, {}, matmul(1024), local_matmul(1024), 1, 0.30},
      {"mul_round", {1, 1}, {}, multiply, [] { return 0.0; }, 2000, 85e-6, 0, 1},
  };
}

MpcRun measure(const Job& job, int runs) {
  return run_members(runs, [&](MpcProtocol& protocol) {
    std::vector<RingShare> rings;
    std::vector<BitShare> planes;
    for (const std::int64_t count : job.rings) rings.push_back(ring(count));
    for (const std::int64_t count : job.bits) planes.push_back(bits(count));
    return [&job, &protocol, rings, planes] {
      for (int i = 0; i < job.repeats; ++i) job.step(protocol, rings, planes);
    };
  });
}

}  // namespace

std::vector<Figure> bench_mpc(int runs) {
  // The members first: memory that this process has touched would count as theirs.
  const std::vector<Job> all = jobs();
  std::vector<MpcRun> found;
  for (const Job& job : all) found.push_back(measure(job, runs));
  std::vector<double> rates, pings;
  for (int i = 0; i < runs; ++i) {
    warm_free_memory(2 * kProbe);
    rates.push_back(kProbe / bare_sealed_transfer(kProbe, kRecordBytes).seconds);
    pings.push_back(bare_ping(64, 5000));
  }
  std::vector<Figure> figures;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Job& job = all[i];
    const MpcRun& run = found[i];
    const MpcCost cost = cost_of(job);
    const std::int64_t most = *std::max_element(cost.bytes.begin(), cost.bytes.end());
    // One dependent round is half a ping-pong.
    const bool latency = job.name == "mul_round";
    const double sending = latency ? median(pings) / 2 : static_cast<double>(most) / median(rates);
    const double scale = static_cast<double>(job.counted) / job.repeats;
    const double limit = job.counted * (sending + timed(job.arithmetic));
    std::fprintf(stderr, "%-14s %3ld rounds, bytes sent %ld %ld %ld, CPU %.3g s, peak %.0f MiB\n",
                 job.name.c_str(), cost.rounds, cost.bytes[0] * job.counted,
                 cost.bytes[1] * job.counted, cost.bytes[2] * job.counted, run.cpu * scale,
                 run.peak_mib);
    figures.push_back(of_time(job.name, run.seconds * scale, limit, limit / job.goal));
    if (job.goal_mib > 0) {
      figures.push_back({job.name + "_memory", run.peak_mib, "MiB", job.goal_mib,
                         job.goal_mib / run.peak_mib, 1});
    }
  }
  figures.push_back(bench_logreg_step(runs));
  return figures;
}

}  // namespace curia::bench
