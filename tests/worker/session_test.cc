#include "worker/session.h"

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <future>

#include "protocol/graph_bytes.h"
#include "protocol/link/memory_link.h"
#include "store/memory_backend.h"
#include "worker/kernels/pool.h"

using namespace curia;

namespace {

// Counts lanes that are made, and can do something before one is.
class NotingLink : public Link {
 public:
  explicit NotingLink(std::shared_ptr<Link> inner) : inner_(std::move(inner)) {}
  std::shared_ptr<Lane> lane(const SessionId& session, std::string_view peer) override {
    ++lanes;
    return inner_->lane(session, peer);
  }
  void close(const SessionId& session) override { inner_->close(session); }
  void forget(std::string_view peer) override { inner_->forget(peer); }
  std::vector<Traffic> traffic() const override { return inner_->traffic(); }

  std::atomic<int> lanes{0};

 private:
  const std::shared_ptr<Link> inner_;
};

// A session at alice, whose bob never says anything.
struct Scene {
  Scene() {
    store.add(std::make_unique<MemoryBackend>(0, 0));
    parts.party = "alice";
    parts.store = &store;
    parts.link = &link;
    parts.pool = &pool;
    session = std::make_unique<WorkerSession>(
        parts, "dora", SessionId{1}, [this](ConnId, const std::string& frame) {
          const std::vector<Packet> packets = split_packets(frame);
          if (before_reply) before_reply(packets.back().header.sequence);
          const std::lock_guard lock(mutex);
          for (const Packet& packet : packets) {
            replies[packet.header.sequence] = {packet.header, std::string(packet.metadata)};
          }
          news.notify_all();
        });
    session->attach(1, 1);
  }
  ~Scene() { session->close(Error(Code::kSessionOver, "the test is done")); }

  template <class Request>
  std::uint64_t ask(Kind kind, const Request& request) {
    Header header;
    header.kind = static_cast<std::uint16_t>(kind);
    header.sequence = header.request = ++sequence;
    session->enqueue(header, encode(request));
    return sequence;
  }
  // How a request ended; kFailed "succeeded" when it did not fail.
  Error end_of(std::uint64_t number) {
    std::unique_lock lock(mutex);
    REQUIRE(
        news.wait_for(lock, std::chrono::seconds(60), [&] { return replies.contains(number); }));
    const auto& [header, metadata] = replies[number];
    if ((header.kind & kFailure) == 0) return {Code::kFailed, "succeeded"};
    return decode<WireError>(metadata).error();
  }
  RunRequest run_of(const Graph& graph, std::uint64_t task) const {
    RunRequest run;
    run.task = task;
    run.digest = program_digest(encode_graph(graph));
    for (std::size_t i = 0; i < graph.outputs.size(); ++i)
      run.outputs.push_back(Uri::fresh().str());
    return run;
  }
  std::uint64_t prepare(const Graph& graph) {
    const std::string bytes = encode_graph(graph);
    return ask(Kind::kPrepare, PrepareRequest{program_digest(bytes), bytes, ""});
  }

  ObjectStore store;
  ThreadPool pool{0};
  MemoryNetwork network;
  NotingLink link{network.link("alice")};
  Parts parts;
  std::mutex mutex;
  std::condition_variable news;
  std::map<std::uint64_t, std::pair<Header, std::string>> replies;
  std::function<void(std::uint64_t sequence)> before_reply;
  std::uint64_t sequence = 0;
  std::unique_ptr<WorkerSession> session;
};

// A number at alice; with `move`, one that bob gets too, so that she waits for his preflight.
Graph number_graph(bool move) {
  Graph graph;
  graph.name = move ? "moved" : "here";
  graph.ops.push_back({"constant", "alice", {}, {{"value", Tensor::scalar<std::int64_t>(7)}}, {}});
  if (move) graph.ops.push_back({"transfer", "bob", {0}, {}, {}});
  graph.outputs.push_back({"out", 0});
  return graph;
}

}  // namespace

TEST_CASE("WorkerSession: a cancel of one task that waits was answered and did nothing") {
  Scene scene;
  scene.prepare(number_graph(true));
  scene.prepare(number_graph(false));
  const auto first = scene.ask(Kind::kRun, scene.run_of(number_graph(true), 1));
  const auto second = scene.ask(Kind::kRun, scene.run_of(number_graph(false), 2));
  const auto third = scene.ask(Kind::kRun, scene.run_of(number_graph(false), 3));
  scene.session->cancel(2);
  scene.session->cancel(1);
  CHECK(scene.end_of(first).code() == Code::kCancelled);
  CHECK(scene.end_of(second).code() == Code::kCancelled);
  CHECK(scene.end_of(third).message() == "succeeded");
  for (std::uint64_t task = 10; task < 10 + kMaxCancelledTasks; ++task) scene.session->cancel(task);
  CHECK_THROWS_AS(scene.session->cancel(9), Error);
  scene.session->cancel(1);  // of what is over
}

TEST_CASE("WorkerSession: a cancel between a run's turn and its beginning was lost") {
  for (const std::uint64_t task : {0, 1}) {
    Scene scene;
    std::atomic<bool> all_asked{false};
    scene.before_reply = [&](std::uint64_t number) {
      all_asked.wait(false);
      // The reply to prepare goes out when the run, which may take long, has its turn.
      if (number == 2) scene.session->cancel(task);
    };
    scene.ask(Kind::kRelease, ReleaseRequest{});
    scene.prepare(number_graph(true));
    const auto run = scene.ask(Kind::kRun, scene.run_of(number_graph(true), 1));
    all_asked = true;
    all_asked.notify_one();
    CHECK(scene.end_of(run).code() == Code::kCancelled);
  }
}

TEST_CASE("WorkerSession: what was stored between a look and the wait for it was NOT_FOUND") {
  Scene scene;
  const Graph graph = number_graph(false);
  scene.prepare(graph);
  const RunRequest run = scene.run_of(graph, 1);
  CHECK(scene.end_of(scene.ask(Kind::kRun, run)).message() == "succeeded");
  const Uri uri = Uri::parse(run.outputs[0]);
  for (const std::uint64_t after : {scene.sequence, scene.sequence + 1}) {
    // The second one's turn never comes.
    std::promise<bool> found;
    scene.session->when_ready(uri, after, [&](const std::optional<Object>& object) {
      found.set_value(object.has_value());
    });
    auto answer = found.get_future();
    REQUIRE(answer.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
    CHECK(answer.get());
  }
}

TEST_CASE("WorkerSession: lanes made after close() were never closed") {
  Scene scene;
  PutRequest put;
  put.uri = Uri::fresh().str();
  put.type = parse_type("u8[100000] @alice");
  put.bytes = 100032;
  put.bulk = true;
  scene.ask(Kind::kPut, put);
  while (scene.parts.waits.waits(std::chrono::milliseconds(0)).empty()) std::this_thread::yield();
  const int before = scene.link.lanes;
  scene.session->close(Error(Code::kSessionOver, "the driver is gone"));
  while (!scene.session->finished()) std::this_thread::yield();
  CHECK_THROWS_AS(scene.session->driver_lane(LaneUse::kFetches, 1), Error);
  CHECK(scene.session->conn() == 0);
  CHECK(scene.link.lanes == before);
}

TEST_CASE("WorkerSession: a run of a program that found no room said it was not prepared") {
  Scene scene;
  std::uint64_t last = 0;
  Graph graph;
  for (std::int64_t i = 0; i < 20; ++i) {
    graph = number_graph(false);
    graph.ops[0].attrs["value"] = Tensor::of<std::int64_t>({8000}, std::vector(8000, i));
    for (int k = 0; k < 14; ++k) graph.ops.push_back(graph.ops[0]);
    last = scene.prepare(graph);
  }
  CHECK(scene.end_of(last).code() == Code::kQuota);
  CHECK(scene.end_of(scene.ask(Kind::kRun, scene.run_of(graph, 1))).code() == Code::kQuota);
}

TEST_CASE("WorkerSession: outputs that cannot be stored were refused after the run") {
  Scene scene;
  Graph graph = number_graph(true);
  graph.outputs.push_back({"twice", 0});
  scene.prepare(graph);
  RunRequest run = scene.run_of(graph, 1);
  SUBCASE("two under one name") { run.outputs[1] = run.outputs[0]; }
  SUBCASE("elsewhere than in memory") { run.outputs[1] = "fs:///a"; }
  // bob is never asked: his preflight would not come.
  CHECK(scene.end_of(scene.ask(Kind::kRun, run)).code() == Code::kInvalid);
  CHECK(scene.link.lanes <= 1);  // to tell him
}

TEST_CASE("WorkerSession: save() replaced what another session of the driver keeps in memory") {
  Scene scene;
  auto meta = std::make_shared<ObjectMeta>();
  meta->type = parse_type("i64[] @alice");
  meta->label = std::make_shared<const Label>();
  meta->principal = "dora";
  meta->session = SessionId{2};
  const Uri uri = Uri::fresh();
  const auto value = std::make_shared<const Value>(Tensor::scalar<std::int64_t>(1));
  scene.store.put(uri, value, meta);
  Graph graph = number_graph(false);
  graph.ops.push_back({"save", "alice", {0}, {{"uri", uri.str()}}, {}});
  scene.prepare(graph);
  CHECK(scene.end_of(scene.ask(Kind::kRun, scene.run_of(graph, 1))).code() == Code::kImmutable);
  scene.store.erase(uri);
  meta = std::make_shared<ObjectMeta>(*meta);
  meta->session = SessionId{1};
  scene.store.put(uri, value, meta);
  CHECK(scene.end_of(scene.ask(Kind::kRun, scene.run_of(graph, 2))).message() == "succeeded");
}

TEST_CASE("Plan: what takes more than its types tell is never quick") {
  const auto quick = [](const char* op, const std::vector<ValueId>& operands,
                        std::map<std::string, Attr> attrs) {
    Graph graph;
    graph.inputs.push_back({"keys", parse_type("u8[8192] @alice")});
    graph.ops.push_back(
        {"make_table", "alice", {0}, {{"names", std::vector<std::string>{"k"}}}, {}});
    graph.ops.push_back({op, "alice", operands, std::move(attrs), {}});
    graph.outputs.push_back({"out", 2});
    const std::string bytes = encode_graph(graph);
    return make_plan("alice", "dora", program_digest(bytes), bytes, "")->quick;
  };
  CHECK(quick("column", {1}, {{"name", std::string("k")}}));
  CHECK_FALSE(quick("join", {1, 1}, {{"on", std::vector<std::string>{"k"}}}));
}
