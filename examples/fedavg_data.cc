// The breast cancer data set, dealt out to three clinics.
#include "examples/fedavg.h"

namespace curia {
namespace {

template <class T>
Tensor pick(const Tensor& all, const std::vector<std::size_t>& rows) {
  std::vector<T> picked;
  for (const std::size_t row : rows) picked.push_back(all.as<T>()[row]);
  return Tensor::of<T>({static_cast<std::int64_t>(rows.size())}, picked);
}

}  // namespace

std::vector<std::string> fedavg_features() {
  std::vector<std::string> names;
  for (const std::string kind : {"mean", "error", "worst"}) {
    for (const std::string what :
         {"radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity",
          "concave_points", "symmetry", "fractal_dimension"}) {
      names.push_back(kind + "_" + what);
    }
  }
  return names;
}

Table fedavg_patients(int party, bool test) {
  const Table all = example_data("breast_cancer");
  std::vector<std::size_t> rows;
  int turn = 0;
  for (std::size_t row = 0; row < static_cast<std::size_t>(all.rows); ++row) {
    if ((row % 5 == 4) == test && turn++ % 3 == party) rows.push_back(row);
  }
  Table mine;
  mine.rows = static_cast<std::int64_t>(rows.size());
  for (const Column& column : all.columns) {
    const Tensor& data = std::get<Tensor>(column.data);
    mine.columns.push_back({column.name, column.dtype() == DType::kF64
                                             ? pick<double>(data, rows)
                                             : pick<std::int64_t>(data, rows)});
  }
  return mine;
}

}  // namespace curia
