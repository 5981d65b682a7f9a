#include "protocol/graph_bytes.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>

#include "graphs.h"
#include "protocol/bytes.h"
#include "protocol/verify.h"

using namespace curia;
using namespace curia::test;

namespace {

Graph sample() {
  Ops ops(1);
  const ValueId s = ops.add("sum", "alice", {0}, {{"axes", ints({0})}});
  const ValueId t = ops.add("transfer", "bob", {s}, {{"label", std::string("s")}});
  return graph_of({{"x", type("f64[4,3] @alice")}}, ops.list, {{"total", t}});
}

// A mutated form is refused, or it is the canonical form of another graph.
void check_unique(std::string_view bytes) {
  Graph graph;
  try {
    graph = decode_graph(bytes);
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalid);
    return;
  }
  CHECK(encode_graph(graph) == bytes);
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
  }
  return text;
}

Region nested(int depth) {
  Region region;
  if (depth > 0) {
    Op op{"for", "alice", {}, {{"carried", std::int64_t{0}}, {"count", std::int64_t{1}}}, {}, 0};
    op.regions.push_back(nested(depth - 1));
    region.ops.push_back(std::move(op));
  }
  return region;
}

}  // namespace

TEST_CASE("Graph bytes: decode then encode gives the same bytes, for random graphs") {
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    const std::string bytes = encode_graph(random_graph(random));
    CHECK(encode_graph(decode_graph(bytes)) == bytes);
  }
  for (int i = 0; i < 500; ++i) {
    const std::string bytes = encode_graph(wild_graph(random));
    CHECK(encode_graph(decode_graph(bytes)) == bytes);
  }
}

TEST_CASE("Graph bytes: a decoded graph verifies to the same types") {
  Random random(8);
  for (int i = 0; i < 50; ++i) {
    const Graph graph = random_graph(random);
    CHECK(verify(decode_graph(encode_graph(graph))).body.types == verify(graph).body.types);
  }
}

TEST_CASE("Graph bytes: every flipped or cut byte is refused or is another canonical form") {
  Random random(9);
  for (int i = 0; i < 6; ++i) {
    const std::string bytes = encode_graph(i < 3 ? random_graph(random) : wild_graph(random));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      check_unique(std::string_view(bytes).substr(0, at));
      for (const int flip : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
        std::string changed = bytes;
        changed[at] = static_cast<char>(changed[at] ^ flip);
        check_unique(changed);
      }
      std::string longer = bytes;
      longer.insert(at, 1, static_cast<char>(random()));
      check_unique(longer);
    }
    CHECK_THROWS_AS(decode_graph(bytes + '\0'), Error);
  }
}

TEST_CASE(
    "Graph bytes: a short input that announces much is refused before anything is allocated") {
  ByteWriter out;
  for (const char c : {'C', 'U', 'G', '\x02', '\x00'}) out.u8(static_cast<std::uint8_t>(c));
  out.varint(200'000);
  CHECK_THROWS_WITH_AS(decode_graph(out.bytes()),
                       doctest::Contains("200000 inputs announced, but only 0 bytes are left"),
                       Error);
}

TEST_CASE("Graph bytes: attributes out of order or twice are refused") {
  const std::string bytes =
      encode_graph(graph_of({}, {Op{"iota", "a", {}, {{"aa", true}, {"ab", true}}, {}, 0}}));
  const auto at = bytes.find("ab");
  std::string twice = bytes;
  twice[at + 1] = 'a';
  CHECK_THROWS_WITH_AS(decode_graph(twice), doctest::Contains("ascending order"), Error);
  std::string wrong_order = twice;
  wrong_order[bytes.find("aa")] = 'z';
  CHECK_THROWS_AS(decode_graph(wrong_order), Error);
}

TEST_CASE("Graph bytes: NaNs keep their payload and a bool constant is 0 or 1") {
  const auto nan = std::numeric_limits<double>::signaling_NaN();
  Ops ops;
  ops.add("constant", "alice", {}, {{"value", Tensor::scalar(nan)}});
  ops.add("constant", "alice", {}, {{"value", Tensor::scalar(true)}});
  Graph graph = graph_of({}, ops.list);
  const Graph back = decode_graph(encode_graph(graph));
  const auto& value = std::get<Tensor>(back.ops[0].attrs.at("value"));
  CHECK(std::memcmp(value.data.data, &nan, 8) == 0);

  const std::uint8_t two = 2;
  std::get<Tensor>(graph.ops[1].attrs.at("value")).data = Slice::copy_of({&two, 1});
  CHECK_THROWS_AS(encode_graph(graph), Error);
}

TEST_CASE("Graph bytes: regions deeper than the limit are neither written nor read") {
  const auto limit = static_cast<int>(kMaxRegionDepth);
  CHECK_NOTHROW(decode_graph(encode_graph(graph_of({}, nested(limit).ops))));
  CHECK_THROWS_WITH_AS(encode_graph(graph_of({}, nested(limit + 1).ops)),
                       doctest::Contains("nested deeper than 16"), Error);
}

TEST_CASE("Graph bytes: a graph above the limit of size is neither written nor read") {
  Graph graph = sample();
  graph.name = std::string(static_cast<std::size_t>(kMaxGraphBytes), 'x');
  CHECK_THROWS_AS(encode_graph(graph), Error);
  CHECK_THROWS_AS(decode_graph(graph.name + "x"), Error);
}

TEST_CASE("Graph bytes: call sites are not part of the digest, everything else is") {
  const Graph graph = sample();
  Graph moved = graph;
  moved.sites[0].line = 99;
  moved.ops[0].site = 0;
  CHECK(program_digest(moved) == program_digest(graph));
  moved.ops[1].device = "carol";
  CHECK(program_digest(moved) != program_digest(graph));
  Graph renamed = graph;
  renamed.outputs[0].name = "sum";
  CHECK(program_digest(renamed) != program_digest(graph));
  Graph shared = graph;
  shared.devices = {{"abc", "replicated3", {"alice", "bob", "carol"}}};
  Graph turned = shared;
  turned.devices[0].members = {"bob", "carol", "alice"};
  CHECK(program_digest(shared) != program_digest(graph));
  CHECK(program_digest(shared) != program_digest(turned));
  const Digest library = sha256({});
  CHECK(program_digest(encode_graph(graph), {&library, 1}) != program_digest(graph));
}

TEST_CASE("Graph bytes: the bytes and the digest of a known program stay what they are") {
  const Graph graph = graph_of(
      {{"x", type("f64[2] @a")}},
      {Op{"sum", "a", {0}, {{"axes", ints({0})}, {"keep_dims", true}}, {}, 1}}, {{"y", 1}});
  // clang-format off
  CHECK(hex(encode_graph(graph)) ==
        "43554702" "04706c616e"             // format, name
        "01" "0178" "000a0104" "0161"       // one input: x, f64[2] @a
        "01" "0373756d" "0161" "0100"       // one op: sum at a of %0
        "02" "0461786573" "040100"          // two attributes: axes=[0],
        "096b6565705f64696d73" "0001"       // keep_dims=true
        "00"                                // no regions
        "01" "0179" "01"                    // one output: y = %1
        "00");                              // no secure devices
  // clang-format on
  // SHA-256 over the domain, the op set version, the bytes and the number of libraries.
  CHECK(program_digest(graph).hex() ==
        "4229eaa634a47ecb14b003c3ac81ebbe91e9ebc13a3f20e884a31480a11d1394");
}

TEST_CASE("Graph bytes: the debug section brings the call sites back") {
  const Graph graph = sample();
  Graph back = decode_graph(encode_graph(graph));
  const std::string sites = encode_sites(graph);
  decode_sites(sites, back);
  CHECK(back.site_of(back.ops[1]) == Site{"src/plan.cc", 2});
  CHECK(encode_sites(back) == sites);

  Graph other = back;
  other.ops.pop_back();
  CHECK_THROWS_AS(decode_sites(sites, other), Error);
  CHECK(other.sites == graph.sites);
  for (std::size_t size = 0; size < sites.size(); ++size) {
    CHECK_THROWS_AS(decode_sites(std::string_view(sites).substr(0, size), back), Error);
  }
  back.sites[0].file = "a\nb";
  CHECK_THROWS_WITH_AS(decode_sites(encode_sites(back), back),
                       doctest::Contains("control character"), Error);
}
