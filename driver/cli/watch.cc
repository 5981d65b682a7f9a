// curia status, stats, grants: what the workers do and allow right now. No session is opened for
// it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "driver/cli/command.h"
#include "protocol/interval.h"
#include "protocol/list_text.h"

namespace curia {
namespace {

using Json = nlohmann::ordered_json;

std::unique_ptr<Session> tool(const Global& global) {
  return std::make_unique<Session>(wire_configured(global.cluster_config()), tool_options());
}

// Of a table's cell: without spaces.
std::string cell(const std::vector<std::string>& names, const char* none = "-") {
  return names.empty() ? none : list_text(names, {}, ",");
}

std::string wait_line(const WaitInfo& wait) {
  std::string line = wait.party + " waits for " + wait.waits_for + ": " + wait.what;
  if (!wait.op.empty()) line += ", op " + wait.op;
  if (const std::string site = wait.site.str(); !site.empty()) line += " (" + site + ")";
  if (wait.task != 0) line += ", task " + std::to_string(wait.task);
  if (!wait.session.empty()) line += " of session " + wait.session.substr(0, 8);
  return line + ", for " + std::to_string(wait.waited_ms) + " ms";
}

Json wait_json(const WaitInfo& wait) {
  return {{"party", wait.party},     {"waits_for", wait.waits_for}, {"what", wait.what},
          {"op", wait.op},           {"site", wait.site.str()},     {"task", wait.task},
          {"session", wait.session}, {"waited_ms", wait.waited_ms}};
}

void status(Global& global) {
  const auto session = tool(global);
  std::vector<Error> lost;
  const std::vector<StatusReply> replies = session->status(&lost);
  Json parties = Json::array();
  Json waits = Json::array();
  std::vector<std::vector<std::string>> rows = {
      {"PARTY", "STATE", "EPOCH", "UP SINCE", "SESSIONS", "QUEUED", "REACHES", "CANNOT REACH"}};
  std::vector<std::string> lines;
  for (const StatusReply& reply : replies) {
    parties.push_back({{"party", reply.party},
                       {"up", true},
                       {"epoch", reply.epoch},
                       {"uptime_ms", reply.uptime_ms},
                       {"sessions", reply.sessions},
                       {"queued", reply.queued},
                       {"peers_up", reply.peers_up},
                       {"peers_down", reply.peers_down}});
    rows.push_back({reply.party, "up", std::to_string(reply.epoch),
                    std::to_string(reply.uptime_ms / 1000) + " s", std::to_string(reply.sessions),
                    std::to_string(reply.queued), cell(reply.peers_up), cell(reply.peers_down)});
    for (const WaitInfo& wait : reply.waits) {
      waits.push_back(wait_json(wait));
      lines.push_back(wait_line(wait));
    }
  }
  for (const Error& error : lost) {
    parties.push_back({{"party", error.party()},
                       {"up", false},
                       {"code", code_name(error.code())},
                       {"error", error.message()}});
    rows.push_back({error.party(), "down", "-", "-", "-", "-", "-", error.message()});
    global.exit = exit_code(error);
  }
  if (global.json) return Global::print({{"parties", parties}, {"waits", waits}});
  print_table(rows);
  for (const std::string& line : lines) std::puts(line.c_str());
  if (lines.empty()) std::puts("nobody has waited for longer than a second");
}

void stats(const std::string& one, const Global& global) {
  const auto session = tool(global);
  Json all = Json::object();
  std::vector<std::vector<std::string>> rows = {{"PARTY", "NAME", "VALUE"}};
  for (const std::string& party :
       one.empty() ? session->parties() : std::vector<std::string>{one}) {
    for (const StatsEntry& entry : session->stats(party)) {
      all[party][entry.name] = entry.value;
      rows.push_back({party, entry.name, std::to_string(entry.value)});
    }
  }
  if (global.json) return Global::print(all);
  print_table(rows);
}

// What is left of a budget, of all of it: "0.5 of 1", with deltas where there are any.
std::string budget(const GrantInfo& rule) {
  const auto part = [](double spent, double all) {
    return number_text(std::max(0.0, all - spent)) + " of " + number_text(all);
  };
  return "epsilon " + part(rule.spent_epsilon, rule.epsilon) +
         (rule.delta == 0 ? "" : ", delta " + part(rule.spent_delta, rule.delta));
}

std::string left(const GrantInfo& grant) {
  if (grant.epsilon != 0) return budget(grant);
  if (grant.times == 0) return "any";
  const std::uint64_t used = std::min(grant.used, grant.times);
  return std::to_string(grant.times - used) + " of " + std::to_string(grant.times);
}

void grants(const std::string& one, const Global& global) {
  const auto session = tool(global);
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows = {
      {"PARTY", "SOURCE", "TO", "AS", "BY PROGRAM", "LEFT", "UNTIL"}};
  for (const std::string& party :
       one.empty() ? session->parties() : std::vector<std::string>{one}) {
    for (const GrantInfo& grant : session->grants(party)) {
      std::vector<std::string> programs;
      std::vector<std::string> shown;
      for (const Digest& program : grant.programs) {
        programs.push_back(program.hex());
        shown.push_back(programs.back().substr(0, 16));
      }
      list.push_back({{"party", party},
                      {"source", grant.source},
                      {"to", grant.to},
                      {"share_among", grant.members},
                      {"protocol", grant.protocol},
                      {"programs", programs},
                      {"releases", grant.releases},
                      {"until", grant.until},
                      {"times", grant.times},
                      {"used", grant.used},
                      {"approval", grant.approval.empty() ? "" : grant.approval.hex()},
                      {"what", grant.what},
                      {"epsilon", grant.epsilon},
                      {"delta", grant.delta},
                      {"spent_epsilon", grant.spent_epsilon},
                      {"spent_delta", grant.spent_delta}});
      const bool rule = grant.epsilon != 0;
      const bool approved = !grant.approval.empty();
      rows.push_back(
          {party, grant.source, grant.members.empty() ? grant.to : "share: " + cell(grant.members),
           rule ? "dp_ ops" : cell(grant.releases, approved ? "-" : "any"),
           approved ? "approval " + grant.approval.hex().substr(0, 16) : cell(shown, "any"),
           left(grant), grant.until.empty() ? "-" : grant.until});
    }
  }
  if (global.json) return Global::print({{"grants", list}});
  print_table(rows);
}

}  // namespace

void add_watch(CLI::App& app, Global& global) {
  app.add_subcommand("status", "who is up, what waits, and who waits for whom")
      ->callback([&global] { status(global); });
  auto party = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("stats", "the counters of a party, or of all");
  command->add_option("party", *party);
  command->callback([party, &global] { stats(*party, global); });
  CLI::App* grants_command = app.add_subcommand(
      "grants", "the grants, rules and approvals of a party, or of all, that concern this driver");
  grants_command->add_option("party", *party);
  grants_command->callback([party, &global] { grants(*party, global); });
}

}  // namespace curia
