// Every example without any grant: planned, approved by its owners, and run.
#include <doctest/doctest.h>

#include "examples/auction.h"
#include "examples/fedavg.h"
#include "examples/iris_means.h"
#include "examples/join_group.h"
#include "examples/least_squares.h"
#include "examples/logreg.h"
#include "examples/millionaires.h"
#include "examples/secure_stats.h"
#include "tests/support/planned.h"

using namespace curia;

namespace {

std::string ran(Simulation& cluster, const Example& example) {
  Session session(cluster.wiring("dora"), {});
  return example.run(session);
}

}  // namespace

TEST_CASE("examples: each runs with approvals alone, once, and with the same results") {
  for (const Example& example : {auction_example(), fedavg_example(), iris_means_example(),
                                 join_group_example(), least_squares_example(), logreg_example(),
                                 millionaires_example(), secure_stats_example()}) {
    INFO(example.name);
    auto parties = example.parties("dora");
    std::string wanted;
    {
      Simulation cluster(parties, {"dora"});
      wanted = ran(cluster, example);
    }
    for (auto& [name, party] : parties) party.grants.clear();
    Simulation cluster(parties, {"dora"});
    CHECK_THROWS_AS(ran(cluster, example), Error);
    const ReleasePlan plan = planned(cluster.wiring("dora"), example.run);
    const CheckedPlan checked = check_plan(plan);
    std::set<std::string> owners;
    for (const PlannedRelease& release : checked.releases) owners.merge(release.owners());
    REQUIRE_FALSE(owners.empty());
    for (const std::string& owner : owners) {
      Approval approval = approval_of(plan, checked, owner);
      approval.until = parse_time("2200-01-01T00:00:00Z");
      cluster.approve(owner, std::move(approval));
    }
    CHECK(ran(cluster, example) == wanted);
    CHECK_THROWS_AS(ran(cluster, example), Error);
  }
}
