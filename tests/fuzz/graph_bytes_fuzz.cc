// Graph bytes are refused, or are the canonical form of what they decode to; and whatever decodes
// can be verified and printed.
#include "protocol/graph_bytes.h"
#include "protocol/graph_text.h"
#include "protocol/verify.h"
#include "tests/fuzz/fuzz.h"

using namespace curia;

namespace {

void decode(std::string_view bytes) {
  const Graph graph = decode_graph(bytes);
  fuzz::must(encode_graph(graph) == bytes, "a graph has two byte forms");
  try {
    const Verified verified = verify(graph);
    graph_to_text(graph, &verified);
  } catch (const Error& error) {
    fuzz::must(error.code() == Code::kInvalid, "verify refused with another code");
  }
  graph_to_text(graph);
}

// The same for the debug section of a graph of two ops.
void decode_debug(std::string_view bytes) {
  Graph graph;
  graph.ops.resize(2);
  decode_sites(bytes, graph);
  fuzz::must(encode_sites(graph) == bytes, "a debug section has two byte forms");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto target : {decode, decode_debug}) {
    try {
      target(bytes);
    } catch (const Error& error) {
      fuzz::must(error.code() == Code::kInvalid, "bytes were refused with another code");
    }
  }
  return 0;
}
