#include <algorithm>
#include <chrono>
#include <cstring>

#include "bench/bare.h"
#include "bench/bare_zmq.h"
#include "bench/benches.h"
#include "tests/support/process_cluster.h"

namespace curia::bench {
namespace {

constexpr std::int64_t kBytes = std::int64_t{256} << 20;
constexpr std::int64_t kRecord = 256 << 10;  // what a data link uses on a fast connection
constexpr std::int64_t kChunk = 1 << 20;
constexpr std::int64_t kWarm = 3 * kBytes;
constexpr double kAllowed = static_cast<double>(kBytes + (std::int64_t{64} << 20));

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Round {
  double put = 0;
  double fetch = 0;
  double transfer = 0;
  double memory = 0;  // peak of the receiving worker, bytes
};

Round one_round() {
  Round round;
  ProcessCluster cluster({{"alice", {}}, {"bob", {}}});
  Session session = cluster.connect();
  const Value value = Tensor{DType::kU8, {kBytes}, Slice(filled(kBytes))};
  // Connections are made once in a session; they are not part of what is measured.
  Program warm("warm");
  const Ref small =
      session.put("alice", Tensor{DType::kU8, {1 << 20}, value.tensor().data.part(0, 1 << 20)});
  warm.output("moved", warm.input(small).to("bob"));
  session.fetch(session.run(warm)["moved"]);

  warm_free_memory(kWarm);
  auto start = std::chrono::steady_clock::now();
  const Ref there = session.put("alice", value);
  session.wait();
  round.put = seconds_since(start);

  Program move("move");
  move.output("moved", move.input(there).to("bob"));
  const PreparedPtr prepared = prepare(move);
  warm_free_memory(kWarm);
  start = std::chrono::steady_clock::now();
  const Refs refs = session.run(prepared);
  session.wait();
  round.transfer = seconds_since(start);
  round.memory = static_cast<double>(peak_memory(cluster.pid("bob")));

  warm_free_memory(kWarm);
  start = std::chrono::steady_clock::now();
  const Value back = session.fetch(there);
  round.fetch = seconds_since(start);
  round.memory = std::max(round.memory, static_cast<double>(peak_memory(cluster.pid("alice"))));
  if (std::memcmp(back.tensor().data.data, value.tensor().data.data,
                  static_cast<std::size_t>(kBytes)) != 0) {
    throw Error(Code::kCorrupt, "the fetched bytes are not those that were put");
  }
  return round;
}

}  // namespace

std::vector<Figure> bench_bulk(int runs) {
  std::vector<double> sealed, curve, put, fetch, transfer, memory;
  for (int i = 0; i < runs; ++i) {
    warm_free_memory(kWarm);
    sealed.push_back(bare_sealed_transfer(kBytes, kRecord).seconds);
    warm_free_memory(kWarm);
    curve.push_back(static_cast<double>(kBytes) / bare_curve_chunk_rate_bytes(kChunk));
    const Round round = one_round();
    put.push_back(round.put);
    fetch.push_back(round.fetch);
    transfer.push_back(round.transfer);
    memory.push_back(round.memory);
  }
  return {of_time("put", median(put), median(sealed), 0.7),
          of_time("fetch", median(fetch), median(sealed), 0.7),
          of_time("transfer", median(transfer), median(sealed), 0.7),
          of_time("transfer_vs_curve", median(transfer), median(curve), 1),
          of_memory("bulk_memory", median(memory) / (1 << 20), kAllowed / (1 << 20))};
}

}  // namespace curia::bench
