// What a worker does for rules R0 to R5 (DESIGN section 8), in one place, so that a test can leave
// one of them out and see that it is missed. Workers have standard_rules(); only C++ can give one
// others (Parts::rules), no configuration and no message.
//
// Thread: immutable, any.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "protocol/flow.h"
#include "worker/consent.h"

namespace curia {

class ReleaseRules {
 public:
  virtual ~ReleaseRules() = default;

  // R0, and that copies and stored objects keep it: the label of what comes into a program. `own`:
  // of the dataset or object.
  virtual LabelPtr incoming(const External& external, LabelPtr own) const;
  // R1 to R5: labels of what a program makes, and where it releases; analyze_flow().
  virtual Flow flow(const Graph& graph, const Verified& verified, const Digest& program,
                    const std::string& driver, const std::vector<LabelPtr>& labels,
                    const Digest& run) const;
  // The owners' consent, of a sender; check_release().
  virtual void ask(Parts& parts, const ReleaseContext& context,
                   const std::vector<ReleaseWish>& wishes,
                   std::function<void(const std::string& refused)> done) const;
  // Of a failure of an op whose operands or results have a size that types do not tell: whether it
  // stands in the place of the results instead of ending the run, where all would see it.
  virtual bool is_value(const Error& failure) const;
  // The last word on what is known of a result that is stored.
  virtual void stored(const Value& value, ObjectMeta& meta) const;
};

}  // namespace curia
