#include "protocol/link/record.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "protocol/digest.h"
#include "protocol/link/frames.h"
#include "tests/link/link_contract.h"

namespace curia::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

Bytes sealed(Sealer& sealer, const Bytes& payload) {
  Bytes record(payload.size() + static_cast<std::size_t>(kRecordOverhead));
  record.resize(static_cast<std::size_t>(sealer.seal(payload, record.data())));
  return record;
}

Bytes opened(Opener& opener, const Bytes& record) {
  const std::int64_t payload = opener.payload_size(record.data());
  expect(std::ssize(record) == payload + kRecordOverhead, "a record of another size");
  Bytes out(static_cast<std::size_t>(payload));
  opener.begin(record.data());
  opener.decrypt(record.data() + kRecordHeader, out.data(), payload);
  opener.finish(record.data() + kRecordHeader + payload);
  return out;
}

bool refused(Opener& opener, const Bytes& record) {
  return code_of([&] { opened(opener, record); }) != Code{};
}

KeyInputs inputs() {
  KeyInputs keys;
  for (std::size_t i = 0; i < 32; ++i) {
    keys.dialer_secret[i] = static_cast<std::uint8_t>(i);
    keys.responder_secret[i] = static_cast<std::uint8_t>(100 + i);
  }
  keys.token.fill(7);
  keys.dialer = "alice";
  keys.responder = "bob";
  return keys;
}

Secret chain() { return direction_secret(inputs(), Direction::kFromDialer); }

// What a receiver that takes the record's number from its sender would do: AES-256-GCM with the
// nonce that the attacker names. It accepts each record as often as it is shown.
class NaiveReceiver {
 public:
  bool accepts(const Bytes& record, int number) const {
    Opener opener(chain());
    Sealer skip(chain());  // brings a fresh opener to the number that is claimed
    for (int i = 0; i < number; ++i) opened(opener, sealed(skip, bytes_of("skipped")));
    return !refused(opener, record);
  }
};

}  // namespace

TEST_CASE("Record: what was sealed is opened, in order, whatever its size and parts") {
  Sealer sealer(chain());
  Opener opener(chain());
  for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 4096u, 100001u}) {
    Bytes payload(size);
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::uint8_t>(i * 7);
    CHECK(opened(opener, sealed(sealer, payload)) == payload);
    const std::span<const std::uint8_t> all(payload);
    const std::vector<std::span<const std::uint8_t>> parts = {
        all.first(size / 3), {}, all.subspan(size / 3)};
    Bytes record(size + static_cast<std::size_t>(kRecordOverhead));
    CHECK(sealer.seal(parts, record.data()) == std::ssize(record));
    CHECK(opened(opener, record) == payload);
  }
  Bytes most(static_cast<std::size_t>(kMaxRecordPayload));
  CHECK(opened(opener, sealed(sealer, most)).size() == most.size());
  most.push_back(0);
  CHECK(code_of([&] { sealed(sealer, most); }) == Code::kInvalid);
}

TEST_CASE("Record: the bytes of the format stay as they are") {
  Sealer sealer(chain(), {.records = 2});
  Bytes all;
  for (const char* text : {"one", "two", "three: the second key"}) {
    const Bytes record = sealed(sealer, bytes_of(text));
    all.insert(all.end(), record.begin(), record.end());
  }
  CHECK(sha256(all).hex() == "47bee25d31c744644bc4e598aa3cd8327efb26bc65fbf922e02dc0b3cb1de87b");
}

TEST_CASE("Record: every flipped bit is refused") {
  Sealer sealer(chain());
  const Bytes record = sealed(sealer, bytes_of("twenty bytes of text"));
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    Bytes altered = record;
    altered[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    Opener opener(chain());
    CHECK(refused(opener, altered));
  }
}

TEST_CASE("Record: a replayed, skipped or reordered record is refused, and none after it") {
  Sealer sealer(chain());
  const Bytes first = sealed(sealer, bytes_of("first"));
  const Bytes second = sealed(sealer, bytes_of("second"));
  const Bytes third = sealed(sealer, bytes_of("third"));
  SUBCASE("replayed") {
    Opener opener(chain());
    CHECK(opened(opener, first) == bytes_of("first"));
    CHECK(refused(opener, first));
    CHECK(refused(opener, second));  // the connection is dead
  }
  SUBCASE("skipped") {
    Opener opener(chain());
    CHECK(opened(opener, first) == bytes_of("first"));
    CHECK(refused(opener, third));
  }
  SUBCASE("reordered") {
    Opener opener(chain());
    CHECK(refused(opener, second));
    CHECK(refused(opener, first));
  }
  SUBCASE("the same attacks succeed against a receiver that believes a number on the wire") {
    const NaiveReceiver naive;
    CHECK(naive.accepts(first, 0));
    CHECK(naive.accepts(first, 0));  // replayed
    CHECK(naive.accepts(third, 2));  // skipped and reordered
    CHECK(naive.accepts(second, 1));
    CHECK_FALSE(naive.accepts(third, 1));
  }
}

TEST_CASE("Record: each direction, connection and pair of names has its own keys") {
  std::set<Secret> secrets;
  const auto add = [&](const KeyInputs& keys) {
    secrets.insert(direction_secret(keys, Direction::kFromDialer));
    secrets.insert(direction_secret(keys, Direction::kFromResponder));
  };
  add(inputs());
  for (int i = 0; i < 5; ++i) {
    KeyInputs keys = inputs();
    if (i == 0) keys.dialer_secret[31] ^= 1;
    if (i == 1) keys.responder_secret[0] ^= 1;
    if (i == 2) keys.token[3] ^= 1;
    if (i == 3) keys.dialer = "alic";
    if (i == 3) keys.responder = "ebob";
    if (i == 4) keys.responder = "carol";
    add(keys);
  }
  CHECK(secrets.size() == 12);
  // A record sent back to its sender is not taken for the peer's.
  Sealer sealer(chain());
  Opener own(direction_secret(inputs(), Direction::kFromResponder));
  CHECK(refused(own, sealed(sealer, bytes_of("mirror"))));
}

TEST_CASE("Record: keys change after so many records or bytes, on both sides at once") {
  for (const RecordLimits limits : {RecordLimits{.records = 3}, RecordLimits{.bytes = 100}}) {
    Sealer sealer(chain(), limits);
    Opener opener(chain(), limits);
    Opener never(chain());
    std::set<std::uint8_t> generations;
    int failures = 0;
    for (int i = 0; i < 40; ++i) {
      const Bytes payload = bytes_of("about thirty bytes of text, nr " + std::to_string(i));
      const Bytes record = sealed(sealer, payload);
      generations.insert(record[4]);
      CHECK(opened(opener, record) == payload);
      failures += refused(never, record) ? 1 : 0;
    }
    CHECK(generations.size() >= 9);
    CHECK(failures >= 36);  // who stays with the first key is left behind
  }
}

TEST_CASE("Record: a header that announces too much is refused before anything else") {
  Opener opener(chain());
  const std::uint8_t three_gib[8] = {0, 0, 0, 0xC0, 0, 0, 0, 0};
  CHECK(code_of([&] { opener.payload_size(three_gib); }) == Code::kCorrupt);
  const std::uint8_t one_more[8] = {0xE9, 0xFF, 0x0F, 0, 0, 0, 0, 0};
  CHECK(code_of([&] { opener.payload_size(one_more); }) == Code::kCorrupt);
  const std::uint8_t other_generation[8] = {16, 0, 0, 0, 1, 0, 0, 0};
  CHECK(code_of([&] { opener.payload_size(other_generation); }) == Code::kCorrupt);
}

TEST_CASE("Frames: each comes back as it was written, and no truncation of it is taken") {
  const Error error = Error(Code::kQuota, "no memory").at_party("carol").at_op("sum", {"a.cc", 7});
  const std::vector<Bytes> frames = {
      encode(HelloFrame{.initial_credit = 77, .incarnation = {1, 2, 3}}),
      encode(LaneFrame{.number = 5, .peer_number = 6, .session = {9}, .received = 7, .limit = 8}),
      encode(AbortFrame{.number = 5, .count = 1, .task = 3, .error = error}),
      encode(EndFrame{.number = 5, .peer_number = 6, .session = {9}}),
  };
  const auto parse = [](const Frame& frame) {
    switch (frame.type) {
      case FrameType::kHello:
        return encode(parse_hello(frame));
      case FrameType::kLane:
        return encode(parse_lane(frame));
      case FrameType::kAbort:
        return encode(parse_abort(frame));
      default:
        return encode(parse_end(frame));
    }
  };
  for (const Bytes& bytes : frames) {
    std::span<const std::uint8_t> rest(bytes);
    const auto frame = next_frame(rest);
    REQUIRE(frame);
    CHECK(rest.empty());
    CHECK(parse(*frame) == bytes);
    for (std::size_t size = 0; size < frame->payload.size(); ++size) {
      Frame cut = *frame;
      cut.payload = cut.payload.first(size);
      CHECK(code_of([&] { parse(cut); }) != Code{});
    }
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      auto cut = std::span(bytes).first(size);
      CHECK(code_of([&] { next_frame(cut); }) == Code::kCorrupt);
    }
  }
}

TEST_CASE("Frames: another version is told apart from garbage") {
  Bytes hello = encode(HelloFrame{});
  hello[8] = 2;
  CHECK(code_of([&] { parse_first_record(hello); }) == Code::kVersion);
  hello[0] = 99;
  CHECK(code_of([&] { parse_first_record(hello); }) == Code::kCorrupt);
}

}  // namespace curia::test
