#include "examples/join_group.h"

#include <doctest/doctest.h>

#include "tests/examples/attacks.h"
#include "tests/support/worlds.h"

using namespace curia;

namespace {

const StringColumn& texts(const Table& table, const std::string& name) {
  return std::get<StringColumn>(table.column(name).data);
}

std::span<const std::int64_t> numbers(const Table& table, const std::string& name) {
  return std::get<Tensor>(table.column(name).data).as<std::int64_t>();
}

struct Total {
  std::int64_t spent = 0;
  std::int64_t purchases = 0;
};

std::map<std::string, Total> in_plain_cpp() {
  const Table accounts = join_group_accounts();
  const Table purchases = join_group_purchases();
  std::map<std::string, std::string> regions;
  for (std::int64_t row = 0; row < accounts.rows; ++row) {
    regions.emplace(texts(accounts, "id").at(row), texts(accounts, "region").at(row));
  }
  std::map<std::string, Total> totals;
  for (std::int64_t row = 0; row < purchases.rows; ++row) {
    const auto region = regions.find(std::string(texts(purchases, "id").at(row)));
    if (region == regions.end()) continue;
    Total& total = totals[region->second];
    total.spent += numbers(purchases, "cents")[static_cast<std::size_t>(row)];
    ++total.purchases;
  }
  return totals;
}

void check_totals(World& world) {
  Session session = world.connect();
  const Table found = join_group(session);
  const auto expected = in_plain_cpp();
  REQUIRE(expected.size() == 4);
  REQUIRE(found.rows == 4);
  std::size_t row = 0;
  for (const auto& [region, total] : expected) {
    CHECK(texts(found, "region").at(static_cast<std::int64_t>(row)) == region);
    CHECK(numbers(found, "spent")[row] == total.spent);
    CHECK(numbers(found, "purchases")[row] == total.purchases);
    ++row;
  }
}

void check_attacks(World& world) {
  Session session = world.connect();
  check_rows_stay(session, session.dataset("bank", "accounts"), "totals", "shop");
  check_rows_stay(session, session.dataset("shop", "purchases"), "totals", "bank");
}

}  // namespace

TEST_CASE("join_group: simulated parties give the totals of plain C++") {
  check_totals(*simulated_world(join_group_example().parties("dora")));
}

TEST_CASE("join_group: worker processes give the same totals, and keep the rows") {
  const auto world = process_world(join_group_example().parties("dora"));
  check_totals(*world);
  check_attacks(*world);
}

TEST_CASE("join_group: simulated parties keep the rows") {
  check_attacks(*simulated_world(join_group_example().parties("dora")));
}

TEST_CASE("join_group: the bank's balances do not go along under the label of the projection") {
  const auto world = simulated_world(join_group_example().parties("dora"));
  Session session = world->connect();
  Program program("join_group");
  const Array accounts = program.dataset(session.dataset("bank", "accounts"));
  program.output("totals", accounts.select({"id", "balance"}).to("shop", "regions"));
  const Refs refs = session.run(program);
  check_denied([&] { session.fetch(refs["totals"]); }, "not through program");
}
