#include "worker/release_rules.h"

#include <utility>

namespace curia {

LabelPtr ReleaseRules::incoming(const External&, LabelPtr own) const { return own; }

Flow ReleaseRules::flow(const Graph& graph, const Verified& verified, const Digest& program,
                        const std::string& driver, const std::vector<LabelPtr>& labels,
                        const Digest& run) const {
  return analyze_flow(graph, verified, program, driver, labels, run);
}

void ReleaseRules::ask(Parts& parts, const ReleaseContext& context,
                       const std::vector<ReleaseWish>& wishes,
                       std::function<void(const std::string& refused)> done) const {
  check_release(parts, context, wishes, std::move(done));
}

bool ReleaseRules::is_value(const Error& failure) const {
  return failure.code() == Code::kInvalid || failure.code() == Code::kQuota;
}

void ReleaseRules::stored(const Value&, ObjectMeta&) const {}

const ReleaseRules& standard_rules() {
  static const ReleaseRules rules;
  return rules;
}

}  // namespace curia
