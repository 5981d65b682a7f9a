// A release plan as JSON: programs as hex of their canonical bytes, which are what their digest is
// of.
#include <nlohmann/json.hpp>

#include "protocol/error.h"
#include "protocol/fields.h"
#include "protocol/graph_bytes.h"
#include "protocol/hex.h"
#include "protocol/release_plan.h"

namespace curia {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kFormat = 1;

Json origin_json(const Origin& origin) {
  switch (origin.kind) {
    case Origin::Kind::kDataset:
      return {{"dataset", origin.id.hex()}};
    case Origin::Kind::kPut:
      return {{"put", origin.id.hex()},
              {"committed", origin.committed},
              {"file", origin.site.file},
              {"line", origin.site.line}};
    case Origin::Kind::kOutput:
      return {{"step", origin.step}, {"output", origin.number}};
    case Origin::Kind::kSaved:
      return {{"step", origin.step}, {"saved_by", origin.number}, {"time", origin.time}};
  }
  return {};
}

Origin read_origin(Fields fields) {
  Origin origin;
  if (fields.has("dataset")) {
    origin.id = fields.digest("dataset");
  } else if (fields.has("put")) {
    origin.kind = Origin::Kind::kPut;
    origin.id = fields.digest("put");
    origin.committed = fields.flag_or("committed", false);
    origin.site = {fields.text("file"),
                   static_cast<std::int32_t>(fields.number("line", 0, INT32_MAX))};
  } else {
    origin.step = static_cast<std::uint32_t>(fields.number("step", 0, kMaxPlanSteps));
    origin.kind = fields.has("output") ? Origin::Kind::kOutput : Origin::Kind::kSaved;
    const char* number = origin.kind == Origin::Kind::kOutput ? "output" : "saved_by";
    origin.number = static_cast<std::uint32_t>(fields.number(number, 0, UINT32_MAX - 1));
    if (origin.kind == Origin::Kind::kSaved) {
      origin.time = static_cast<std::uint64_t>(fields.number("time", 0, INT64_MAX));
    }
  }
  fields.finish();
  return origin;
}

PlannedStep read_step(Fields fields) {
  PlannedStep step;
  const std::string graph = fields.text("graph");
  const std::string sites = fields.text("sites");
  fields.checked("graph", [&] {
    step.graph = decode_graph(bytes_of_hex(graph));
    if (!sites.empty()) decode_sites(bytes_of_hex(sites), step.graph);
  });
  for (Fields& origin : fields.list_or_none("from")) {
    step.origins.push_back(read_origin(std::move(origin)));
  }
  fields.finish();
  return step;
}

}  // namespace

std::string plan_json(const ReleasePlan& plan) {
  Json steps = Json::array();
  for (const PlannedStep& step : plan.steps) {
    Json from = Json::array();
    for (const Origin& origin : step.origins) from.push_back(origin_json(origin));
    steps.push_back({{"name", step.graph.name},
                     {"from", from},
                     {"graph", hex_of(encode_graph(step.graph))},
                     {"sites", hex_of(encode_sites(step.graph))}});
  }
  Json fetches = Json::array();
  for (const PlannedFetch& fetch : plan.fetches) {
    fetches.push_back({{"step", fetch.step}, {"output", fetch.output}});
  }
  return Json{{"curia_release_plan", kFormat},
              {"driver", plan.driver},
              {"steps", steps},
              {"fetches", fetches}}
             .dump(1) +
         "\n";
}

ReleasePlan plan_from_json(std::string_view json, const std::string& name) {
  if (std::ssize(json) > kMaxPlanBytes) {
    throw Error(Code::kInvalid, name + ": a release plan has at most " +
                                    std::to_string(kMaxPlanBytes >> 20) + " MiB");
  }
  Fields fields = Fields::of_text(json, name);
  fields.number("curia_release_plan", kFormat, kFormat);
  ReleasePlan plan;
  plan.driver = fields.text("driver");
  std::vector<Fields> steps = fields.list_or_none("steps");
  if (steps.empty() || std::ssize(steps) > kMaxPlanSteps) {
    fields.fail("steps", "expected 1 to " + std::to_string(kMaxPlanSteps));
  }
  for (Fields& step : steps) {
    step.text("name");  // for readers; the graph says it
    plan.steps.push_back(read_step(std::move(step)));
  }
  for (Fields& fetch : fields.list_or_none("fetches")) {
    plan.fetches.push_back({static_cast<std::uint32_t>(fetch.number("step", 0, kMaxPlanSteps)),
                            static_cast<std::uint32_t>(fetch.number("output", 0, UINT32_MAX - 1))});
    fetch.finish();
  }
  fields.finish();
  return plan;
}

}  // namespace curia
