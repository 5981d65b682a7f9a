#include "tests/noninterference/random_program.h"

#include <algorithm>
#include <utility>

#include "protocol/verify.h"
#include "tests/noninterference/program_maker.h"
#include "tests/noninterference/stage.h"

namespace curia::test {

ProgramMaker::Maybe ProgramMaker::add(Scope& scope, Op op) {
  const OpSpec* spec = find_op(op.name);
  std::vector<Type> operands;
  for (const ValueId id : op.operands) {
    operands.push_back(scope.types[id]);
    if (spec->same_device && operands.back().device != op.device) return std::nullopt;
  }
  std::vector<std::vector<Type>> inner;
  try {
    // Regions that were made here give what they were asked for.
    for (const Region& region : op.regions) {
      std::vector<Type> results;
      if (&region != &op.regions.back() && op.name == "while") {
        results = {Type{kFlag, op.device}};
      } else {
        const std::size_t skipped = op.name == "cond" ? 1 : 0;
        for (std::size_t i = 0; i < region.results.size(); ++i) {
          results.push_back(operands[i + skipped]);
        }
      }
      inner.push_back(std::move(results));
    }
    check_form(*spec, op);
    std::vector<Type> results = result_types(*spec, {op, operands, inner, kDevices});
    // Large values would only take time.
    for (const Type& type : results) {
      if (type.is_tensor() && element_count(type.tensor().shape) > 64) return std::nullopt;
      if (type.is_secret() && element_count(type.secret().shape) > 16) return std::nullopt;
    }
    const auto first = static_cast<ValueId>(scope.types.size());
    scope.types.insert(scope.types.end(), results.begin(), results.end());
    scope.ops.push_back(std::move(op));
    return first;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void ProgramMaker::sources(Scope& scope) {
  for (const KnownObject& object : objects_) {
    if (object.stored || made_.inputs.size() >= 3 || !chance_of(45)) continue;
    made_.graph.inputs.push_back({"i" + std::to_string(made_.inputs.size()), object.type, {}});
    made_.inputs.push_back(object.uri);
    scope.types.push_back(object.type);
  }
  for (const auto& [name, type] : known_datasets()) {
    if (!chance_of(name == "x" ? 75 : 30)) continue;
    const Maybe table = add(scope, "dataset", type.device, {}, {{"name", name}, {"type", type}});
    for (const char* column : {"k", "v"}) {
      if (chance_of(60))
        add(scope, "column", type.device, {*table}, {{"name", std::string(column)}});
    }
  }
  for (const KnownObject& object : objects_) {
    if (!object.stored || !chance_of(50)) continue;
    const bool own = std::ranges::find(saves_, object.uri) != saves_.end();
    if (!own)
      add(scope, "load", object.type.device, {}, {{"uri", object.uri}, {"type", object.type}});
  }
}

// A row of the table on values of one place.
void ProgramMaker::any_op(Scope& scope) {
  static const std::vector<OpSpec> rows = [] {
    std::vector<OpSpec> list;
    for (const OpSpec& spec : op_table()) {
      const bool other = spec.name == "dataset" || spec.name == "load" || spec.name == "save";
      if (!other && spec.name != "random" && (spec.same_device || spec.name == "constant")) {
        list.push_back(spec);
      }
      if (spec.name == "filter" || spec.name == "join" || spec.name == "group_by") {
        list.insert(list.end(), 3, spec);
      }
      if (spec.name == "random") list.push_back(spec);
    }
    return list;
  }();
  for (int tries = 0; tries < 30; ++tries) {
    const OpSpec& spec = pick(random_, rows);
    if (spec.regions > 0 || (needs_for_body(spec.name) && !scope.in_for)) continue;
    Op op{std::string(spec.name), any_place(scope), {}, {}, {}, 0};
    const std::int64_t most = spec.max_operands < 0 ? 2 : spec.max_operands;
    std::vector<Type> types;
    for (std::int64_t n = pick(random_, spec.min_operands, most); n > 0; --n) {
      const Maybe id = any_value(scope, [&](const Type& type) { return type.device == op.device; });
      if (!id) break;
      op.operands.push_back(*id);
      types.push_back(scope.types[*id]);
    }
    op.attrs = random_attrs(random_, spec, types);
    if (add(scope, std::move(op))) return;
  }
}

void ProgramMaker::move(Scope& scope) {
  const Maybe id = any_value(scope, [&](const Type& type) { return !on_device(type.device); });
  if (!id) return;
  const std::string& from = scope.types[*id].device;
  std::string to = from == "bob" || chance_of(40) ? pick(random_, kAllParties) : "bob";
  if (to == from) to = from == "carol" ? "bob" : "carol";
  std::map<std::string, Attr> attrs;
  if (chance_of(50)) attrs["label"] = std::string("move");
  add(scope, "transfer", to, {*id}, std::move(attrs));
}

void ProgramMaker::to_device(Scope& scope) {
  const Maybe secret = any_value(scope, [](const Type& type) { return type.is_secret(); });
  if (secret && scope.depth == 0 && chance_of(40)) {
    const std::string to = pick(random_, kAllParties);
    add(scope, "reveal", to, {*secret}, {{"label", std::string("out")}});
    return;
  }
  const Maybe id = any_value(scope, [&](const Type& type) {
    return type.is_tensor() && !on_device(type.device) && byte_count(type.tensor()) != kUnknown;
  });
  if (!id) return;
  const OpSpec* spec = find_op("share");
  add(scope, "share", chance_of(75) ? "abc" : "bcd", {*id},
      random_attrs(random_, *spec, {scope.types[*id]}));
}

void ProgramMaker::on_secrets(Scope& scope) {
  static const std::vector<OpSpec> rows = [] {
    std::vector<OpSpec> list;
    for (const OpSpec& spec : op_table()) {
      if (spec.secrets != kNoSecrets && spec.same_device && spec.regions == 0) {
        list.insert(list.end(), spec.only_device ? 4 : 1, spec);
      }
    }
    return list;
  }();
  for (int tries = 0; tries < 20; ++tries) {
    const Maybe first = any_value(scope, [](const Type& type) { return type.is_secret(); });
    if (!first) return to_device(scope);
    const OpSpec& spec = pick(random_, rows);
    Op op{std::string(spec.name), scope.types[*first].device, {*first}, {}, {}, 0};
    while (std::ssize(op.operands) < spec.min_operands) {
      op.operands.push_back(
          *any_value(scope, [&](const Type& t) { return t.device == op.device; }));
    }
    op.attrs = random_attrs(random_, spec, {scope.types[*first]});
    if (add(scope, std::move(op))) return;
  }
}

void ProgramMaker::save(Scope& scope) {
  if (saves_.empty()) return;
  const Maybe id = any_value(scope, [&](const Type& type) { return !on_device(type.device); });
  if (!id) return;
  const std::string uri = saves_.back();
  const std::string place = scope.types[*id].device;
  if (!add(scope, "save", place, {*id}, {{"uri", uri}})) return;
  saves_.pop_back();
  made_.saves.push_back({uri, scope.types[*id], true});
}

void ProgramMaker::one_more(Scope& scope) {
  const bool deep = scope.depth >= 2;
  switch (pick(random_, 0, 21)) {
    case 0:
    case 1:
      return move(scope);
    case 2:
    case 3:
      return to_device(scope);
    case 4:
      return save(scope);
    case 20:
    case 21:
      return on_secrets(scope);
    case 5:
    case 6:
      return fails_for_some(scope);
    case 7:
    case 8:
      return deep ? any_op(scope) : branch(scope);
    case 9:
      return deep ? any_op(scope) : repeat(scope);
    case 10:
      return deep ? any_op(scope) : repeat_while(scope);
    default:
      return any_op(scope);
  }
}

void ProgramMaker::grow(Scope& scope, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) one_more(scope);
}

std::optional<RandomProgram> ProgramMaker::make() {
  Scope scope;
  made_.graph.name = "random";
  made_.graph.devices = kDevices;
  sources(scope);
  grow(scope, pick(random_, 2, 9));
  for (std::int64_t calls = pick(random_, 0, 2); calls > 0; --calls) call(scope);
  std::vector<bool> revealed(scope.types.size());
  std::size_t at = made_.graph.inputs.size();
  for (const Op& op : scope.ops) {
    if (op.name == "reveal") revealed[at] = true;
    at += static_cast<std::size_t>(result_count(op));
  }
  for (ValueId id = 0; id < scope.types.size(); ++id) {
    const Type& type = scope.types[id];
    if (on_device(type.device) && !type.is_secret()) continue;
    const bool late = id + 4 >= scope.types.size();
    if (revealed[id] || chance_of(late ? 60 : 10)) {
      made_.graph.outputs.push_back({"o" + std::to_string(id), id});
    }
  }
  if (!made_.graph.outputs.empty() && chance_of(50)) made_.graph.outputs.back().name = "out";
  made_.graph.ops = std::move(scope.ops);
  try {
    verify(made_.graph);
  } catch (const Error&) {
    return std::nullopt;
  }
  return std::move(made_);
}

std::optional<RandomProgram> random_program(Random& random, const std::vector<KnownObject>& objects,
                                            std::vector<std::string> saves) {
  return ProgramMaker(random, objects, std::move(saves)).make();
}

}  // namespace curia::test
