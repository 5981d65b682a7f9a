// The groups of `./dev bench`. Each measures its limits in the same run, alternating with what is
// measured, and takes medians of `runs`.
#pragma once

#include <vector>

#include "bench/report.h"

namespace curia::bench {

std::vector<Figure> bench_runs(int runs);     // run_rtt, run_pipelined
std::vector<Figure> bench_objects(int runs);  // objects
std::vector<Figure> bench_bulk(int runs);     // put, fetch, transfer, memory
std::vector<Figure> bench_local(int runs);    // local_add, local_matmul
std::vector<Figure> bench_lanes(int runs);    // lane_round, lane_transfer
std::vector<Figure> bench_mpc(int runs);      // mul_1e6 ... mul_round on a secure device
Figure bench_logreg_step(int runs);           // part of mpc

}  // namespace curia::bench
