#include "protocol/audit_record.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "protocol/codec.h"

namespace curia {
namespace {

constexpr std::array<std::string_view, 19> kNames = {"",
                                                     "start",
                                                     "stop",
                                                     "policy",
                                                     "policy_refused",
                                                     "session_opened",
                                                     "session_closed",
                                                     "prepared",
                                                     "run",
                                                     "run_failed",
                                                     "consent",
                                                     "fetch",
                                                     "refused",
                                                     "different_programs",
                                                     "peer_head",
                                                     "peer_head_wrong",
                                                     "mended",
                                                     "lost",
                                                     "head"};

Digest head_digest(const std::string& party, std::uint64_t sequence, const Digest& hash) {
  Hasher hasher("curia audit head 1");
  hasher.add(party);
  hasher.add(sequence);
  hasher.add(hash);
  return hasher.finish();
}

std::int64_t field_size(const AuditField& field) {
  return 8 + std::ssize(field.name) + std::ssize(field.value);
}

constexpr std::size_t kMark = 64;  // room for what says that a text was cut
constexpr std::string_view kDigits = "0123456789abcdef";

void cut_text(std::string& text) {
  if (std::ssize(text) <= kMaxAuditText) return;
  std::size_t end = static_cast<std::size_t>(kMaxAuditText) - kMark;
  // Not within a character of UTF-8, which has at most three bytes behind its first.
  for (int i = 0; i < 3 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U; ++i) --end;
  const std::size_t cut = text.size() - end;
  text.resize(end);
  text += " ... (" + std::to_string(cut) + " bytes cut)";
}

// Bytes of the character of UTF-8 at `at`; 0 where there is none. Overlong spellings, surrogates
// and what lies behind the last character are none (RFC 3629).
std::size_t utf8_size(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!follows(1) || !follows(2)) return 0;
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    const bool overlong = first == 0xF0 && byte(1) < 0x90;
    const bool too_large = first == 0xF4 && byte(1) >= 0x90;
    return overlong || too_large ? 0 : 4;
  }
  return 0;
}

}  // namespace

template <class Archive>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& ar, AuditField& field) {
  ar(field.name, field.value);
}

std::string audit_shown(std::string_view text) {
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = utf8_size(text, at);
    const auto first = static_cast<unsigned char>(text[at]);
    const bool control =
        first < 0x20 || first == 0x7F ||
        (size == 2 && first == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0);
    if (size == 0 || control) {
      for (std::size_t i = 0; i < (size == 0 ? 1 : size); ++i) {
        const auto byte = static_cast<unsigned char>(text[at + i]);
        line += "\\x";
        line += kDigits[byte >> 4U];
        line += kDigits[byte & 15U];
      }
    } else {
      line += text.substr(at, size);
    }
    at += size == 0 ? 1 : size;
  }
  return line;
}

std::string_view audit_kind_name(AuditKind kind) {
  const auto number = static_cast<std::size_t>(kind);
  return number < kNames.size() ? kNames[number] : "unknown";
}

std::optional<AuditKind> find_audit_kind(std::string_view name) {
  const auto found = std::find(kNames.begin() + 1, kNames.end(), name);
  if (found == kNames.end()) return {};
  return static_cast<AuditKind>(found - kNames.begin());
}

std::string_view AuditRecord::field(std::string_view name) const {
  const auto found = std::ranges::find(fields, name, &AuditField::name);
  return found == fields.end() ? std::string_view() : found->value;
}

std::string encode_audit(const AuditRecord& record) {
  std::string bytes;
  WireWriter writer(bytes);
  writer(record.sequence, record.time_ms, static_cast<std::uint8_t>(record.kind), record.principal,
         record.session, record.task, record.times, record.fields);
  return bytes;
}

bool is_given_consent(const AuditRecord& record) {
  return record.kind == AuditKind::kConsent && record.field("answer") == "given";
}

std::int64_t audit_size(const AuditRecord& record) {
  // Numbers, the sizes of texts and of the list, and the frame.
  std::int64_t size = 33 + 12 + 36 + std::ssize(record.principal) + std::ssize(record.session);
  for (const AuditField& field : record.fields) size += field_size(field);
  return size;
}

void fit_audit(AuditRecord& record) {
  cut_text(record.principal);
  cut_text(record.session);
  std::int64_t bytes = 0;
  std::size_t kept = 0;
  for (AuditField& field : record.fields) {
    cut_text(field.name);
    cut_text(field.value);
    bytes += field_size(field);
    if (bytes > kMaxAuditRecord / 2) break;
    ++kept;
  }
  const std::size_t dropped = record.fields.size() - kept;
  if (dropped == 0) return;
  record.fields.resize(kept);
  record.fields.push_back({"cut", std::to_string(dropped) + " fields"});
}

AuditRecord decode_audit(std::string_view bytes) {
  AuditRecord record;
  std::uint8_t kind = 0;
  WireReader reader(bytes);
  reader(record.sequence, record.time_ms, kind, record.principal, record.session, record.task,
         record.times, record.fields);
  reader.finish();
  if (kind == 0 || kind >= kNames.size()) WireReader::refuse("unknown kind of audit record");
  record.kind = static_cast<AuditKind>(kind);
  return record;
}

Digest audit_hash(const Digest& previous, std::string_view bytes) {
  Hasher hasher("curia audit record 1");
  hasher.add(previous);
  hasher.add(bytes);
  return hasher.finish();
}

void append_audit_frame(std::string& file, std::string_view bytes, const Digest& hash) {
  WireWriter writer(file);
  writer.size(bytes.size());
  writer.bytes(bytes.data(), bytes.size());
  writer.bytes(hash.bytes.data(), hash.bytes.size());
}

bool AuditHead::good(const std::string& party) const {
  return verify_signature(key, head_digest(party, sequence, hash), signature);
}

AuditHead sign_head(const SigningKey& key, const std::string& party, std::uint64_t sequence,
                    const Digest& hash) {
  return {sequence, hash, key.public_key(), key.sign(head_digest(party, sequence, hash))};
}

std::string audit_time(std::int64_t time_ms) {
  std::int64_t second = time_ms / 1000;
  std::int64_t rest = time_ms % 1000;
  if (rest < 0) {
    rest += 1000;
    --second;
  }
  const std::time_t time = second;
  std::tm parts{};
  std::array<char, 64> text{};
  if (gmtime_r(&time, &parts) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
    return std::to_string(time_ms) + " ms";
  }
  const std::string digits = std::to_string(1000 + rest);
  return text.data() + ("." + digits.substr(1)) + "Z";
}

std::string audit_line(const AuditRecord& record) {
  std::string line(audit_kind_name(record.kind));
  if (!record.principal.empty()) line += " " + audit_shown(record.principal);
  if (!record.session.empty()) line += " session " + audit_shown(record.session.substr(0, 8));
  if (record.task != 0) line += " task " + std::to_string(record.task);
  if (record.task != 0 && record.times > 1) {
    line += " to " + std::to_string(record.task + record.times - 1);
  } else if (record.times > 1) {
    line += " " + std::to_string(record.times) + " times";
  }
  for (const AuditField& field : record.fields) {
    line += " " + audit_shown(field.name) + "=";
    const std::string value = audit_shown(field.value);
    const bool plain = value.find(' ') == std::string::npos && !value.empty();
    line += plain ? value : "\"" + value + "\"";
  }
  return line;
}

AuditReader::AuditReader(std::istream& in) : in_(in) {
  std::string magic(kAuditMagic.size(), '\0');
  in_.read(magic.data(), static_cast<std::streamsize>(magic.size()));
  magic.resize(static_cast<std::size_t>(in_.gcount()));
  // A crash may have come before the first record.
  if (!kAuditMagic.starts_with(magic)) {
    throw Error(Code::kCorrupt, "this is no audit log: it does not begin with \"curia audit 1\"");
  }
  end_ = magic.size() == kAuditMagic.size() ? std::ssize(magic) : 0;
}

std::optional<AuditReader::Frame> AuditReader::next() {
  if (end_ == 0 || !in_) return {};
  std::uint32_t size = 0;
  const auto read = [this](void* to, std::size_t count) {
    in_.read(static_cast<char*>(to), static_cast<std::streamsize>(count));
    return in_.gcount() == static_cast<std::streamsize>(count);
  };
  Frame frame;
  if (!read(&size, sizeof(size))) return {};
  if (size == 0 || size > kMaxAuditRecord) {
    in_.setstate(std::ios::failbit);
    return {};
  }
  frame.bytes.resize(size);
  if (!read(frame.bytes.data(), size) || !read(frame.hash.bytes.data(), 32)) return {};
  end_ += static_cast<std::int64_t>(sizeof(size)) + size + 32;
  frame.end = end_;
  return frame;
}

std::int64_t AuditReader::left() {
  in_.clear();
  in_.seekg(0, std::ios::end);
  return static_cast<std::int64_t>(in_.tellg()) - end_;
}

}  // namespace curia
