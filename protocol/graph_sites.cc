// The debug section of a graph: call sites, which are no part of its canonical form.
#include <algorithm>

#include "protocol/bytes.h"
#include "protocol/graph_bytes.h"

namespace curia {
namespace {

constexpr std::int64_t kMaxFileBytes = 1024;  // of a call site

void encode_op_sites(const std::vector<Op>& ops, const Graph& graph, ByteWriter& out) {
  for (const Op& op : ops) {
    out.varint(op.site > graph.sites.size() ? 0 : op.site);
    for (const Region& region : op.regions) encode_op_sites(region.ops, graph, out);
  }
}

void collect_ops(std::vector<Op>& ops, std::vector<Op*>& out) {
  for (Op& op : ops) {
    out.push_back(&op);
    for (Region& region : op.regions) collect_ops(region.ops, out);
  }
}

}  // namespace

std::string encode_sites(const Graph& graph) {
  ByteWriter out;
  out.varint(graph.sites.size());
  for (const Site& site : graph.sites) {
    out.text(std::string_view(site.file).substr(0, kMaxFileBytes));
    out.svarint(std::max(site.line, 0));
  }
  encode_op_sites(graph.ops, graph, out);
  return out.take();
}

void decode_sites(std::string_view bytes, Graph& graph) {
  ByteReader in(bytes, "debug section");
  if (static_cast<std::int64_t>(bytes.size()) > kMaxSiteBytes) {
    in.fail("expected at most " + std::to_string(kMaxSiteBytes) + " bytes, found " +
            std::to_string(bytes.size()));
  }
  std::vector<Site> sites;
  for (std::int64_t n = in.count(2, kMaxSiteBytes, "call sites"); n > 0; --n) {
    Site site{in.text(kMaxFileBytes, "a file name"), 0};
    for (const char c : site.file) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) in.fail("control character in a name");
    }
    const std::int64_t line = in.svarint();
    if (line < 0 || line > INT32_MAX) in.fail("expected a line number");
    site.line = static_cast<std::int32_t>(line);
    sites.push_back(std::move(site));
  }
  std::vector<Op*> ops;
  collect_ops(graph.ops, ops);
  std::vector<std::uint32_t> indices;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    indices.push_back(static_cast<std::uint32_t>(in.varint_up_to(sites.size(), "a call site")));
  }
  in.finish();
  for (std::size_t i = 0; i < ops.size(); ++i) ops[i]->site = indices[i];
  graph.sites = std::move(sites);
}

}  // namespace curia
