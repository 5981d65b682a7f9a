// The groups of `./dev bench`. Each measures its limits in the same run, alternating with what is
// measured, and takes medians of `runs`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bench/report.h"

namespace curia::bench {

// Sizes of works by kind, for those that have other sizes than the published figures.
using MpcSizes = std::map<std::string, std::vector<std::int64_t>>;

std::vector<Figure> bench_runs(int runs);     // run_rtt, run_pipelined, consent
std::vector<Figure> bench_objects(int runs);  // objects
std::vector<Figure> bench_bulk(int runs);     // put, fetch, transfer, memory
std::vector<Figure> bench_local(int runs);    // local_add, local_matmul
std::vector<Figure> bench_lanes(int runs);    // lane_round, lane_transfer
std::vector<Figure> bench_store(int runs);    // fs_put, fs_get, fs_map, arrow_overhead
std::vector<Figure> bench_oss(int runs);      // oss_put, oss_get; none without an S3 server
std::vector<Figure> bench_mpc(int runs,
                              const MpcSizes& sizes);    // mul_1e6 ... mul_round on a secure device
Figure bench_logreg_step(int runs, std::int64_t steps);  // part of mpc

}  // namespace curia::bench
