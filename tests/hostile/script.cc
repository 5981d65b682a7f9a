#include "tests/hostile/script.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "driver/cluster.h"
#include "protocol/fields.h"

namespace curia {

Ref Script::scale(Session& session) const {
  const Ref put = session.put("alice", Tensor::scalar<std::int64_t>(factor), {.salt = salt});
  Program first("scale");
  first.output("scaled", rows_of(first, dataset) * first.input(put));
  return session.run(first)["scaled"];
}

Ref Script::run(Session& session) const {
  const Ref scaled = scale(session);
  Program second("total");
  const Array values = second.input(scaled);
  second.output("total", (largest ? max(values) : sum(values)).to(to));
  return session.run(second)["total"];
}

std::int64_t Script::fetch(Session& session) const {
  return session.fetch(run(session), kPatience).tensor().as<std::int64_t>()[0];
}

std::int64_t Script::truth() const {
  if (largest) return *std::ranges::max_element(kCanaries) * factor;
  return std::accumulate(kCanaries.begin(), kCanaries.end(), INT64_C(0)) * factor;
}

ReleasePlan planned(World& world, const std::function<void(Session&)>& script) {
  const std::string path = world.cluster().folder() + "/plan-" + random_hex(8);
  ConnectionOptions options;
  options.plan_file = path;
  Session session = world.cluster().connect("dora", options);
  script(session);
  session.close();
  return plan_from_json(read_file(path), path);
}

Approval agreed(const ReleasePlan& plan, std::int64_t times) {
  Approval approval = approval_of(plan, check_plan(plan), "alice");
  approval.times = times;
  approval.until = parse_time("2200-01-01T00:00:00Z");
  approval.nonce = random_digest();
  return approval;
}

void set_files(World& world, const std::vector<std::string>& texts) {
  for (const auto& old : std::filesystem::directory_iterator(world.approvals_folder())) {
    std::filesystem::remove(old.path());
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::ofstream(world.approvals_folder() + "/" + std::to_string(i) + ".json") << texts[i];
  }
}

void approve(World& world, Approval approval) {
  if (world.unprotected()) return;
  sign(approval, world.approver());
  set_files(world, {approval_json(approval)});
  Trial::must(world.reload(), "alice takes a good approval");
}

void approve(World& world, const std::function<void(Session&)>& script, std::int64_t times) {
  approve(world, agreed(planned(world, script), times));
}

void approve(World& world, const Script& script, std::int64_t times) {
  approve(
      world, [&](Session& session) { script.fetch(session); }, times);
}

}  // namespace curia
