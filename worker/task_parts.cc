// The parts of a task, and what each of them gives to be stored.
#include <utility>

#include "protocol/memory.h"
#include "worker/release_rules.h"
#include "worker/task.h"

namespace curia {

std::vector<TaskOutput> Task::part() {
  const std::size_t now = next_part_++;
  step_through(plan_.graph.ops, plan_.verified.body, ops_of_part(plan_.graph, now), values_);
  std::vector<TaskOutput> outputs = collect(now);
  if (calls()) {
    // What is stored counts there, and no more in what the run was promised.
    std::int64_t stored = 0;
    for (const TaskOutput& output : outputs) {
      if (!output.input) stored += held_bytes(output.meta->type);
    }
    memory_of_run_->reduce(stored);
  } else {
    memory_of_run_->release();
    for (const auto& [op, own] : memory_) own->release();
  }
  return outputs;
}

std::vector<TaskOutput> Task::collect(std::size_t part) const {
  std::vector<TaskOutput> outputs;
  for (const Plan::Output& stored : plan_.outputs) {
    if (stored.part != part) continue;
    const std::uint32_t i = stored.number;
    const GraphOutput& output = plan_.graph.outputs[i];
    const ValuePtr& value = values_[output.value];
    outputs.push_back(
        {i, value,
         stored.input ? inputs_.at(*stored.input)
                      : meta(*value, plan_.verified.body.types[output.value], flow_->outputs[i],
                             made_->output(i), output.name, plan_.verified.output_range(i)),
         stored.input});
  }
  return outputs;
}

std::shared_ptr<const ObjectMeta> Task::meta(const Value& value, const Type& type, LabelPtr label,
                                             const Lineage& lineage, const std::string& output,
                                             Ranges ranges) const {
  const SecureDevice* device = find_device(plan_.graph.devices, type.device);
  auto facts = std::make_shared<ObjectMeta>(
      ObjectMeta{type, std::move(label), lineage, info_.driver, info_.session, info_.task,
                 plan_.digest, output, device == nullptr ? SecureDevice{} : *device,
                 TaskMemory::concerns(type), std::move(ranges)});
  parts_.rules->stored(value, *facts);
  return facts;
}

}  // namespace curia
