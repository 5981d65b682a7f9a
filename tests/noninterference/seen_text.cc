#include "tests/noninterference/seen_text.h"

#include <algorithm>

#include "protocol/value_bytes.h"

namespace curia::test {
namespace {

std::string ranges_of(const Ranges& ranges) {
  std::string text;
  for (const auto& [column, range] : ranges) text += " " + column + range.str();
  return text;
}

std::string reply_text(const FetchReply& reply) {
  std::string text = "bytes " + std::to_string(reply.bytes) + (reply.bulk ? " bulk" : "");
  return text + " head " + bytes_text(Slice::copy_of(std::string_view(reply.head))) + " body " +
         bytes_text(Slice::copy_of(std::string_view(reply.body)));
}

std::string reply_text(const DescribeReply& reply) {
  std::string text = reply.type.str() + " " + reply.label + " " + reply.lineage.hex() + " " +
                     reply.state + " " + reply.program + " " + reply.output + " bytes " +
                     std::to_string(reply.bytes) + ranges_of(reply.ranges);
  return reply.error ? text + " " + text_of(reply.error->error()) : text;
}

std::string reply_text(const ListReply& reply) {
  std::string text = reply.more ? "more" : "";
  for (const ListEntry& entry : reply.entries) {
    text += "\n    " + entry.name + " " + entry.type.str() + " " + entry.label +
            ranges_of(entry.ranges);
  }
  return text;
}

std::string reply_text(const RunReply& reply) {
  std::string text = "done";
  for (const OutputInfo& output : reply.outputs) {
    text += " " + std::to_string(output.output) + "=" + output.lineage.hex();
  }
  for (const MpcUse& use : reply.mpc) {
    text += " op" + std::to_string(use.op) + ":" + std::to_string(use.runs) + "," +
            std::to_string(use.rounds) + "," + std::to_string(use.bytes);
  }
  return text;
}

std::string reply_text(const ConsentReply& reply) {
  std::string text;
  for (std::size_t i = 0; i < reply.allowed.size(); ++i) {
    text += reply.allowed[i] == 1 ? " yes" : " no: " + reply.reasons[i];
  }
  return text;
}

std::string reply_text(const GrantsReply& reply) {
  std::string text;
  for (const GrantInfo& grant : reply.grants) {
    text += "\n    " + grant.source + " to " + grant.to + " used " + std::to_string(grant.used) +
            " of " + std::to_string(grant.times);
  }
  return text;
}

}  // namespace

std::string bytes_text(const Slice& bytes) {
  static const char* digits = "0123456789abcdef";
  std::string text;
  for (std::int64_t i = 0; i < bytes.size; ++i) {
    if (i > 0 && i % 8 == 0) text += '.';
    text += digits[bytes.data[i] >> 4];
    text += digits[bytes.data[i] & 15];
  }
  return text;
}

std::string text_of(const Error& error) { return error.what(); }

std::string text_of(const Value& value) {
  if (value.is_error()) return "failure " + text_of(std::get<Error>(value.form));
  if (value.is_share()) return "share " + type_text(value.share().type);
  const ValueBytes bytes = value_bytes(value);
  std::string text = value.type().str();
  for (const Slice& part : bytes.body) text += " " + bytes_text(part);
  return text;
}

std::string text_of(Kind kind, bool failed, const std::string& metadata) {
  if (failed) return text_of(decode<WireError>(metadata).error());
  switch (kind) {
    case Kind::kRun:
      return reply_text(decode<RunReply>(metadata));
    case Kind::kPut:
      return decode<PutReply>(metadata).lineage.hex();
    case Kind::kFetch:
      return reply_text(decode<FetchReply>(metadata));
    case Kind::kDescribe:
      return reply_text(decode<DescribeReply>(metadata));
    case Kind::kList:
      return reply_text(decode<ListReply>(metadata));
    case Kind::kGrants:
      return reply_text(decode<GrantsReply>(metadata));
    case Kind::kCheck:
      return reply_text(decode<ConsentReply>(metadata));
    default:
      return "done";
  }
}

std::string stats_text(const StatsReply& before, const StatsReply& now) {
  std::string text;
  for (const StatsEntry& entry : now.entries) {
    if (entry.name.starts_with("audit_") || entry.name == "sessions") continue;
    // Whether a party still takes what came before its run was aborted is a race; its peers count
    // the same bytes as sent.
    if (entry.name.starts_with("data_bytes_from/")) continue;
    std::int64_t more = entry.value;
    for (const StatsEntry& first : before.entries) {
      if (first.name == entry.name) more -= first.value;
    }
    // A peer that nothing was heard of may have no entry.
    if (more != 0) text += " " + entry.name + "+" + std::to_string(more);
  }
  return text;
}

std::string Names::without_random(const std::string& text) {
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789abcdef", at), text.size());
    if (const std::size_t digits = end - at; digits == 32 || digits == 64) {
      const auto [known, fresh] =
          known_.try_emplace(text.substr(at, digits), static_cast<int>(known_.size()) + 1);
      shown += "#" + std::to_string(known->second);
    } else {
      shown += text.substr(at, digits);
    }
    if (end < text.size()) shown += text[end];
    at = end + 1;
  }
  return shown;
}

}  // namespace curia::test
