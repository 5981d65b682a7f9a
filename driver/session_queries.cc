// What a Session asks workers: datasets, objects, counters, grants, who waits for whom.
#include <algorithm>
#include <iterator>
#include <utility>

#include "driver/session_state.h"

namespace curia {
namespace {

constexpr std::chrono::milliseconds kStatusTimeout{3'000};

}  // namespace

std::string Session::State::wait_report() {
  std::string report;
  for (const std::string& party : connection.workers()) {
    try {
      const auto status = decode<StatusReply>(
          connection.call(party, Kind::kStatus, encode(Nothing{}), kStatusTimeout));
      for (const WaitInfo& wait : status.waits) {
        report += "; " + wait.party + " waits for " + wait.waits_for + " (" + wait.what;
        if (!wait.op.empty()) report += ", op " + wait.op;
        if (const std::string line = wait.site.str(); !line.empty()) report += " at " + line;
        if (wait.task != 0) report += ", task " + std::to_string(wait.task);
        report += ") for " + std::to_string(wait.waited_ms) + " ms";
      }
    } catch (const Error& error) {
      report += "; " + party + ": " + error.message();
    }
  }
  return report;
}

DescribeReply Session::State::describe_dataset(std::string_view party, std::string_view name) {
  DescribeRequest request;
  request.dataset = name;
  return decode<DescribeReply>(
      connection.call(std::string(party), Kind::kDescribe, encode(request), kQueryTimeout));
}

DatasetInfo Session::dataset(std::string_view party, std::string_view name) {
  const DescribeReply reply = state_->describe_dataset(party, name);
  return {std::string(name), reply.type, reply.ranges};
}

Digest Session::snapshot(std::string_view party, std::string_view name) {
  return state_->describe_dataset(party, name).lineage;
}

std::vector<DatasetInfo> Session::datasets(std::string_view party) {
  std::vector<DatasetInfo> found;
  ListRequest request;
  request.datasets = true;
  for (bool more = true; more;) {
    const auto reply = decode<ListReply>(
        state_->connection.call(std::string(party), Kind::kList, encode(request), kQueryTimeout));
    for (const ListEntry& entry : reply.entries) {
      found.push_back({entry.name, entry.type, entry.ranges});
    }
    more = reply.more && !reply.entries.empty();
    if (more) request.after = reply.entries.back().name;
  }
  return found;
}

DescribeReply Session::describe(const Ref& ref) {
  if (state_->planner != nullptr) {
    DescribeReply reply;
    reply.type = ref.type();
    reply.state = "planned";
    reply.program = ref.facts().program;
    reply.output = ref.facts().output;
    reply.ranges = ref.facts().ranges;
    return reply;
  }
  const std::vector<std::string> parties = ref.parties();
  expect(!parties.empty(), "this reference does not say who holds the secret; use a saved one");
  return state_->describe_at(ref, parties[0]);
}

DescribeReply Session::State::describe_at(const Ref& ref, const std::string& party) {
  const std::uint64_t known = connection.restarts();
  if (auto error = lost(ref)) throw *std::move(error);
  DescribeRequest request;
  RecipeInput made;
  {
    const std::lock_guard lock(recipes->mutex());
    made = recipes->find_held(ref, request.uri);
  }
  request.after = connection.last_sequence(party);
  return decode<DescribeReply>(
      connection.call(party, Kind::kDescribe, encode(request), kQueryTimeout, known));
}

std::vector<ListEntry> Session::list(std::string_view party, std::string_view prefix) {
  std::vector<ListEntry> found;
  ListRequest request;
  const std::string_view begins[] = {"mem://", "fs:///", "oss://"};
  const auto* const begin =
      std::ranges::find_if(begins, [&](std::string_view one) { return prefix.starts_with(one); });
  if (begin == std::end(begins)) {
    throw Error(Code::kInvalid, "a prefix begins with mem://, fs:/// or oss://");
  }
  request.scheme = begin->substr(0, begin->find(':'));
  request.prefix = prefix.substr(begin->size());
  for (bool more = true; more;) {
    auto reply = decode<ListReply>(
        state_->connection.call(std::string(party), Kind::kList, encode(request), kQueryTimeout));
    more = reply.more && !reply.entries.empty();
    if (more) request.after = reply.entries.back().name;
    std::move(reply.entries.begin(), reply.entries.end(), std::back_inserter(found));
  }
  return found;
}

Ref Session::stored(std::string_view party, const Uri& uri) {
  RefFacts facts{.uri = uri, .type = {}, .session = id()};
  facts.type.device = party;
  const DescribeReply found = describe(Ref(facts, nullptr));
  facts.type = found.type;
  facts.program = found.program;
  facts.output = found.output;
  return Ref(facts, nullptr);
}

std::vector<StatsEntry> Session::stats(std::string_view party) {
  return decode<StatsReply>(state_->connection.call(std::string(party), Kind::kStats,
                                                    encode(Nothing{}), kQueryTimeout))
      .entries;
}

std::vector<GrantInfo> Session::grants(std::string_view party) {
  std::vector<GrantInfo> all;
  for (bool more = true; more;) {
    GrantsReply page = decode<GrantsReply>(state_->connection.call(
        std::string(party), Kind::kGrants,
        encode(GrantsRequest{static_cast<std::uint32_t>(all.size())}), kQueryTimeout));
    more = page.more && !page.grants.empty();
    for (GrantInfo& grant : page.grants) all.push_back(std::move(grant));
  }
  return all;
}

std::vector<StatusReply> Session::status(std::vector<Error>* lost) {
  std::vector<StatusReply> replies;
  for (const std::string& party : parties()) {
    try {
      replies.push_back(decode<StatusReply>(
          state_->connection.call(party, Kind::kStatus, encode(Nothing{}), kStatusTimeout)));
    } catch (const Error& error) {
      if (lost != nullptr) lost->push_back(error.at_party(party));
    }
  }
  return replies;
}

}  // namespace curia
