#include "driver/saved_session.h"

#include "protocol/fields.h"
#include "protocol/message.h"
#include "protocol/type.h"

namespace curia {
namespace {

SessionId session_of_hex(const Fields& fields, const std::string& text) {
  SessionId id{};
  const auto digit = [&](char c) -> std::uint8_t {
    if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
    fields.fail("session", "expected 32 lower-case hex digits");
  };
  if (text.size() != 2 * id.size()) {
    fields.fail("session", "expected 32 lower-case hex digits");
  }
  for (std::size_t i = 0; i < id.size(); ++i) {
    id[i] = static_cast<std::uint8_t>(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
  }
  return id;
}

}  // namespace

std::string SavedSession::json() const {
  nlohmann::ordered_json parts = nlohmann::ordered_json::object();
  for (const auto& [name, worker] : workers) {
    parts[name] = {{"epoch", worker.epoch}, {"generation", worker.generation}};
  }
  return nlohmann::ordered_json{
      {"session", session_hex(id)}, {"driver", driver}, {"workers", parts}}
      .dump();
}

SavedSession SavedSession::parse(std::string_view json, const std::string& file) {
  nlohmann::json parsed = nlohmann::json::parse(json, nullptr, false);
  if (parsed.is_discarded()) {
    throw Error(Code::kInvalid, file + ": not JSON; expected a saved session");
  }
  Fields fields(std::move(parsed), file, "");
  SavedSession saved;
  saved.id = session_of_hex(fields, fields.text("session"));
  saved.driver = fields.text("driver");
  for (auto& [name, worker] : fields.objects_or_none("workers")) {
    check_name(name, "party");
    const auto number = [&worker = worker](const char* field) {
      return static_cast<std::uint64_t>(worker.number(field, 1, INT64_MAX));
    };
    saved.workers[name] = {number("epoch"), number("generation")};
    worker.finish();
  }
  fields.finish();
  return saved;
}

}  // namespace curia
