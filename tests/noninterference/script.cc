#include "tests/noninterference/script.h"

#include "protocol/graph_bytes.h"
#include "protocol/graph_text.h"

namespace curia::test {
namespace {

void number_ops(const std::vector<Op>& ops, const TypedRegion& typed, KnownProgram& known) {
  for (std::size_t i = 0; i < ops.size(); ++i) {
    known.names[typed.ops[i].number] = ops[i].name;
    known.parties[typed.ops[i].number] = typed.ops[i].parties;
    for (std::size_t r = 0; r < ops[i].regions.size(); ++r) {
      number_ops(ops[i].regions[r].ops, typed.ops[i].regions[r], known);
    }
  }
}

std::string list_text(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& entry : list) text += " " + entry;
  return text;
}

}  // namespace

KnownProgram known_program(const Graph& graph) {
  KnownProgram known{encode_graph(graph), {}, verify(graph), {}, {}, {}};
  known.digest = program_digest(known.bytes);
  number_ops(graph.ops, known.verified.body, known);
  for (const TypedOp& op : known.verified.body.ops) known.maker[op.first_result] = op.number;
  return known;
}

std::string Script::str() const {
  static const char* kinds[] = {"put",  "run",     "fetch", "describe", "dataset",
                                "list", "release", "stats", "grants",   "check"};
  std::string text = "seed " + std::to_string(seed) + ", against alice:";
  for (const std::string& principal : coalition) text += " " + principal;
  for (const Grant& grant : grants) text += "\n  grant " + grant.str();
  for (const ApprovedRelease& release : approved) {
    text += "\n  approved " + release.pattern.hex().substr(0, 16) + " to " +
            whereto(release.to, release.members, release.protocol);
  }
  for (std::size_t i = 0; i < programs.size(); ++i) {
    text +=
        "\nprogram " + std::to_string(i) + ": " + graph_to_text(programs[i], &known[i].verified);
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    text += "\nstep " + std::to_string(i) + ": " + kinds[static_cast<std::size_t>(step.kind)];
    if (step.kind == Step::Kind::kRun) {
      text += " program " + std::to_string(step.program) + " (" + list_text(step.inputs) + " ) ->" +
              list_text(step.outputs);
      if (!step.deceived.empty()) {
        text += "; " + step.deceived + " gets program " + std::to_string(step.other_program);
      }
    } else {
      text += " " + step.uri + " at" + list_text(step.parties);
    }
  }
  return text + "\n";
}

}  // namespace curia::test
