// A driver that tells each worker what it likes, and verifies nothing.
#pragma once

#include <future>
#include <map>
#include <string>

#include "protocol/graph_bytes.h"
#include "tests/driver/session_world.h"

namespace curia {

class TwoFaced {
 public:
  explicit TwoFaced(const Simulation& cluster) : connection_(cluster.wiring("dora"), {}) {
    connection_.wait_up();
  }

  Digest prepare(const std::string& party, const Graph& graph) {
    const Digest digest = program_digest(encode_graph(graph));
    prepare_as(party, graph, digest);
    return digest;
  }
  void prepare_as(const std::string& party, const Graph& graph, const Digest& digest) {
    const PrepareRequest request{digest, encode_graph(graph), encode_sites(graph)};
    connection_.call(party, Kind::kPrepare, encode(request), std::chrono::seconds(20));
  }

  // Sends each party its own request; what each answers, "" for success.
  std::map<std::string, std::string> run(const std::map<std::string, RunRequest>& requests) {
    std::map<std::string, std::promise<std::string>> answers;
    for (const auto& [party, request] : requests) answers[party];
    for (const auto& [party, request] : requests) {
      connection_.submit(party, Kind::kRun, encode(request),
                         [&answer = answers[party]](const std::string*, const Error* error) {
                           answer.set_value(error == nullptr ? "" : error->what());
                         });
    }
    std::map<std::string, std::string> texts;
    for (auto& [party, answer] : answers) texts[party] = answer.get_future().get();
    return texts;
  }

  std::string fetch_error(const std::string& party, const std::string& uri) {
    FetchRequest request;
    request.uri = uri;
    return error_of([&] {
             connection_.call(party, Kind::kFetch, encode(request), std::chrono::seconds(20));
           })
        .what();
  }

 private:
  DriverConnection connection_;
};

}  // namespace curia
