// Regions, what steers them, and failures that depend on data.
#include "tests/noninterference/program_maker.h"

namespace curia::test {

// Rows that pass a filter, and as many numbers as may pass: it depends on the data whether that
// goes together, and so it does for all that is made of it.
void ProgramMaker::fails_for_some(Scope& scope) {
  const Maybe table = any_value(scope, [](const Type& type) {
    return type.is_table() &&
           std::ranges::count(type.table().columns, ColumnType{"k", DType::kI64});
  });
  if (!table) return;
  const std::string at = scope.types[*table].device;
  const Maybe keys = add(scope, "column", at, {*table}, {{"name", std::string("k")}});
  const Maybe least =
      add(scope, "constant", at, {}, {{"value", Tensor::scalar(pick(random_, 0, 2))}});
  const Maybe mask = keys && least ? add(scope, "lt", at, {*least, *keys}) : std::nullopt;
  const Maybe rows = mask ? add(scope, "filter", at, {*table, *mask}) : std::nullopt;
  const Maybe kept =
      rows ? add(scope, "column", at, {*rows}, {{"name", std::string("k")}}) : std::nullopt;
  if (!kept) return;
  const std::vector<std::int64_t> zeros(static_cast<std::size_t>(pick(random_, 2, 3)));
  const Tensor many = Tensor::of<std::int64_t>({std::ssize(zeros)}, zeros);
  const Maybe more = add(scope, "constant", at, {}, {{"value", many}});
  const Maybe both = add(scope, "add", at, {*kept, *more});
  if (both && chance_of(70)) add(scope, "sum", at, {*both});
}

ProgramMaker::Maybe ProgramMaker::flag(Scope& scope) {
  const auto is_flag = [](const Type& type) {
    return type.is_tensor() && type.tensor() == kFlag && !on_device(type.device);
  };
  if (chance_of(40)) {
    if (const Maybe known = any_value(scope, is_flag)) return known;
  }
  const Maybe number = any_value(scope, [](const Type& type) {
    return type.is_tensor() && type.tensor().dtype == DType::kI64 && !on_device(type.device);
  });
  if (!number) return any_value(scope, is_flag);
  const std::string at = scope.types[*number].device;
  const Maybe total = add(scope, "sum", at, {*number});
  const Maybe least =
      add(scope, "constant", at, {}, {{"value", Tensor::scalar(pick(random_, 0, 3))}});
  return total && least ? add(scope, "lt", at, {*least, *total}) : std::nullopt;
}

std::vector<ValueId> ProgramMaker::args(const Scope& scope, std::int64_t most) {
  std::vector<ValueId> list;
  for (std::int64_t n = pick(random_, 1, most); n > 0; --n) {
    if (const Maybe id = any_value(
            scope, [](const Type& type) { return type.is_secret() || !on_device(type.device); })) {
      list.push_back(*id);
    }
  }
  return list;
}

Region ProgramMaker::region(const Scope& around, const std::vector<Type>& params,
                            std::size_t results, bool in_for) {
  Scope inner{{}, params, around.depth + 1, around.in_for || in_for};
  grow(inner, pick(random_, 0, 3));
  Region region{params, {}, {}};
  for (std::size_t i = 0; i < results; ++i) {
    ValueId last = static_cast<ValueId>(i);
    for (ValueId id = 0; id < inner.types.size(); ++id) {
      if (inner.types[id] == params[i] && chance_of(70)) last = id;
    }
    region.results.push_back(last);
  }
  region.ops = std::move(inner.ops);
  return region;
}

void ProgramMaker::branch(Scope& scope) {
  const Maybe predicate = flag(scope);
  if (!predicate) return;
  const bool numbers = chance_of(40);
  std::vector<ValueId> operands = args(scope, numbers ? 1 : 3);
  const std::string at = scope.types[*predicate].device;
  if (numbers) {  // two, of which nothing but the branch tells which came out
    for (const std::int64_t number : {0, 1}) {
      const Maybe constant = add(scope, "constant", at, {}, {{"value", Tensor::scalar(number)}});
      operands.insert(operands.begin(), *constant);
    }
  }
  if (operands.empty()) return;
  std::vector<Type> params;
  for (const ValueId id : operands) params.push_back(scope.types[id]);
  const auto results = static_cast<std::size_t>(pick(random_, 1, std::ssize(params)));
  Op op{"cond", at, {*predicate}, {}, {}, 0};
  op.operands.insert(op.operands.end(), operands.begin(), operands.end());
  op.regions = {region(scope, params, results, false), region(scope, params, results, false)};
  const Maybe result = add(scope, std::move(op));
  if (result && scope.types[*result].device == at && chance_of(40)) {
    const std::string& to = pick(random_, kAllParties);
    if (to != at) add(scope, "transfer", to, {*result});
  }
}

void ProgramMaker::repeat(Scope& scope) {
  const std::vector<ValueId> operands = args(scope, 3);
  if (operands.empty()) return;
  std::vector<Type> params;
  for (const ValueId id : operands) params.push_back(scope.types[id]);
  const std::int64_t carried = pick(random_, 1, std::ssize(params));
  const std::string& place = scope.types[operands[0]].device;
  Op op{"for", on_device(place) ? "bob" : place, operands, {}, {}, 0};
  op.attrs = {{"carried", carried}, {"count", pick(random_, 0, 3)}};
  op.regions = {region(scope, params, static_cast<std::size_t>(carried), true)};
  add(scope, std::move(op));
}

// Comes last, since what is called does.
void ProgramMaker::call(Scope& scope) {
  const std::vector<ValueId> operands = args(scope, 3);
  if (operands.empty()) return;
  std::vector<Type> params;
  for (const ValueId id : operands) params.push_back(scope.types[id]);
  const auto results = static_cast<std::size_t>(pick(random_, 1, std::ssize(params)));
  Op op{"call", pick(random_, kAllParties), operands, {}, {}, 0};
  op.regions = {region(scope, params, results, false)};
  add(scope, std::move(op));
}

// Counts up to a number that may be secret.
void ProgramMaker::repeat_while(Scope& scope) {
  const Maybe number = any_value(scope, [](const Type& type) {
    return type.is_tensor() && type.tensor().dtype == DType::kI64 && !on_device(type.device);
  });
  if (!number) return;
  const std::string at = scope.types[*number].device;
  const Maybe end = add(scope, "sum", at, {*number});
  const Maybe zero = add(scope, "constant", at, {}, {{"value", Tensor::scalar(std::int64_t{0})}});
  const Maybe one = add(scope, "constant", at, {}, {{"value", Tensor::scalar(std::int64_t{1})}});
  if (!end || !zero || !one) return;
  std::vector<ValueId> operands = {*zero, *end, *one};
  for (const ValueId id : args(scope, 1)) operands.push_back(id);
  std::vector<Type> params;
  for (const ValueId id : operands) params.push_back(scope.types[id]);
  Scope test{{}, params, scope.depth + 1, scope.in_for};
  const Maybe go_on = add(test, "lt", at, {0, 1});
  Region body = region(scope, params, 1, false);
  Scope turn{std::move(body.ops), params, 0, false};
  // The count goes up whatever else the body does.
  std::size_t values = params.size();
  for (const Op& op : turn.ops) values += static_cast<std::size_t>(result_count(op));
  turn.ops.push_back({"add", at, {0, 2}, {}, {}, 0});
  body.ops = std::move(turn.ops);
  body.results = {static_cast<ValueId>(values)};
  Op op{"while", at, operands, {{"carried", std::int64_t{1}}, {"limit", pick(random_, 1, 4)}},
        {},      0};
  op.regions = {Region{params, std::move(test.ops), {*go_on}}, std::move(body)};
  add(scope, std::move(op));
}

}  // namespace curia::test
