// What a task does where a program takes ranges for granted.
#include "worker/declared.h"
#include "worker/task.h"

namespace curia {

void Task::take_ranges(const External& external, const Dataset& dataset) {
  try {
    check_claim("dataset \"" + external.name + "\"", dataset.type, dataset.ranges, external.ranges);
  } catch (const Error& error) {
    throw error.at_op(external.op_name, external.site);
  }
}

// Nobody sees cells of shares, so their program has to have told what they are. Plain ones are
// looked at, and those of other owners than the driver made to fit: a refusal would tell of them.
void Task::take_ranges(const External& external, const Object& object, ValuePtr& value) const {
  if (external.ranges.empty()) return;
  const std::string who = "\"" + external.name + "\"";
  const auto& sources = object.meta->label->sources;
  const bool is_drivers = sources.size() == sources.count({info_.driver, ""});  // puts alone
  try {
    if (object.meta->type.is_secret()) {
      check_claim(who, object.meta->type, object.meta->ranges, external.ranges);
    } else if (is_drivers && !value->is_error()) {
      check_cells(who, *value, external.ranges);
    } else {
      const ValuePtr taken = saturated(value, external.ranges);
      if (taken != value) {
        parts_.log("run of " + info_.driver + " (" + external.site.str() + "): cells of " + who +
                   " beyond " + ranges_text(external.ranges) +
                   ", which the program takes for granted, were held at it, so results are wrong; "
                   "give the program the range they have");
      }
      value = taken;
    }
  } catch (const Error& error) {
    throw error.at_op(external.op_name, external.site);
  }
}

}  // namespace curia
