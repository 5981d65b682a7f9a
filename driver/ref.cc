#include "driver/ref.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace curia {

Ref::Ref(RefFacts facts, std::shared_ptr<const ValueHandle> handle)
    : facts_(std::make_shared<const RefFacts>(std::move(facts))), handle_(std::move(handle)) {}

const RefFacts& Ref::facts() const {
  expect(facts_ != nullptr, "this Ref is empty: it refers to nothing");
  return *facts_;
}

Ref Ref::weak() const {
  facts();  // not empty
  Ref weak = *this;
  weak.handle_.reset();
  return weak;
}

std::string Ref::str() const {
  const RefFacts& f = facts();
  std::string text = f.uri.str() + " " + f.type.str();
  text +=
      f.output.empty() ? ", put" : ", output " + f.output + " of task " + std::to_string(f.task);
  if (const std::string line = f.site.str(); !line.empty()) text += " (" + line + ")";
  return text;
}

std::string Ref::json() const {
  const RefFacts& f = facts();
  nlohmann::ordered_json json = {{"uri", f.uri.str()},   {"type", f.type.str()},
                                 {"session", f.session}, {"task", f.task},
                                 {"program", f.program}, {"output", f.output},
                                 {"file", f.site.file},  {"line", f.site.line}};
  if (f.type.is_secret()) {
    json["protocol"] = f.device.protocol;
    json["members"] = f.device.members;
    if (const auto range = f.ranges.find(""); range != f.ranges.end()) {
      json["range"] = {range->second.low, range->second.high};
    }
  }
  return json.dump();
}

std::vector<std::string> Ref::parties() const {
  const RefFacts& f = facts();
  return f.type.is_secret() ? f.device.members : std::vector<std::string>{f.type.device};
}

Ref Ref::parse(std::string_view text) {
  if (text.size() > 64 << 10) throw Error(Code::kInvalid, "a saved ref has at most 64 KiB");
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) throw Error(Code::kInvalid, "a saved ref is one JSON object");
  const auto field = [&json](const char* name) -> std::string {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_string()) {
      throw Error(Code::kInvalid, std::string("a saved ref needs the text field \"") + name + "\"");
    }
    return found->get<std::string>();
  };
  const auto number = [&json](const char* name, std::int64_t most) -> std::int64_t {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_number_integer() || *found < 0 || *found > most) {
      throw Error(Code::kInvalid, std::string("a saved ref needs the field \"") + name +
                                      "\", a whole number from 0 to " + std::to_string(most));
    }
    return found->get<std::int64_t>();
  };
  const auto hex = [&field](const char* name, std::size_t digits) {
    std::string value = field(name);
    if ((!value.empty() && value.size() != digits) ||
        value.find_first_not_of("0123456789abcdef") != std::string::npos) {
      throw Error(Code::kInvalid, std::string("a saved ref needs the field \"") + name + "\", " +
                                      std::to_string(digits) + " lower-case hex digits or none");
    }
    return value;
  };
  RefFacts facts{.uri = Uri::parse(field("uri")),
                 .type = parse_type(field("type")),
                 .session = hex("session", 2 * SessionId().size()),
                 .task = static_cast<std::uint64_t>(number("task", INT64_MAX)),
                 .program = hex("program", 64),
                 .output = field("output"),
                 .site = {field("file"), static_cast<std::int32_t>(number("line", INT32_MAX))}};
  check_name(facts.type.device, "party");
  if (facts.type.is_secret()) {
    facts.device = {facts.type.device, field("protocol"), {}};
    const auto members = json.find("members");
    if (members == json.end() || !members->is_array() || members->size() > 3 ||
        !std::all_of(members->begin(), members->end(),
                     [](const auto& m) { return m.is_string(); })) {
      throw Error(Code::kInvalid,
                  "a saved ref of a secret needs the field \"members\", a list of three parties");
    }
    for (const auto& member : *members) facts.device.members.push_back(member);
    check_device(facts.device);
    if (const auto range = json.find("range"); range != json.end()) {
      if (!range->is_array() || range->size() != 2 || !(*range)[0].is_number() ||
          !(*range)[1].is_number()) {
        throw Error(Code::kInvalid, "a saved ref has a \"range\" of two numbers, or none");
      }
      facts.ranges[""] = {(*range)[0], (*range)[1]};
      check_ranges(facts.ranges, facts.type);
    }
  }
  if (!facts.output.empty()) check_name(facts.output, "output");
  return {std::move(facts), nullptr};
}

}  // namespace curia
