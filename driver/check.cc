// Session::refusals: the check that parties make before a run, asked by the driver beforehand.
#include <algorithm>
#include <map>
#include <utility>

#include "driver/session_state.h"
#include "protocol/flow.h"

namespace curia {
namespace {

constexpr std::size_t kItemsOfRequest = 32;

// The questions to one owner, and the release point that each is about.
struct Questions {
  std::vector<ConsentItem> items;
  std::vector<const ReleasePoint*> points;
};

Flow flow_of_datasets(const Prepared& program, const std::string& driver) {
  std::vector<LabelPtr> labels;
  for (const External& external : externals(program.graph, program.verified)) {
    auto label = std::make_shared<Label>();
    if (external.kind == External::Kind::kDataset) {
      label->sources[{external.place, external.name}];
    }
    labels.push_back(std::move(label));
  }
  return analyze_flow(program.graph, program.verified, program.digest, driver, labels);
}

void add_questions(const ReleasePoint& point, const std::string& recipient, const Digest& program,
                   std::map<std::string, Questions>& by_owner) {
  for (const auto& [source, programs] : point.label->sources) {
    if (source.owner == recipient) continue;
    Questions& questions = by_owner[source.owner];
    questions.items.push_back(
        {source.name,
         {programs.begin(), programs.end()},
         recipient,
         program,
         point.name,
         point.op,
         recipient.empty() ? point.device.protocol : "",
         recipient.empty() ? point.device.members : std::vector<std::string>{}});
    questions.points.push_back(&point);
  }
}

}  // namespace

std::vector<Error> Session::refusals(const PreparedPtr& program) {
  const Flow flow = flow_of_datasets(*program, driver());
  std::map<std::string, Questions> by_owner;
  for (const ReleasePoint& point : flow.releases) {
    if (point.kind == ReleasePoint::Kind::kShare) {
      add_questions(point, "", program->digest, by_owner);
      continue;
    }
    for (const std::string& to : point.to) add_questions(point, to, program->digest, by_owner);
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
        const ReleasePoint& point = *questions.points[first + i];
        refused.push_back(Error(Code::kDenied, reply.reasons[i]).at_op(point.op_name, point.site));
      }
    }
  }
  return refused;
}

}  // namespace curia
