#include "bench/mpc_works.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "bench/mpc_floor.h"
#include "protocol/error.h"

namespace curia::bench {
namespace {

constexpr int kSignSteps = 63;                 // conjunctions of a bit, at the least
constexpr std::int64_t kPart = 100'000'000;    // bits of one tensor
constexpr std::int64_t kMost = 1'000'000'000;  // elements
constexpr std::int64_t kMostExtent = 8192;     // of a matrix
constexpr std::int64_t kMostRepeats = 1'000'000;

// 1e6 for a power of ten from 1000 on, else the digits.
std::string spelled(std::int64_t size) {
  std::int64_t rest = size;
  int zeros = 0;
  for (; rest % 10 == 0 && rest > 1; rest /= 10) ++zeros;
  return rest == 1 && zeros >= 3 ? "1e" + std::to_string(zeros) : std::to_string(size);
}

// Random elements from the words of a fixed generator: touched, and the same in every run.
template <class T, class Make>
Tensor random_tensor(DType dtype, Shape shape, const Make& make) {
  const std::int64_t count = element_count(shape);
  const auto buffer = Buffer::allocate(count * static_cast<std::int64_t>(sizeof(T)));
  std::mt19937_64 random(7);
  for (std::int64_t i = 0; i < count; ++i) {
    const T value = make(random());
    std::memcpy(buffer->data() + i * static_cast<std::int64_t>(sizeof(T)), &value, sizeof(T));
  }
  return {dtype, std::move(shape), Slice(buffer)};
}

Tensor ints(Shape shape) {
  return random_tensor<std::int64_t>(DType::kI64, std::move(shape), [](std::uint64_t word) {
    return static_cast<std::int64_t>(word >> 34) - (std::int64_t{1} << 29);
  });
}

Tensor bits(Shape shape) {
  return random_tensor<std::uint8_t>(DType::kBool, std::move(shape), [](std::uint64_t word) {
    return static_cast<std::uint8_t>(word & 1);
  });
}

Tensor reals(Shape shape) {
  return random_tensor<double>(DType::kF64, std::move(shape), [](std::uint64_t word) {
    return static_cast<double>(word >> 11) / 9007199254740992.0 * 200 - 100;
  });
}

Array product(const Arrays& x) { return x[0] * x[1]; }

MpcWork mul(std::int64_t n) {
  return {.operands = {ints({n}), ints({n})},
          .body = product,
          .arithmetic = [n] { return bare_products(n, false); },
          .elements = static_cast<double>(n)};
}

// step(step(... step(x[0], x[1]) ..., x[1]), x[1]).
auto chained(std::int64_t times, Array (*step)(const Array&, const Array&)) {
  return [times, step](const Arrays& x) {
    const Array other = x[1];
    const auto body = [&](const Arrays& state, const Index&) {
      return Arrays{step(state[0], other)};
    };
    return for_loop(times, {x[0]}, body)[0];
  };
}

// More bits than one tensor's are the same tensors again, one conjunction after the other.
MpcWork conjunction(std::int64_t n) {
  const std::int64_t part = std::min(n, kPart);
  const std::int64_t times = n / part;
  if (part * times != n) {
    throw Error(Code::kInvalid, "--size and=" + std::to_string(n) + ": more than " +
                                    std::to_string(kPart) + " want a multiple of it");
  }
  return {
      .operands = {bits({part}), bits({part})},
      .body = chained(times, [](const Array& a, const Array& b) { return a & b; }),
      .arithmetic =
          [part, times] { return bare_products((part + 63) / 64, true, static_cast<int>(times)); },
      .elements = static_cast<double>(n)};
}

MpcWork less(std::int64_t n) {
  return {.operands = {ints({n}), ints({n})},
          .body = [](const Arrays& x) { return x[0] < x[1]; },
          .arithmetic = [n] { return bare_products((n + 63) / 64, true, kSignSteps); },
          .elements = static_cast<double>(n)};
}

MpcWork fixed_mul(std::int64_t n) {
  return {.operands = {reals({n}), reals({n})},
          .body = product,
          .arithmetic = [n] { return bare_products(n, false); },
          .elements = static_cast<double>(n)};
}

MpcWork square_matmul(std::int64_t n) {
  return {.operands = {ints({n, n}), ints({n, n})},
          .body = [](const Arrays& x) { return matmul(x[0], x[1]); },
          .arithmetic = [n] { return bare_ring_matmul(n); },
          .elements = static_cast<double>(n * n)};
}

MpcWork mul_round(std::int64_t times) {
  return {.operands = {ints({1}), ints({1})},
          .body = chained(times, [](const Array& a, const Array& b) { return a * b; }),
          .arithmetic = [] { return 0.0; },
          .repeats = static_cast<double>(times)};
}

struct Kind {
  const char* name;
  std::int64_t most;
  std::vector<std::int64_t> sizes;  // of the published figures
  MpcWork (*make)(std::int64_t);
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"mul", kMost / 4, {1'000'000, 10'000'000}, mul},
      {"and", 100 * kMost, {kMost}, conjunction},
      {"lt", kMost / 4, {1'000'000}, less},
      {"fixed_mul", kMost / 4, {1'000'000}, fixed_mul},
      {"matmul", kMostExtent, {512, 1024}, square_matmul},
      {"mul_round", kMostRepeats, {2000}, mul_round},
      {"logreg_step", kMostRepeats, {500}, nullptr},
  };
  return all;
}

const Kind& kind_of(const std::string& name) {
  std::string known;
  for (const Kind& kind : kinds()) {
    if (kind.name == name) return kind;
    known += std::string(known.empty() ? "" : ", ") + kind.name;
  }
  throw Error(Code::kInvalid, "--size " + name + ": there are " + known);
}

void check(const MpcSizes& sizes) {
  for (const auto& [name, values] : sizes) {
    const Kind& kind = kind_of(name);
    for (const std::int64_t size : values) {
      if (size >= 1 && size <= kind.most) continue;
      throw Error(Code::kInvalid, "--size " + name + "=" + std::to_string(size) + ": want 1 to " +
                                      std::to_string(kind.most));
    }
  }
}

void add_goals(MpcWork& work) {
  struct Goal {
    const char* name;
    double seconds;
    double mib;
  };
  constexpr double kMb = 1e6 / (1 << 20);
  static constexpr Goal kGoals[] = {
      {"mul_1e6", 0.022, 0},       {"mul_1e7", 0.20, 400 * kMb}, {"and_1e9", 0.40, 0},
      {"lt_1e6", 0.10, 120 * kMb}, {"fixed_mul_1e6", 0.034, 0},  {"matmul_512", 0.05, 0},
      {"matmul_1024", 0.30, 0},    {"mul_round", 85e-6, 0},
  };
  for (const Goal& goal : kGoals) {
    if (work.name != goal.name) continue;
    work.goal = goal.seconds;
    work.goal_mib = goal.mib;
  }
}

}  // namespace

std::vector<std::function<MpcWork()>> mpc_works(const MpcSizes& sizes) {
  check(sizes);
  std::vector<std::function<MpcWork()>> works;
  for (const Kind& kind : kinds()) {
    if (kind.make == nullptr) continue;
    const auto wanted = sizes.find(kind.name);
    for (const std::int64_t size : wanted == sizes.end() ? kind.sizes : wanted->second) {
      works.push_back([&kind, size] {
        MpcWork work = kind.make(size);
        work.name = kind.name;
        if (work.repeats == 1) work.name += "_" + spelled(size);
        add_goals(work);
        return work;
      });
    }
  }
  return works;
}

std::int64_t one_size(const MpcSizes& sizes, const std::string& kind, std::int64_t otherwise) {
  check(sizes);
  const auto found = sizes.find(kind);
  if (found == sizes.end()) return otherwise;
  if (found->second.size() == 1) return found->second[0];
  throw Error(Code::kInvalid, "--size " + kind + ": want one size");
}

}  // namespace curia::bench
