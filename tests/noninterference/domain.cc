// What alice may hold: few rows, few values, one metadata.
#include <limits>

#include "tests/noninterference/stage.h"

namespace curia::test {
namespace {

Datasets datasets_of(std::vector<std::int64_t> k, std::vector<double> v, std::vector<std::string> s,
                     std::vector<std::int64_t> w) {
  Datasets alice;
  alice.emplace("x", Table{{{"k", Tensor::of<std::int64_t>({2}, k)},
                            {"v", Tensor::of<double>({2}, v)},
                            {"s", StringColumn::of(s)}},
                           2});
  alice.emplace("y",
                Table{{{"k", Tensor::of<std::int64_t>({3}, std::vector<std::int64_t>{1, 0, 1})},
                       {"w", Tensor::of<std::int64_t>({3}, w)}},
                      3});
  return alice;
}

}  // namespace

std::vector<Datasets> small_domain() {
  const double not_a_number = std::numeric_limits<double>::quiet_NaN();
  return {
      datasets_of({0, 1}, {0.5, 2}, {"a", "bb"}, {1, 2, 3}),
      datasets_of({1, 0}, {0.5, 2}, {"a", "bb"}, {1, 2, 3}),              // the same sum
      datasets_of({2, 2}, {0.5, 2}, {"a", "bb"}, {1, 2, 3}),              // other rows pass filters
      datasets_of({0, 1}, {1e30, not_a_number}, {"a", "bb"}, {1, 2, 3}),  // no shares of these
      datasets_of({0, 1}, {0.5, 2}, {"a", "a much longer text"}, {1, 2, 3}),
      datasets_of({0, 1}, {0.5, 2}, {"a", "bb"}, {0, 2, 4}),  // y alone, the same sum
  };
}

std::vector<std::pair<std::string, Type>> known_datasets() {
  return {{"x", parse_type("table[2]{k:i64,v:f64,s:string} @alice")},
          {"y", parse_type("table[3]{k:i64,w:i64} @alice")},
          {"z", parse_type("table[2]{k:i64,v:f64} @bob")}};
}

}  // namespace curia::test
