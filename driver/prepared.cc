// What a run starts from and gives back, apart from the session that runs it.
#include <utility>

#include "driver/session.h"
#include "protocol/graph_bytes.h"

namespace curia {

const Ref& Refs::operator[](std::string_view name) const {
  std::string known;
  for (const auto& [output, ref] : refs_) {
    if (output == name) return ref;
    known += (known.empty() ? "" : ", ") + output;
  }
  throw Error(Code::kInvalid, "this run has no output \"" + std::string(name) + "\"; it has " +
                                  (known.empty() ? "none" : known));
}

PreparedPtr prepare(Graph graph) {
  auto prepared = std::make_shared<Prepared>();
  prepared->graph = std::move(graph);
  prepared->verified = verify(prepared->graph);
  prepared->bytes = encode_graph(prepared->graph);
  prepared->sites = encode_sites(prepared->graph);
  prepared->digest = program_digest(prepared->bytes);
  return prepared;
}

PreparedPtr prepare(const Program& program) {
  auto prepared = std::make_shared<Prepared>(*prepare(program.graph()));
  prepared->bound = program.bound();
  return prepared;
}

}  // namespace curia
