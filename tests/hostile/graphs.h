// Programs as a driver sends them that writes its own bytes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "protocol/graph_bytes.h"
#include "protocol/message.h"
#include "tests/hostile/world.h"

namespace curia {

inline PrepareRequest prepared(const Graph& graph) {
  const std::string bytes = encode_graph(graph);
  return {program_digest(bytes), bytes, ""};
}

inline RunRequest run_of(const PrepareRequest& program, std::uint64_t task,
                         std::vector<std::string> outputs = {Uri::fresh().str()},
                         std::vector<std::string> inputs = {}) {
  RunRequest run;
  run.task = task;
  run.digest = program.digest;
  run.inputs = std::move(inputs);
  run.outputs = std::move(outputs);
  return run;
}

// The rows of one of alice's datasets, as the output "out".
inline Graph rows_graph(const std::string& dataset) {
  Program program("rows");
  program.output("out", rows_of(program, dataset));
  return program.graph();
}

inline Graph move_graph(const std::string& dataset, const std::string& name) {
  Program program(name);
  program.output("out", rows_of(program, dataset).to("bob", "move"));
  return program.graph();
}

inline SessionId fresh_session() {
  SessionId id{};
  random_bytes(id);
  return id;
}

}  // namespace curia
