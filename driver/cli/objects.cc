// curia datasets, ls, describe, put, fetch, rm: what the parties hold.
#include <nlohmann/json.hpp>

#include "driver/cli/command.h"
#include "driver/cli/export.h"
#include "driver/value_files.h"

namespace curia {
namespace {

using Json = nlohmann::ordered_json;

struct ObjectFlags {
  std::string what;
  std::vector<std::string> refs;
  std::string file;
  std::string name;
  std::string prefix = "mem://";
  double timeout = 0;
  bool lineage = false;
};
using Flags = std::shared_ptr<ObjectFlags>;

std::vector<std::string> parties_of(Session& session, const std::string& one) {
  return one.empty() ? session.parties() : std::vector<std::string>{one};
}

void datasets(const ObjectFlags& flags, const Global& global) {
  CommandSession open(global);
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows = {{"PARTY", "DATASET", "TYPE"}};
  for (const std::string& party : parties_of(open.session(), flags.what)) {
    for (const DatasetInfo& info : open.session().datasets(party)) {
      list.push_back({{"party", party}, {"name", info.name}, {"type", info.type.str()}});
      rows.push_back({party, info.name, info.type.str()});
    }
  }
  if (global.json) return Global::print({{"datasets", list}});
  print_table(rows);
}

void need_session(const Global& global) {
  if (global.session.empty()) {
    throw Error(Code::kInvalid,
                "objects belong to a session: give the --session FILE that `curia run --session` "
                "or `curia session open` made");
  }
}

void list(const ObjectFlags& flags, const Global& global) {
  need_session(global);
  CommandSession open(global);
  std::map<std::string, std::string> names;
  for (const auto& [name, ref] : open.file().refs) names[ref.uri().str()] = name;
  Json found = Json::array();
  std::vector<std::vector<std::string>> rows = {{"NAME", "URI", "TYPE", "LABEL"}};
  const std::vector<std::string> parties = parties_of(open.session(), flags.what);
  std::size_t without = 0;  // parties that have no such store
  const auto entries_of = [&](const std::string& party) -> std::vector<ListEntry> {
    try {
      return open.session().list(party, flags.prefix);
    } catch (const Error& error) {
      if (error.code() != Code::kUnimplemented || ++without == parties.size()) throw;
      return {};
    }
  };
  for (const std::string& party : parties) {
    for (const ListEntry& entry : entries_of(party)) {
      found.push_back({{"name", names[entry.name]},
                       {"party", party},
                       {"uri", entry.name},
                       {"type", entry.type.str()},
                       {"label", entry.label}});
      rows.push_back({names[entry.name], entry.name, entry.type.str(), entry.label});
    }
  }
  if (global.json) return Global::print({{"objects", found}});
  print_table(rows);
}

Json lineage_json(const LineageTree& tree) {
  Json nodes = Json::array();
  for (const LineageNode& node : tree.nodes) {
    Json inputs = Json::array();
    for (const LineageNode::Input& input : node.inputs) {
      inputs.push_back({{"name", input.name}, {"node", input.node}});
    }
    nodes.push_back({{"what", node.what},
                     {"name", node.name},
                     {"party", node.party},
                     {"type", node.type.str()},
                     {"state", node.state},
                     {"lineage", node.lineage.empty() ? "" : node.lineage.hex()},
                     {"program", node.program},
                     {"digest", node.digest},
                     {"output", node.output},
                     {"task", node.task},
                     {"op", node.op},
                     {"file", node.site.file},
                     {"line", node.site.line},
                     {"inputs", inputs},
                     {"more", node.more}});
  }
  return {{"nodes", nodes}};
}

void describe(const ObjectFlags& flags, const Global& global) {
  need_session(global);
  CommandSession open(global);
  const Ref ref = open.ref(flags.what);
  if (flags.lineage) {
    const LineageTree tree = open.session().lineage(ref);
    if (global.json) return Global::print(lineage_json(tree));
    std::fputs(lineage_text(tree).c_str(), stdout);
    return;
  }
  const DescribeReply reply = open.session().describe(ref);
  Json json = {
      {"uri", ref.uri().str()},   {"party", ref.party()},   {"type", reply.type.str()},
      {"state", reply.state},     {"label", reply.label},   {"lineage", reply.lineage.hex()},
      {"program", reply.program}, {"output", reply.output}, {"bytes", reply.bytes}};
  if (reply.error) json["error"] = reply.error->error().what();
  if (global.json) return Global::print(json);
  for (const auto& [name, value] : json.items()) {
    std::printf("%-8s %s\n", name.c_str(),
                value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
  }
}

void put(const ObjectFlags& flags, const Global& global) {
  need_session(global);
  Value value = read_value(flags.file);
  CommandSession open(global, true);
  const Ref ref = open.session().put(flags.what, std::move(value));
  open.session().wait();
  open.keep(flags.name, ref, Ref(ref.facts(), nullptr));
  if (global.json) return Global::print({{flags.name, Json::parse(ref.json())}});
  std::printf("%s = %s\n", flags.name.c_str(), ref.str().c_str());
}

void fetch(const ObjectFlags& flags, const Global& global) {
  need_session(global);
  CommandSession open(global);
  const Ref ref = open.ref(flags.what);
  const auto timeout =
      flags.timeout == 0
          ? kForever
          : std::chrono::milliseconds(static_cast<std::int64_t>(flags.timeout * 1000));
  const Value value = [&] {
    const Progress progress(open.session(), "fetching", global.json);
    return open.session().fetch(ref, timeout);
  }();
  if (!flags.file.empty()) {
    write_value(value, flags.file);
    if (global.json) return Global::print({{"file", flags.file}, {"type", value.type().str()}});
    std::printf("saved as %s: %s\n", flags.file.c_str(), value.type().str().c_str());
  } else if (global.json) {
    Global::print(value_json(value));
  } else {
    std::fputs(pretty(value).c_str(), stdout);
  }
}

void remove(const ObjectFlags& flags, const Global& global) {
  need_session(global);
  CommandSession open(global);
  Json removed = Json::array();
  for (const std::string& text : flags.refs) {
    const Ref ref = open.ref(text);
    if (ref.uri().scheme() == "mem") {
      open.session().release(ref);
    } else {
      open.session().remove(ref);
      open.session().wait();
    }
    removed.push_back(ref.uri().str());
    std::erase_if(open.file().refs,
                  [&ref](const auto& entry) { return entry.second.uri() == ref.uri(); });
  }
  if (global.json) return Global::print({{"removed", removed}});
  std::printf("removed %zu\n", removed.size());
}

CLI::App* add(CLI::App& app, Global& global, const Flags& flags, const char* name, const char* help,
              void (*command)(const ObjectFlags&, const Global&)) {
  CLI::App* added = app.add_subcommand(name, help);
  added->callback([flags, command, &global] { command(*flags, global); });
  return added;
}

}  // namespace

void add_objects(CLI::App& app, Global& global) {
  auto flags = std::make_shared<ObjectFlags>();
  const char* ref = "a name of the session, a URI, or a file with a saved reference";
  add(app, global, flags, "datasets", "the named datasets of a party, or of all", datasets)
      ->add_option("party", flags->what);
  CLI::App* list_command = add(app, global, flags, "ls", "the objects of the session", list);
  list_command->add_option("party", flags->what);
  list_command->add_option("--prefix", flags->prefix,
                           "those that begin so: fs:/// and oss:// for what the driver has stored");
  CLI::App* describe_command =
      add(app, global, flags, "describe", "what is known of an object", describe);
  describe_command->add_option("reference", flags->what, ref)->required();
  describe_command->add_flag("--lineage", flags->lineage,
                             "what it was made of: programs, lines, puts and datasets");
  CLI::App* put_command = add(app, global, flags, "put", "store a file's value at a party", put);
  put_command->add_option("party", flags->what)->required();
  put_command->add_option("file", flags->file, "a .csv (table), .npy (tensor) or .arrow file")
      ->required();
  put_command->add_option("--name", flags->name, "what the session calls it")->required();
  CLI::App* fetch_command =
      add(app, global, flags, "fetch", "get an object's bytes, if every owner agreed", fetch);
  fetch_command->add_option("reference", flags->what, ref)->required();
  fetch_command->add_option("--save", flags->file, "a new .csv, .npy or .arrow file");
  fetch_command->add_option("--timeout", flags->timeout, "seconds")->check(CLI::PositiveNumber);
  add(app, global, flags, "rm", "release objects", remove)
      ->add_option("references", flags->refs, ref)
      ->required();
}

}  // namespace curia
