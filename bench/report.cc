#include "bench/report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

namespace curia::bench {

Figure of_time(std::string name, double value, double limit, double target) {
  return {std::move(name), value, "s", limit, value > 0 ? limit / value : 0, target};
}

Figure of_rate(std::string name, std::string unit, double value, double limit, double target) {
  return {std::move(name), value, std::move(unit), limit, limit > 0 ? value / limit : 0, target};
}

Figure of_memory(std::string name, double value, double limit) {
  return {std::move(name), value, "MiB", limit, value > 0 ? limit / value : 0, 1};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

void print_table(const std::vector<Figure>& figures) {
  std::printf("%-22s %14s %14s  %-5s %7s %7s\n", "name", "value", "limit", "unit", "ratio",
              "target");
  for (const Figure& figure : figures) {
    std::printf("%-22s %14.6g %14.6g  %-5s %7.2f %7.2f%s\n", figure.name.c_str(), figure.value,
                figure.limit, figure.unit.c_str(), figure.ratio, figure.target,
                figure.ratio < figure.target ? "  missed" : "");
    for (const auto& [name, value] : figure.details) {
      std::printf("    %-24s %.6g\n", name.c_str(), value);
    }
  }
}

void print_json(const std::vector<Figure>& figures) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Figure& figure : figures) {
    nlohmann::ordered_json entry = {{"name", figure.name},
                                    {"value", figure.value},
                                    {"unit", figure.unit},
                                    {"limit", figure.limit},
                                    {"ratio", figure.ratio}};
    for (const auto& [name, value] : figure.details) entry[name] = value;
    list.push_back(std::move(entry));
  }
  std::printf("%s\n", list.dump(2).c_str());
}

}  // namespace curia::bench
