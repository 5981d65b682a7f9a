// Session::refusals: the check that parties make before a run, asked by the driver beforehand.
#include <algorithm>
#include <map>
#include <utility>

#include "driver/session_state.h"
#include "protocol/flow.h"

namespace curia {
namespace {

constexpr std::size_t kItemsOfRequest = 32;

// The questions to one owner, and the op that each is about.
struct Questions {
  std::vector<ConsentItem> items;
  struct At {
    std::string op;
    Site site;
  };
  std::vector<At> at;
};
using ByOwner = std::map<std::string, Questions>;

Flow flow_of_datasets(const Prepared& program, const std::string& driver,
                      const std::vector<External>& outside, const Digest& run) {
  std::vector<LabelPtr> labels;
  for (const External& external : outside) {
    auto label = std::make_shared<Label>();
    if (external.kind == External::Kind::kDataset) {
      label->sources[{external.place, external.name}];
    }
    labels.push_back(std::move(label));
  }
  return analyze_flow(program.graph, program.verified, program.digest, driver, labels, run);
}

// `item`: as it is asked of every owner; source and programs are filled in.
void add_questions(const Label& label, const ConsentItem& item, const Questions::At& at,
                   ByOwner& by_owner) {
  for (const auto& [source, programs] : label.sources) {
    if (item.members.empty() && source.owner == item.recipient) continue;
    Questions& questions = by_owner[source.owner];
    questions.items.push_back(item);
    questions.items.back().source = source.name;
    questions.items.back().programs = {programs.begin(), programs.end()};
    questions.items.back().charges = label.cost(source);
    questions.at.push_back(at);
  }
}

void add_moves(const Prepared& program, const Flow& flow, const RunLineage& made,
               ByOwner& by_owner) {
  for (const ReleasePoint& point : flow.releases) {
    ConsentItem item;
    item.program = program.digest;
    item.release = point.name;
    item.op = point.op;
    item.lineage = made.move(point.op);
    const Questions::At at{point.op_name, point.site};
    if (point.kind == ReleasePoint::Kind::kShare) {
      item.protocol = point.device.protocol;
      item.members = point.device.members;
      add_questions(*point.label, item, at, by_owner);
      continue;
    }
    for (const std::string& to : point.to) {
      item.recipient = to;
      add_questions(*point.label, item, at, by_owner);
    }
  }
}

void add_fetch(const Prepared& program, const Flow& flow, const RunLineage& made,
               const std::string& driver, const std::string& name, ByOwner& by_owner) {
  const auto& outputs = program.graph.outputs;
  const auto output = std::ranges::find(outputs, name, &GraphOutput::name);
  if (output == outputs.end()) {
    throw Error(Code::kInvalid, "the program has no output \"" + name + "\"");
  }
  const auto number = static_cast<std::uint32_t>(output - outputs.begin());
  ConsentItem item;
  item.recipient = driver;
  item.program = program.digest;
  item.release = name;
  item.lineage = made.output(number);
  add_questions(*flow.outputs[number], item, {"fetch", {}}, by_owner);
}

}  // namespace

std::vector<Error> Session::refusals(const PreparedPtr& program,
                                     const std::vector<std::string>& fetches) {
  const std::vector<External> outside = externals(program->graph, program->verified);
  std::vector<Lineage> lineages;
  for (const External& external : outside) {
    // Where something else comes in, approvals are looked at when it runs.
    const bool dataset = external.kind == External::Kind::kDataset;
    lineages.push_back(dataset ? dataset_lineage(external.place, external.name,
                                                 snapshot(external.place, external.name))
                               : Lineage{.bound = false});
  }
  const Digest instance = random_digest();
  const RunLineage made(program->digest, std::move(lineages),
                        program->verified.random ? &instance : nullptr);
  const Flow flow = flow_of_datasets(*program, driver(), outside, instance);
  ByOwner by_owner;
  add_moves(*program, flow, made, by_owner);
  for (const std::string& name : fetches) {
    add_fetch(*program, flow, made, driver(), name, by_owner);
  }
  std::vector<Error> refused;
  for (const auto& [owner, questions] : by_owner) {
    for (std::size_t first = 0; first < questions.items.size(); first += kItemsOfRequest) {
      const std::size_t last = std::min(first + kItemsOfRequest, questions.items.size());
      ConsentRequest request;
      request.principal = driver();
      request.session = id();
      request.items.assign(questions.items.begin() + static_cast<std::ptrdiff_t>(first),
                           questions.items.begin() + static_cast<std::ptrdiff_t>(last));
      const auto reply = decode<ConsentReply>(
          state_->connection.call(owner, Kind::kCheck, encode(request), kQueryTimeout));
      if (reply.allowed.size() != request.items.size() ||
          reply.reasons.size() != request.items.size()) {
        throw Error(Code::kInvalid, owner + " gave no proper answer");
      }
      for (std::size_t i = 0; i < reply.allowed.size(); ++i) {
        if (reply.allowed[i] == 1) continue;
        const Questions::At& at = questions.at[first + i];
        refused.push_back(Error(Code::kDenied, reply.reasons[i]).at_op(at.op, at.site));
      }
    }
  }
  return refused;
}

}  // namespace curia
