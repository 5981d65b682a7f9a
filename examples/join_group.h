// A bank and a shop find out how much is spent in each region: the bank sends the shop ids and
// regions of its customers, never a balance; the shop joins them with its purchases and adds up;
// the driver sees the totals of the regions.
#pragma once

#include "examples/example.h"

namespace curia {

PreparedPtr join_group_program();

// Columns region, spent, purchases; sorted by region.
Table join_group(Session& session);

// The invented data: accounts {id, region, balance}, purchases {id, item, cents}.
Table join_group_accounts();
Table join_group_purchases();

Example join_group_example();

}  // namespace curia
