// One figure of a bench, beside its limit measured in the same run.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace curia::bench {

struct Figure {
  std::string name;
  double value = 0;
  std::string unit;  // "s" and other times: less is better; "1/s", "B/s": more is better; "MiB"
  double limit = 0;
  double ratio = 0;   // 1 is the limit
  double target = 0;  // 0: none
  // What else was found, as name and value.
  std::vector<std::pair<std::string, double>> details{};
};

// ratio = limit / value.
Figure of_time(std::string name, double value, double limit, double target);
// ratio = value / limit.
Figure of_rate(std::string name, std::string unit, double value, double limit, double target);
// MiB; the limit is what is allowed.
Figure of_memory(std::string name, double value, double limit);

double median(std::vector<double> values);

void print_table(const std::vector<Figure>& figures);
void print_json(const std::vector<Figure>& figures);

}  // namespace curia::bench
