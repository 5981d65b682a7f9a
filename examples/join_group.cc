#include "examples/join_group.h"

#include <cstdio>

namespace curia {
namespace {

constexpr std::int64_t kAccounts = 200;
constexpr std::int64_t kPurchases = 1000;

std::string customer(std::int64_t number) { return "c-" + std::to_string(1000 + number); }

template <class T>
Tensor column_of(const std::vector<T>& values) {
  return Tensor::of<T>({static_cast<std::int64_t>(values.size())}, values);
}

}  // namespace

Table join_group_accounts() {
  const std::vector<std::string> regions = {"north", "south", "east", "west"};
  std::vector<std::string> ids, where;
  std::vector<double> balances;
  for (std::int64_t i = 0; i < kAccounts; ++i) {
    ids.push_back(customer(i));
    where.push_back(regions[static_cast<std::size_t>(i * 7 % 13 % 4)]);
    balances.push_back(static_cast<double>(i * 7919 % 100'000) / 100 + 0.25);
  }
  return {{{"id", StringColumn::of(ids)},
           {"region", StringColumn::of(where)},
           {"balance", column_of(balances)}},
          kAccounts};
}

Table join_group_purchases() {
  std::vector<std::string> ids;
  std::vector<std::int64_t> items, cents;
  for (std::int64_t i = 0; i < kPurchases; ++i) {
    ids.push_back(customer(i * 37 % 260));  // some have no account at this bank
    items.push_back(i % 50);
    cents.push_back(100 + i * 271 % 9'000);
  }
  return {{{"id", StringColumn::of(ids)}, {"item", column_of(items)}, {"cents", column_of(cents)}},
          kPurchases};
}

PreparedPtr join_group_program() {
  Program program("join_group");
  const Array accounts = program.dataset(
      {"accounts", parse_type("table[200]{id:string,region:string,balance:f64} @bank")});
  const Array purchases =
      program.dataset({"purchases", parse_type("table[1000]{id:string,item:i64,cents:i64} @shop")});
  const Array regions = accounts.select({"id", "region"}).to("shop", "regions");
  const Array bought = join(purchases, regions, {"id"});
  program.output("totals",
                 group_by(bought, {"region"}, {"sum:cents:spent", "count:item:purchases"}));
  return prepare(program);
}

Table join_group(Session& session) {
  const Refs refs = session.run(join_group_program());
  return session.fetch(refs["totals"]).table();
}

Example join_group_example() {
  Example example;
  example.name = "join_group";
  example.programs = [] { return std::vector<PreparedPtr>{join_group_program()}; };
  example.parties = [](const std::string& driver) {
    const Digest program = join_group_program()->digest;
    std::map<std::string, SimulatedParty> parties;
    parties["bank"].datasets.emplace("accounts", join_group_accounts());
    parties["bank"].grants = {{"accounts", "shop", {program}, {"regions"}, {}},
                              {"accounts", driver, {program}, {"totals"}, {}}};
    parties["shop"].datasets.emplace("purchases", join_group_purchases());
    parties["shop"].grants = {{"purchases", driver, {program}, {"totals"}, {}}};
    return parties;
  };
  example.run = [](Session& session) {
    const Table totals = join_group(session);
    std::string text = "region   purchases      spent\n";
    for (std::int64_t row = 0; row < totals.rows; ++row) {
      const auto at = static_cast<std::size_t>(row);
      const std::string region(std::get<StringColumn>(totals.column("region").data).at(row));
      const auto number = [&](const char* name) {
        return std::get<Tensor>(totals.column(name).data).as<std::int64_t>()[at];
      };
      char line[64];
      std::snprintf(line, sizeof(line), "%-8s %9lld %10.2f\n", region.c_str(),
                    static_cast<long long>(number("purchases")),
                    static_cast<double>(number("spent")) / 100);
      text += line;
    }
    return text;
  };
  return example;
}

}  // namespace curia
