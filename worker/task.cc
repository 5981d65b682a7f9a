#include "worker/task.h"

#include <algorithm>
#include <future>

#include "protocol/op_table.h"
#include "store/mapping.h"
#include "worker/consent.h"
#include "worker/find_object.h"
#include "worker/kernels/kernel.h"
#include "worker/release_rules.h"

namespace curia {
namespace {

constexpr std::chrono::seconds kConsentTimeout{10};

}  // namespace

Task::Task(Parts& parts, Plan& plan, TaskInfo info,
           std::map<std::string, std::shared_ptr<Lane>>& lanes)
    : parts_(parts), plan_(plan), info_(std::move(info)), lanes_(lanes) {
  cancelled_ = [this] { return info_.cancelled->load(std::memory_order_relaxed); };
}

std::vector<TaskOutput> Task::run(const std::vector<Object>& inputs) {
  try {
    memory_of_run_.emplace(parts_.store->backend("mem"), plan_.result_bytes,
                           Owner{info_.driver, info_.session});
    load_outside(inputs);
    if (!plan_.others.empty()) {
      preflight();
    } else if (plan_.verified.random) {
      instance_ = random_digest();
    }
    made_.emplace(plan_.digest, lineages_, plan_.verified.random ? &instance_ : nullptr);
    const Flow& flow = plan_.flow(labels_, *parts_.rules, instance_);
    flow_ = &flow;
    ask_consents(flow);
    open_memory();
    save_labels_ = flow.saves;
    return part();
  } catch (const Error& error) {
    throw error.at_party(parts_.party);
  }
}

std::vector<TaskOutput> Task::call() {
  try {
    return part();
  } catch (const Error& error) {
    throw error.at_party(parts_.party);
  }
}

void Task::load_outside(const std::vector<Object>& inputs) {
  for (const External& external : plan_.outside) {
    ValuePtr value;
    LabelPtr label;
    Lineage lineage;
    Digest instance;
    if (here(external)) {
      if (external.kind == External::Kind::kDataset) {
        const auto found = parts_.datasets.find(external.name);
        if (found == parts_.datasets.end()) {
          throw Error(Code::kNotFound, "no dataset \"" + external.name + "\" at " + parts_.party);
        }
        if (!accepts(external.type, found->second.type)) {
          throw Error(Code::kInvalid, "dataset \"" + external.name + "\" is " +
                                          found->second.type.str() + ", the program expects " +
                                          external.type.str());
        }
        take_ranges(external, found->second);
        value = found->second.value;
        auto own = std::make_shared<Label>();
        own->sources[{parts_.party, external.name}];
        label = std::move(own);
        lineage = dataset_lineage(parts_.party, external.name, found->second.lineage);
      } else {
        Object object;
        if (external.kind == External::Kind::kInput) {
          object = inputs[external.number];
        } else if (auto found = find_object(*parts_.store, Uri::parse(external.name),
                                            {info_.driver, info_.session})) {
          object = std::move(*found);
        } else {
          throw Error(Code::kNotFound, "no object " + external.name);
        }
        // A failure under an empty label is nobody's secret; with a label it goes on as a value.
        if (object.meta->label->sources.empty()) object.value->check();
        if (!accepts(external.type, object.meta->type)) {
          throw Error(Code::kInvalid, "\"" + external.name + "\" is " + object.meta->type.str() +
                                          ", the program expects " + external.type.str());
        }
        value = object.value;
        if (value->is_share()) instance = check_share(external, object);
        take_ranges(external, object, value);
        label = object.meta->label;
        lineage = object.meta->lineage;
        if (external.kind == External::Kind::kInput) inputs_[external.number] = object.meta;
      }
      if (external.kind != External::Kind::kInput) sources_[external.number] = value;
    }
    if (external.kind == External::Kind::kInput) values_.push_back(std::move(value));
    if (label != nullptr) label = parts_.rules->incoming(external, std::move(label));
    labels_.push_back(std::move(label));
    lineages_.push_back(lineage);
    instances_.push_back(instance);
  }
}

void Task::ask_consents(const Flow& flow) {
  std::vector<ReleaseWish> wishes;
  std::vector<const ReleasePoint*> points;
  for (const ReleasePoint& point : flow.releases) {
    if (std::ranges::find(point.from, parts_.party) == point.from.end()) continue;
    if (point.kind == ReleasePoint::Kind::kShare) {
      wishes.push_back({point.label, "", plan_.digest, point.name, point.op, point.device,
                        made_->move(point.op)});
      points.push_back(&point);
      continue;
    }
    for (const std::string& recipient : point.to) {
      wishes.push_back(
          {point.label, recipient, plan_.digest, point.name, point.op, {}, made_->move(point.op)});
      points.push_back(&point);
    }
  }
  if (wishes.empty()) return;
  const ReleaseContext context{info_.driver, session_hex(info_.session), info_.task, instance_};
  auto answer = std::make_shared<std::promise<std::string>>();
  std::future<std::string> ready = answer->get_future();
  const WaitBoard::Pin pin(parts_.waits, {parts_.party, "owners", "consent", context.session,
                                          info_.task, points[0]->op_name, points[0]->site, 0});
  parts_.rules->ask(parts_, context, wishes,
                    [answer](const std::string& refused) { answer->set_value(refused); });
  if (ready.wait_for(kConsentTimeout) != std::future_status::ready) {
    throw Error(Code::kTimeout, "no answer from the owners of the data; no answer is a refusal")
        .at_op(points[0]->op_name, points[0]->site);
  }
  if (const std::string refused = ready.get(); !refused.empty()) {
    ++parts_.counters.denied;
    const ReleasePoint* at = points[0];
    for (const ReleasePoint* point : points) {
      if (refused.find("\"" + point->name + "\"") != std::string::npos) at = point;
    }
    throw Error(Code::kDenied, refused).at_op(at->op_name, at->site);
  }
}

Task::Values Task::region(const std::vector<Op>& ops, const TypedRegion& typed, Values values) {
  step_through(ops, typed, {0, ops.size()}, values);
  return values;
}

void Task::step_through(const std::vector<Op>& ops, const TypedRegion& typed, PartOps which,
                        Values& values) {
  const std::vector<std::uint32_t>& last_use = plan_.last_use(typed);
  values.reserve(typed.types.size());
  for (auto i = static_cast<std::uint32_t>(which.first); i < which.last; ++i) {
    const Op& op = ops[i];
    const std::size_t end = i + 1 < ops.size() ? typed.ops[i + 1].first_result : typed.types.size();
    try {
      poll();
      Values results = step(op, typed, typed.ops[i], values);
      check_mapped(op, values);
      results.resize(end - typed.ops[i].first_result);
      for (ValuePtr& result : results) {
        // What nobody uses goes at once.
        if (last_use[values.size()] == i) result.reset();
        values.push_back(std::move(result));
      }
    } catch (const Error& error) {
      throw error.at_op(op.name, plan_.graph.site_of(op));
    }
    for (const ValueId operand : op.operands) {
      if (last_use[operand] == i) values[operand].reset();
    }
  }
}

void Task::check_mapped(const Op& op, const Values& values) {
  for (const ValueId operand : op.operands) {
    if (values[operand] == nullptr || !has_faulted(*values[operand])) continue;
    throw Error(Code::kCorrupt,
                "the file of a stored object was cut or could not be read while it "
                "was in use");
  }
}

Task::Values Task::step(const Op& op, const TypedRegion& around, const TypedOp& typed,
                        const Values& values) {
  if (!std::binary_search(typed.parties.begin(), typed.parties.end(), parts_.party)) return {};
  if (op.name == "transfer") {
    return transfer(op, around.types[op.operands[0]], typed, values);
  }
  if (op.name == "cond") return cond(op, typed, values);
  if (op.name == "while" || op.name == "for") return loop(op, typed, values);
  if (is_call(op)) return in_call(op, typed, values);
  if (op.name == "dataset" || op.name == "load") return {sources_.at(typed.number)};
  if (op.name == "loop_index") {
    return {std::make_shared<const Value>(Tensor::scalar(indices_.back()))};
  }
  if (op.name == "save") {
    save(op, typed.number, around.types[op.operands[0]], values[op.operands[0]]);
    return {};
  }
  if (op.name == "share") return share(op, around, typed, values);
  if (op.name == "reveal") return reveal(op, around, typed, values);
  // An op on public values of a device is done by each member for itself.
  if (around.types[typed.first_result].is_secret()) return on_device(op, around, typed, values);
  return compute(op, around, typed, values);
}

// All accounts at once, whatever the data makes of the run: that there are too many labels is told
// to everybody.
void Task::open_memory() {
  std::map<Account, std::shared_ptr<TaskMemory>> known;
  for (const std::uint32_t op : plan_.unknown_sizes) {
    const LabelPtr& label = flow_->ops.at(op);
    auto& own = known[{label, ""}];
    if (own == nullptr) own = std::make_shared<TaskMemory>(parts_.store->backend("mem"), label);
    memory_[op] = own;
  }
}

TaskMemory& Task::memory_of(const TypedOp& typed) { return *memory_.at(typed.number); }

Task::Values Task::compute(const Op& op, const TypedRegion& around, const TypedOp& typed,
                           const Values& values) {
  const Kernel* kernel = find_kernel(op.name);
  if (kernel == nullptr) {
    throw Error(Code::kUnimplemented, "this worker has no kernel for op " + op.name);
  }
  const auto rows = plan_.verified.row_wise.find(typed.number);
  if (rows != plan_.verified.row_wise.end()) {
    return compute_rows(op, around, typed, values, rows->second);
  }
  const auto results_of = static_cast<std::size_t>(result_count(op));
  Values operands;
  bool told = true;  // by the types, all that an op's success and the size of its results hang on
  for (const ValueId operand : op.operands) {
    if (values[operand]->is_error()) return Values(results_of, values[operand]);
    told = told && !TaskMemory::concerns(around.types[operand]);
    operands.push_back(values[operand]);
  }
  for (std::size_t r = 0; r < results_of; ++r) {
    told = told && !TaskMemory::concerns(around.types[typed.first_result + r]);
  }
  if (told) return (*kernel)({op, operands, parts_.pool, &cancelled_});
  TaskMemory& memory = memory_of(typed);
  try {
    memory.reserve_results(op, operands);
    Values results = (*kernel)({op, operands, parts_.pool, &cancelled_, &memory.reserver()});
    memory.settle(operands, results);
    return results;
  } catch (const Error& error) {
    // Whether it fails tells something about the data. So the run goes on with the failure in the
    // place of the results, under their labels: who may see those sees what went wrong.
    if (!parts_.rules->is_value(error)) throw;
    const Error poison = error.at_op(op.name, plan_.graph.site_of(op)).at_party(parts_.party);
    return Values(results_of, std::make_shared<const Value>(poison));
  }
}

bool Task::share_predicate(const Op& op, const TypedOp& typed, const ValuePtr& predicate) {
  const Tag tag = next_tag(typed);
  if (op.device == parts_.party) {
    // A failure in its place is told to all who would learn the predicate: they were granted it.
    const std::uint8_t way = predicate->tensor().as<bool>()[0] ? 1 : 0;
    const Slice head = Slice::copy_of(std::span(&way, 1));
    for (const std::string& peer : typed.parties) {
      if (peer != parts_.party) send(peer, tag, head, {});
    }
    return way == 1;
  }
  const Message message = recv(op.device, tag, 0, "predicate", &op);
  if (message.head.size != 1 || message.head.data[0] > 1) {
    throw Error(Code::kCorrupt, "expected a predicate of one byte from " + op.device);
  }
  return message.head.data[0] == 1;
}

Task::Values Task::cond(const Op& op, const TypedOp& typed, const Values& values) {
  const bool way = share_predicate(op, typed, values[op.operands[0]]);
  const std::size_t r = way ? 0 : 1;
  Values params;
  for (std::size_t i = 1; i < op.operands.size(); ++i) params.push_back(values[op.operands[i]]);
  const Values inner = region(op.regions[r].ops, typed.regions[r], std::move(params));
  Values results;
  for (const ValueId result : op.regions[r].results) results.push_back(inner[result]);
  return results;
}

Task::Values Task::in_call(const Op& op, const TypedOp& typed, const Values& values) {
  Values params;
  for (const ValueId operand : op.operands) params.push_back(values[operand]);
  const Values inner = region(op.regions[0].ops, typed.regions[0], std::move(params));
  Values results;
  for (const ValueId result : op.regions[0].results) results.push_back(inner[result]);
  return results;
}

Task::Values Task::loop(const Op& op, const TypedOp& typed, const Values& values) {
  const bool has_condition = op.name == "while";
  const std::int64_t rounds =
      std::get<std::int64_t>(op.attrs.at(has_condition ? "limit" : "count"));
  const Region& body = op.regions.back();
  Values params;
  for (const ValueId operand : op.operands) params.push_back(values[operand]);
  for (std::int64_t i = 0; i < rounds; ++i) {
    poll();
    if (has_condition) {
      const Values inner = region(op.regions[0].ops, typed.regions[0], params);
      if (!share_predicate(op, typed, inner[op.regions[0].results[0]])) break;
    }
    if (!has_condition) indices_.push_back(i);
    // The state is the body's alone, so that each value of it goes with its last use.
    Values given = params;
    for (std::size_t k = 0; k < body.results.size(); ++k) params[k].reset();
    const Values inner = region(body.ops, typed.regions.back(), std::move(given));
    if (!has_condition) indices_.pop_back();
    for (std::size_t k = 0; k < body.results.size(); ++k) params[k] = inner[body.results[k]];
  }
  params.resize(body.results.size());
  return params;
}

void Task::save(const Op& op, std::uint32_t number, const Type& type, const ValuePtr& value) {
  // Several saves of one URI differ in version; their labels are joined, so any order is right.
  Label label;
  for (const LabelPtr& saved : save_labels_) label.merge(*saved);
  const Uri uri = Uri::parse(std::get<std::string>(op.attrs.at("uri")));
  const auto known = parts_.store->describe(uri);
  const bool other_session =
      known && uri.scheme() == "mem" && known->meta->session != info_.session;
  if (known && (known->meta->principal != info_.driver || other_session)) {
    throw name_taken();
  }
  put_result(*parts_.store, uri, value,
             meta(*value, type, std::make_shared<const Label>(std::move(label)),
                  made_->save(number, saves_[number]++), ""),
             Expected::exactly(known));
}

void Task::poll() const {
  if (cancelled_()) throw Error(Code::kCancelled, "the run was cancelled");
  if (info_.deadline != SteadyTime::max() && std::chrono::steady_clock::now() > info_.deadline) {
    throw Error(Code::kTimeout, "the run's time-out passed while " + parts_.party + " computed");
  }
}

}  // namespace curia
