#include "store/ordered_keys.h"

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <string>

using namespace curia;

TEST_CASE("OrderedKeys: has the order of a std::set, whatever comes and goes") {
  std::mt19937 random(7);
  for (const char* beginning : {"", "the same eight bytes and more "}) {
    OrderedKeys index;
    std::set<std::string> keys;  // whose strings stay where they are
    for (int step = 0; step < 40000; ++step) {
      // Grows, shrinks to next to nothing, grows again.
      const bool grows = step % 20000 < 10000;
      std::string key = beginning + std::to_string(random() % 5000);
      if (random() % 3 == 0) key.resize(random() % key.size());
      const auto found = keys.find(key);
      if (found == keys.end() && (grows || random() % 8 == 0)) {
        index.insert(*keys.insert(key).first);
      } else if (found != keys.end() && (!grows || random() % 8 == 0)) {
        index.erase(*found);
        keys.erase(found);
      }
      if (step % 500 != 0) continue;
      REQUIRE(index.empty() == keys.empty());
      if (keys.empty()) continue;
      CHECK(index.first() == *keys.begin());
      const std::string from = beginning + std::to_string(random() % 5000);
      for (const bool after : {false, true}) {
        auto expected = after ? keys.upper_bound(from) : keys.lower_bound(from);
        bool same = true;
        int left = random() % 2 == 0 ? 100000 : 300;
        index.visit(from, after, [&](std::string_view seen) {
          same = same && expected != keys.end() && seen == *expected;
          ++expected;
          return --left > 0;
        });
        CHECK(same);
        CHECK((left == 0 || expected == keys.end()));
      }
    }
  }
}
