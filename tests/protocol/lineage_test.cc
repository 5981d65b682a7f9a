#include "protocol/lineage.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "protocol/codec.h"
#include "tests/support/digests.h"

using namespace curia;

namespace {

const Digest kProgram = filled(1);
const Digest kOther = filled(2);
const Lineage kRows = dataset_lineage("alice", "x", filled(3));

Lineage decoded(const std::string& bytes) {
  Lineage lineage;
  WireReader reader(bytes);
  reader(lineage);
  reader.finish();
  return lineage;
}

std::string encoded(const Lineage& lineage) {
  std::string bytes;
  WireWriter writer(bytes);
  writer(lineage);
  return bytes;
}

}  // namespace

TEST_CASE("Lineage: program, place and inputs each make another value, and nothing else does") {
  const RunLineage run(kProgram, {kRows}, nullptr);
  const Lineage out = run.output(0);
  CHECK(RunLineage(kProgram, {kRows}, nullptr).output(0) == out);
  const Lineage others[] = {
      run.output(1),
      run.move(0),
      run.save(0, 0),
      run.save(0, 1),
      RunLineage(kOther, {kRows}, nullptr).output(0),
      RunLineage(kProgram, {}, nullptr).output(0),
      RunLineage(kProgram, {kRows, kRows}, nullptr).output(0),
      RunLineage(kProgram, {dataset_lineage("alice", "x", filled(4))}, nullptr).output(0)};
  for (const Lineage& other : others) {
    CHECK(other.id != out.id);
    CHECK(other.pattern != out.pattern);
  }
}

TEST_CASE("Lineage: a dataset, a put and a result with one id are three values") {
  const Digest id = RunLineage(kProgram, {kRows}, nullptr).output(0).id;
  const Lineage result = RunLineage(kProgram, {kRows}, nullptr).output(0);
  CHECK(put_lineage("dora", id).pattern != result.pattern);
  CHECK(put_lineage("dora", result.pattern).pattern != result.pattern);
  CHECK(put_lineage("dora", id).pattern != put_lineage("bob", id).pattern);
  CHECK(dataset_lineage("alice", "x", id).pattern != put_lineage("alice", id).pattern);
  CHECK(dataset_lineage("alice", "x", id).pattern != dataset_lineage("alice", "y", id).pattern);
  // As no separator could tell.
  CHECK(dataset_lineage("ali", "cex", id).pattern != dataset_lineage("alice", "x", id).pattern);
}

TEST_CASE("Lineage: two runs of a random program differ, their pattern does not") {
  const Digest first = filled(5);
  const Digest second = filled(6);
  const Lineage a = RunLineage(kProgram, {kRows}, &first).output(0);
  const Lineage b = RunLineage(kProgram, {kRows}, &second).output(0);
  CHECK(a.id != b.id);
  CHECK(a.pattern == b.pattern);
  REQUIRE(a.draws.size() == 1);
  CHECK(a.draws.begin()->second == first);
  CHECK(a.draws.begin()->first == b.draws.begin()->first);
  // What is made of it later is bound to the same instance.
  const Lineage later = RunLineage(kOther, {a, kRows}, nullptr).output(0);
  CHECK(later.bound);
  CHECK(later.draws == a.draws);
  // Of both: nobody could say of the pattern alone whether it is a - a or a - b.
  const Lineage mixed = RunLineage(kOther, {a, b}, nullptr).output(0);
  const Lineage same = RunLineage(kOther, {a, a}, nullptr).output(0);
  CHECK(mixed.pattern == same.pattern);
  CHECK(same.bound);
  CHECK_FALSE(mixed.bound);
  CHECK(mixed.draws.empty());
  CHECK_FALSE(RunLineage(kProgram, {mixed}, nullptr).output(0).bound);
}

TEST_CASE("Lineage: more instances than are kept leave it unbound, not wrong") {
  Lineage value = kRows;
  for (std::int64_t i = 0; i < kMaxDraws; ++i) {
    const Digest instance = random_digest();
    value = RunLineage(kProgram, {value}, &instance).output(0);
  }
  CHECK(value.bound);
  CHECK(std::ssize(value.draws) == kMaxDraws);
  const Digest instance = random_digest();
  value = RunLineage(kProgram, {value}, &instance).output(0);
  CHECK_FALSE(value.bound);
  CHECK(value.draws.empty());
}

TEST_CASE("Lineage: a commitment binds salt and content") {
  const Digest put = put_commitment(filled(1), filled(2));
  CHECK(put == put_commitment(filled(1), filled(2)));
  CHECK(put != put_commitment(filled(1), filled(3)));
  CHECK(put != put_commitment(filled(3), filled(2)));
  CHECK(put != put_commitment(filled(2), filled(1)));
}

TEST_CASE("Lineage: comes back from its bytes, and no other bytes are one") {
  const Digest instances[] = {filled(5), filled(6)};
  Lineage value = RunLineage(kProgram, {kRows}, &instances[0]).output(0);
  value = RunLineage(kOther, {value}, &instances[1]).output(0);
  const std::string bytes = encoded(value);
  CHECK(decoded(bytes) == value);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_THROWS_AS(decoded(bytes.substr(0, size)), Error);
  }
  std::string turned = bytes;  // the two instances in the other order
  std::swap_ranges(turned.end() - 128, turned.end() - 64, turned.end() - 64);
  CHECK_THROWS_AS(decoded(turned), Error);
  std::string unbound = bytes;
  unbound[64] = 0;
  CHECK_THROWS_AS(decoded(unbound), Error);
}
