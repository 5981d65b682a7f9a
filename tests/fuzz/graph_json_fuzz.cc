// A document is refused, or gives a graph; and a graph that verifies survives the way to JSON and
// back.
#include "protocol/graph_bytes.h"
#include "protocol/graph_json.h"
#include "protocol/verify.h"
#include "tests/fuzz/fuzz.h"

using namespace curia;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const Graph graph = graph_from_json({reinterpret_cast<const char*>(data), size});
    verify(graph);
    const std::string bytes = encode_graph(graph);
    fuzz::must(encode_graph(graph_from_json(graph_to_json(graph))) == bytes,
               "a graph changed on the way through JSON");
  } catch (const Error& error) {
    fuzz::must(error.code() == Code::kInvalid, "a document was refused with another code");
  }
  return 0;
}
