#include "driver/planner.h"

#include <cstdio>
#include <cstring>
#include <utility>

#include "driver/files.h"
#include "protocol/calls.h"
#include "protocol/value_bytes.h"

namespace curia {
namespace {

Tensor zeros(TensorType type) {
  for (std::int64_t& extent : type.shape) extent = extent == kUnknown ? 0 : extent;
  const std::int64_t bytes = byte_count(type);
  if (bytes > kMaxPlannedBytes) {
    throw Error(Code::kQuota, "a plan fetches at most " + std::to_string(kMaxPlannedBytes >> 20) +
                                  " MiB at a time, this is " + type_text(type));
  }
  const auto buffer = Buffer::allocate(bytes);
  std::memset(buffer->data(), 0, static_cast<std::size_t>(bytes));
  return {type.dtype, std::move(type.shape), Slice(buffer)};
}

Value zeros(const Type& type) {
  if (type.is_secret()) return zeros(clear_type(type.secret()));
  if (type.is_tensor()) return zeros(type.tensor());
  Table table;
  table.rows = type.table().rows == kUnknown ? 0 : type.table().rows;
  for (const ColumnType& column : type.table().columns) {
    if (column.dtype == DType::kString) {
      const std::vector<std::string> texts(static_cast<std::size_t>(table.rows));
      table.columns.push_back({column.name, StringColumn::of(texts)});
    } else {
      table.columns.push_back({column.name, zeros(TensorType{column.dtype, {table.rows}})});
    }
  }
  return table;
}

// What is stored has the same URI at every party.
std::string name_of(const std::string& uri, const std::string& party) {
  return uri.starts_with("mem:") ? uri : party + " " + uri;
}

}  // namespace

Planner::Planner(std::string driver, std::string file, SnapshotOf snapshot_of)
    : file_(std::move(file)), snapshot_of_(std::move(snapshot_of)) {
  plan_.driver = std::move(driver);
}

Planner::~Planner() {
  try {
    finish();
  } catch (const Error& error) {
    std::fprintf(stderr, "curia: %s\n", error.what());
  }
}

void Planner::put(const std::string& uri, const Value& value, const Digest& salt,
                  const Site& site) {
  Origin origin;
  origin.kind = Origin::Kind::kPut;
  origin.committed = !salt.empty();
  origin.id = salt.empty() ? random_digest() : put_commitment(salt, content_digest(value));
  origin.site = site;
  const std::lock_guard lock(mutex_);
  origins_[uri] = origin;
}

Origin Planner::made(const std::string& uri, const std::string& what) const {
  const auto found = origins_.find(uri);
  if (found == origins_.end()) {
    throw Error(Code::kInvalid,
                what + " is " + uri +
                    ", which nothing in this plan makes; plan what makes it and what uses it in "
                    "one program and session");
  }
  return found->second;
}

Origin Planner::origin_of(const External& external, const std::vector<std::string>& inputs) {
  switch (external.kind) {
    case External::Kind::kInput:
      return made(name_of(inputs[external.number], external.place),
                  "input \"" + external.name + "\"");
    case External::Kind::kLoad:
      return made(name_of(external.name, external.place), "what is loaded");
    case External::Kind::kDataset:
      break;
  }
  const auto [known, fresh] = snapshots_.try_emplace({external.place, external.name});
  if (fresh) known->second = snapshot_of_(external.place, external.name);
  Origin origin;
  origin.id = known->second;
  return origin;
}

void Planner::note_saves(const Prepared& program, std::uint32_t step) {
  for (std::size_t i = 0; i < program.graph.ops.size(); ++i) {
    const Op& op = program.graph.ops[i];
    if (op.name != "save") continue;
    Origin origin;
    origin.kind = Origin::Kind::kSaved;
    origin.step = step;
    origin.number = program.verified.body.ops[i].number;
    origins_[name_of(std::get<std::string>(op.attrs.at("uri")), op.device)] = origin;
  }
}

void Planner::run(const Prepared& program, const std::vector<std::string>& inputs,
                  const std::vector<std::string>& outputs) {
  const std::lock_guard lock(mutex_);
  if (std::ssize(plan_.steps) == kMaxPlanSteps) {
    throw Error(Code::kQuota, "a plan has at most " + std::to_string(kMaxPlanSteps) + " runs");
  }
  PlannedStep step;
  step.graph = program.graph;
  for (const External& external : externals(program.graph, program.verified)) {
    step.origins.push_back(origin_of(external, inputs));
  }
  const auto number = static_cast<std::uint32_t>(plan_.steps.size());
  for (std::uint32_t i = 0; i < outputs.size(); ++i) {
    Origin origin;
    origin.kind = Origin::Kind::kOutput;
    origin.step = number;
    origin.number = i;
    const auto alias = aliased_input(program.graph, program.verified, program.graph.outputs[i]);
    origins_[outputs[i]] = alias ? step.origins[*alias] : origin;
  }
  plan_.steps.push_back(std::move(step));
  note_saves(program, number);
}

Value Planner::fetch(const Ref& ref) {
  {
    const std::lock_guard lock(mutex_);
    const std::string name = name_of(ref.uri().str(), ref.party());
    const Origin origin = made(name, "what is fetched");
    // What is saved has no output's name, and a put is the driver's own.
    if (origin.kind == Origin::Kind::kOutput) {
      plan_.fetches.push_back({origin.step, origin.number});
    } else if (origin.kind == Origin::Kind::kSaved) {
      throw Error(Code::kInvalid, "a fetch of what was saved cannot be planned; make " + name +
                                      " an output as well, and fetch that");
    }
  }
  return zeros(ref.type());
}

ReleasePlan Planner::plan() const {
  const std::lock_guard lock(mutex_);
  return plan_;
}

void Planner::finish() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(written_, true) || file_.empty()) return;
  }
  write_new_file(file_, plan_json(plan()));
}

}  // namespace curia
