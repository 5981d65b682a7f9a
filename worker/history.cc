#include "worker/history.h"

#include <algorithm>
#include <utility>

namespace curia {
namespace {

constexpr std::int64_t kMadeBytes = 32 << 10;  // of a reply; what is more is left out

std::int64_t bytes_of(const std::vector<std::string>& texts) {
  std::int64_t bytes = 0;
  for (const std::string& text : texts) bytes += std::ssize(text) + 32;
  return bytes;
}

}  // namespace

void RunHistory::add_run(const Plan& plan, RunRequest request, std::vector<Digest> lineages) {
  Entry entry;
  entry.plan = &plan;
  entry.task = request.task;
  entry.inputs = std::move(request.inputs);
  entry.outputs = std::move(request.outputs);
  entry.lineages = std::move(lineages);
  entry.bytes = 128 + bytes_of(entry.inputs) + bytes_of(entry.outputs) +
                std::ssize(entry.lineages) * static_cast<std::int64_t>(sizeof(Digest));
  add(std::move(entry));
}

void RunHistory::add_put(const PutRequest& request) {
  Entry entry;
  entry.outputs = {request.uri};
  entry.type = request.type;
  entry.site = request.site;
  entry.bytes = 256 + std::ssize(request.uri) + std::ssize(request.site.file);
  add(std::move(entry));
}

void RunHistory::add(Entry entry) {
  const std::lock_guard lock(mutex_);
  bytes_ += entry.bytes;
  entries_.push_back(std::move(entry));
  while (bytes_ > kMaxHistoryBytes || std::ssize(entries_) > kMaxHistory) {
    bytes_ -= entries_.front().bytes;
    entries_.pop_front();
  }
}

std::optional<DescribeReply> RunHistory::find(const std::string& uri) const {
  const std::lock_guard lock(mutex_);
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    const auto at = std::ranges::find(entry->outputs, uri);
    if (at == entry->outputs.end()) continue;
    const auto output = static_cast<std::uint32_t>(at - entry->outputs.begin());
    DescribeReply found;
    found.state = "released";
    found.type = entry->type;
    if (entry->plan != nullptr) {
      found.type = entry->plan->verified.output_type(entry->plan->graph, output);
      found.program = entry->plan->digest.hex();
      found.output = entry->plan->graph.outputs[output].name;
    }
    found.made = made_by(*entry, output);
    return found;
  }
  return std::nullopt;
}

MadeBy RunHistory::made_by(const Entry& entry, std::uint32_t output) {
  MadeBy made;
  made.task = entry.task;
  made.site = entry.site;
  if (entry.plan == nullptr) {
    made.op = "put";
    return made;
  }
  const Graph& graph = entry.plan->graph;
  made.name = graph.name;
  if (const Op* op = op_of(graph, entry.plan->verified, graph.outputs[output].value)) {
    made.op = op->name;
    made.site = graph.site_of(*op);
  }
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < entry.plan->outside.size(); ++i) {
    const External& external = entry.plan->outside[i];
    MadeOf of;
    of.dataset = external.kind == External::Kind::kDataset;
    of.name = external.name;
    of.party = external.holders.front();
    of.type = external.type;
    of.site = external.site;
    if (external.kind == External::Kind::kInput) of.uri = entry.inputs[external.number];
    if (external.kind == External::Kind::kLoad) of.uri = external.name;
    if (i < entry.lineages.size()) of.lineage = entry.lineages[i];
    bytes += std::ssize(of.name) + std::ssize(of.uri) + std::ssize(of.site.file) + 64 +
             std::ssize(of.type.str());
    made.more = bytes > kMadeBytes;
    if (made.more) break;
    made.of.push_back(std::move(of));
  }
  return made;
}

}  // namespace curia
