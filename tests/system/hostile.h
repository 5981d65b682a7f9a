// What tests of hostile drivers share.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "protocol/graph_bytes.h"
#include "protocol/uri.h"
#include "tests/system/helpers.h"
#include "tests/system/raw_session.h"

namespace curia {

inline std::map<std::string, ProcessParty> hostile_parties() {
  std::map<std::string, ProcessParty> two;
  two["alice"].csv = {{"x", "v\n1\n2\n3\n"}};
  two["bob"] = {};
  return two;
}

struct Hostile {
  ProcessCluster cluster{hostile_parties()};

  RawDriver client(const std::string& who = "mallory") const {
    return raw_client(cluster, who, "alice");
  }
  RawDriver open(const std::string& who = "mallory") const {
    return raw_session(cluster, who, "alice");
  }
  // The worker lives, and an honest driver notices nothing.
  void check_alive() const {
    Session session = cluster.connect();
    check_works(session, "alice", "bob");
  }
};

inline std::string frame_of(Header header, const std::string& metadata = "") {
  std::string frame;
  append_packet(frame, header, metadata);
  return frame;
}

// One op that needs nobody: its output is at alice.
inline Graph small_graph() {
  Graph graph;
  graph.name = "small";
  graph.ops.push_back({"constant", "alice", {}, {{"value", Tensor::scalar<std::int64_t>(7)}}, {}});
  graph.outputs.push_back({"out", 0});
  return graph;
}

inline PrepareRequest prepare_of(const Graph& graph) {
  const std::string bytes = encode_graph(graph);
  return {program_digest(bytes), bytes, ""};
}

inline RunRequest run_of(const PrepareRequest& program, std::uint64_t task) {
  RunRequest run;
  run.task = task;
  run.digest = program.digest;
  run.outputs = {Uri::fresh().str()};
  return run;
}

inline std::int64_t stat_of(RawDriver& raw, const std::string& name) {
  for (const StatsEntry& entry : decode<StatsReply>(raw.call(Kind::kStats, "").metadata).entries) {
    if (entry.name == name) return entry.value;
  }
  return -1;
}

inline std::string bytes_of(const RawReply& reply) {
  return std::to_string(reply.header.kind) + reply.metadata;
}

}  // namespace curia
