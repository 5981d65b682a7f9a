#include "driver/cli/secure_plan.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "protocol/list_text.h"
#include "worker/mpc/kernel.h"

namespace curia {
namespace {

using Json = nlohmann::ordered_json;

// Loads and inputs stand in labels under this owner: whose they are only the workers know.
constexpr const char* kUnknownOwner = "?";

std::int64_t times(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

class Planner {
 public:
  explicit Planner(const Graph& graph) : graph_(graph) {}

  void region(const std::vector<Op>& ops, const TypedRegion& typed, std::int64_t runs) {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const Op& op = ops[i];
      std::int64_t inner = runs;
      for (const char* key : {"limit", "count"}) {
        const auto attr = op.attrs.find(key);
        if (op.regions.empty() || attr == op.attrs.end()) continue;
        inner = times(inner, std::get<std::int64_t>(attr->second));
      }
      for (std::size_t r = 0; r < op.regions.size(); ++r) {
        region(op.regions[r].ops, typed.ops[i].regions[r], inner);
      }
      if (op.regions.empty()) one(op, typed, typed.ops[i], runs);
    }
  }

  std::vector<SecureOp> take() {
    std::ranges::sort(found_, {}, &SecureOp::number);
    return std::move(found_);
  }

 private:
  void one(const Op& op, const TypedRegion& around, const TypedOp& typed, std::int64_t runs) {
    if (op.operands.empty()) return;
    std::vector<Type> types;
    for (const ValueId operand : op.operands) types.push_back(around.types[operand]);
    const Type& result = around.types[typed.first_result];
    const bool secret = std::ranges::any_of(types, &Type::is_secret);
    if (!secret && op.name != "share") return;
    const SecureDevice& device =
        *find_device(graph_.devices, op.name == "reveal" ? types[0].device : op.device);
    SecureOp found{typed.number, op.name, device.name, result.str(), graph_.site_of(op), runs, 0,
                   {},           0};
    const int owner = op.name == "share" ? device.rank_of(types[0].device) : -1;
    const int to = op.name == "reveal" ? device.rank_of(op.device) : -1;
    if (op.name == "share" && owner < 0) {
      // Two parts to each member.
      const std::int64_t bytes = part_bytes(result.secret());
      found.rounds = 1;
      found.bytes[types[0].device] = 6 * bytes;
      found.memory = 2 * bytes;
    } else if (op.name == "reveal" && to < 0) {
      // One part of each member.
      found.rounds = 1;
      for (const std::string& member : device.members) {
        found.bytes[member] = part_bytes(types[0].secret());
      }
    } else {
      const MpcCost cost = mpc_cost({op, types, result, owner, to});
      found.rounds = cost.rounds;
      found.memory = cost.memory;
      for (std::size_t i = 0; i < device.members.size(); ++i) {
        found.bytes[device.members[i]] = cost.bytes[i];
      }
    }
    found_.push_back(std::move(found));
  }

  const Graph& graph_;
  std::vector<SecureOp> found_;
};

std::string owners_text(const Label& label, const std::string& except) {
  std::set<std::string> owners;
  bool unknown = false;
  for (const auto& [source, programs] : label.sources) {
    if (source.owner == kUnknownOwner) {
      unknown = true;
    } else if (source.owner != except) {
      owners.insert(source.owner);
    }
  }
  std::string text = list_text(owners);
  if (unknown) text += std::string(text.empty() ? "" : ", and ") + "the owners of the inputs";
  return text;
}

// Who is asked before a release: "alice and bob must agree".
std::string asked_text(const std::string& owners, const std::string& to_do) {
  return owners.empty() ? "no owner to ask" : owners + " must " + to_do;
}

// The name of a release, and where in the program it is.
std::string name_text(const ReleasePoint& point) {
  const std::string site = point.site.str();
  return "as \"" + point.name + "\"" + (site.empty() ? "" : " (" + site + ")");
}

std::string share_text(const ReleasePoint& point) {
  return "share of " + point.label->str() + " among " + list_text(point.to) + " by " +
         point.device.protocol + " " + name_text(point) + ": " +
         asked_text(owners_text(*point.label, ""), "accept these members");
}

std::string release_text(const ReleasePoint& point, const std::string& to) {
  return point.op_name + " of " + point.label->str() + " to " + to + " " + name_text(point) + ": " +
         asked_text(owners_text(*point.label, to), "agree");
}

std::string fetch_text(const std::string& output, const Label& label) {
  return "fetch of output \"" + output + "\" of " + label.str() +
         " by the driver: " + asked_text(owners_text(label, ""), "agree");
}

std::string bytes_text(const std::map<std::string, std::int64_t>& bytes, std::int64_t runs = 1) {
  if (bytes.empty()) return "nothing";
  return list_text(bytes, [&](const auto& sent) {
    return sent.first + " " + std::to_string(times(sent.second, runs));
  });
}

std::string op_text(const SecureOp& op) {
  std::string text = "op" + std::to_string(op.number) + " " + op.name + " : " + op.type;
  if (const std::string line = op.site.str(); !line.empty()) text += " (" + line + ")";
  return text;
}

const MpcUse* use_of(const std::vector<MpcUse>& uses, std::uint32_t number) {
  const auto at = std::ranges::find(uses, number, &MpcUse::op);
  return at == uses.end() ? nullptr : &*at;
}

// Of one op at all members: the runs, the most rounds, and the bytes of each.
struct Measured {
  std::uint64_t runs = 0;
  std::uint64_t rounds = 0;
  std::map<std::string, std::int64_t> bytes;
};

Measured measured_of(std::uint32_t number,
                     const std::map<std::string, std::vector<MpcUse>>& measured) {
  Measured found;
  for (const auto& [party, uses] : measured) {
    const MpcUse* use = use_of(uses, number);
    if (use == nullptr) continue;
    found.runs = std::max<std::uint64_t>(found.runs, use->runs);
    found.rounds = std::max(found.rounds, use->rounds);
    found.bytes[party] = static_cast<std::int64_t>(use->bytes);
  }
  return found;
}

}  // namespace

std::vector<SecureOp> secure_ops(const Graph& graph, const Verified& verified) {
  Planner planner(graph);
  planner.region(graph.ops, verified.body, 1);
  return planner.take();
}

SecureTotal total_of(const std::vector<SecureOp>& ops) {
  SecureTotal total;
  for (const SecureOp& op : ops) {
    total.rounds += times(op.rounds, op.runs);
    for (const auto& [party, bytes] : op.bytes) total.bytes[party] += times(bytes, op.runs);
  }
  return total;
}

Flow flow_to_plan(const Graph& graph, const Verified& verified, const Digest& digest,
                  const std::string& driver) {
  std::vector<LabelPtr> labels;
  for (const External& external : externals(graph, verified)) {
    auto label = std::make_shared<Label>();
    const bool dataset = external.kind == External::Kind::kDataset;
    label->sources[{dataset ? external.place : kUnknownOwner, external.name}];
    labels.push_back(std::move(label));
  }
  return analyze_flow(graph, verified, digest, driver, labels);
}

std::vector<std::string> release_texts(const Graph& graph, const Flow& flow) {
  std::vector<std::string> texts;
  for (const ReleasePoint& point : flow.releases) {
    switch (point.kind) {
      case ReleasePoint::Kind::kShare:
        texts.push_back(share_text(point));
        break;
      case ReleasePoint::Kind::kTransfer:
      case ReleasePoint::Kind::kPredicate:
      case ReleasePoint::Kind::kReveal:
        for (const std::string& to : point.to) texts.push_back(release_text(point, to));
        break;
    }
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    texts.push_back(fetch_text(graph.outputs[i].name, *flow.outputs[i]));
  }
  return texts;
}

std::string secure_text(const Graph& graph, const Verified& verified) {
  const std::vector<SecureOp> ops = secure_ops(graph, verified);
  std::string text;
  for (const SecureOp& op : ops) {
    text += "on " + op.device + ", " + op_text(op) + ": " + std::to_string(op.rounds) +
            (op.rounds == 1 ? " round" : " rounds") + ", bytes sent by " + bytes_text(op.bytes) +
            ", memory " + std::to_string(op.memory) +
            (op.runs == 1 ? "" : ", at most " + std::to_string(op.runs) + " times") + "\n";
  }
  if (ops.empty()) return text;
  const SecureTotal total = total_of(ops);
  return text + "secure computation in all: " + std::to_string(total.rounds) +
         " rounds, bytes sent by " + bytes_text(total.bytes) + "\n";
}

Json secure_json(const Graph& graph, const Verified& verified) {
  Json list = Json::array();
  const std::vector<SecureOp> ops = secure_ops(graph, verified);
  for (const SecureOp& op : ops) {
    list.push_back({{"number", op.number},
                    {"op", op.name},
                    {"device", op.device},
                    {"type", op.type},
                    {"site", op.site.str()},
                    {"runs", op.runs},
                    {"rounds", op.rounds},
                    {"bytes", op.bytes},
                    {"memory", op.memory}});
  }
  const SecureTotal total = total_of(ops);
  return {{"ops", list}, {"rounds", total.rounds}, {"bytes", total.bytes}};
}

Json measured_json(const std::vector<SecureOp>& plan,
                   const std::map<std::string, std::vector<MpcUse>>& measured) {
  Json list = Json::array();
  for (const SecureOp& op : plan) {
    const Measured found = measured_of(op.number, measured);
    Json planned = Json::object();
    for (const auto& [party, bytes] : op.bytes) planned[party] = times(bytes, op.runs);
    list.push_back({{"number", op.number},
                    {"op", op.name},
                    {"device", op.device},
                    {"site", op.site.str()},
                    {"runs", found.runs},
                    {"planned", {{"rounds", times(op.rounds, op.runs)}, {"bytes", planned}}},
                    {"measured", {{"rounds", found.rounds}, {"bytes", found.bytes}}}});
  }
  return list;
}

std::string measured_text(const std::vector<SecureOp>& plan,
                          const std::map<std::string, std::vector<MpcUse>>& measured) {
  std::string text;
  for (const SecureOp& op : plan) {
    const Measured found = measured_of(op.number, measured);
    text += "on " + op.device + ", " + op_text(op) + ": " + std::to_string(found.rounds) + " of " +
            std::to_string(times(op.rounds, op.runs)) + " planned rounds, bytes sent by " +
            bytes_text(found.bytes) + "; planned " + bytes_text(op.bytes, op.runs) + "\n";
  }
  return text;
}

}  // namespace curia
