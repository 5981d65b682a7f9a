#include <cmath>

#include "protocol/digest.h"
#include "tests/kernels/support.h"

using namespace curia;
using namespace curia::test;

namespace {

Tensor draw(Shape shape, std::int64_t seed, const std::string& distribution,
            const std::string& dtype, ThreadPool* threads = &pool()) {
  return run("random", {},
             {{"shape", std::move(shape)},
              {"seed", seed},
              {"distribution", distribution},
              {"dtype", dtype}},
             threads);
}

std::string digest(const Tensor& x) {
  return sha256({x.data.data, static_cast<std::size_t>(x.data.size)}).hex();
}

}  // namespace

TEST_CASE("Random: uniform numbers come from the published Philox4x32-10 words") {
  // Counter 0, key 0 gives 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
  const Tensor x = draw({2}, 0, "uniform", "f64");
  CHECK(at(x, 0) == static_cast<Real>(0xe169c58d6627e8d5ULL >> 11) / 9007199254740992.0L);
  CHECK(at(x, 1) == static_cast<Real>(0x9b00dbd8bc57ac4cULL >> 11) / 9007199254740992.0L);
}

TEST_CASE("Random: a longer draw begins like a shorter one, whatever the threads") {
  for (const char* distribution : {"uniform", "normal"}) {
    for (const char* dtype : {"f32", "f64"}) {
      const Tensor all = draw({100'001}, 42, distribution, dtype);
      CHECK(identical(all, draw({100'001}, 42, distribution, dtype, nullptr)));
      const Tensor few = draw({7}, 42, distribution, dtype);
      for (std::int64_t i = 0; i < 7; ++i) CHECK(at(all, i) == at(few, i));
      CHECK(at(draw({1}, 43, distribution, dtype), 0) != at(few, 0));
    }
  }
}

TEST_CASE("Random: the bytes are the same on every machine") {
  CHECK(digest(draw({1000}, 7, "uniform", "f64")) ==
        "4dc8e144adbccdac600ed7239efe6420c6d73a62cbb67d2f570b9e7b214b2c60");
  CHECK(digest(draw({1000}, 7, "uniform", "f32")) ==
        "27e56451a5a8f148800e010f38b26e583281534a4d04e8ad6c3273a7f86e23f5");
  CHECK(digest(draw({1000}, 7, "normal", "f64")) ==
        "b30c7439b6b9b98bbdfe8af6b11c8de29bc1c73a6927c8c28f23a6cf376154c3");
  CHECK(digest(draw({1000}, -7, "normal", "f32")) ==
        "8d4d2634956de22018af1c68da342f54b38474c33473c0052df34ea8b0de3adb");
}

TEST_CASE("Random: moments are those of the distribution") {
  const std::int64_t n = 1'000'000;
  for (const char* dtype : {"f32", "f64"}) {
    Real moments[5] = {};
    const Tensor normal = draw({n}, 5, "normal", dtype);
    for (std::int64_t i = 0; i < n; ++i) {
      const Real v = at(normal, i);
      for (int k = 1; k <= 4; ++k) moments[k] += std::pow(v, k) / n;
    }
    CHECK(std::fabs(moments[1]) < 0.005);
    CHECK(std::fabs(moments[2] - 1) < 0.01);
    CHECK(std::fabs(moments[3]) < 0.02);
    CHECK(std::fabs(moments[4] - 3) < 0.05);
    const Tensor uniform = draw({n}, 6, "uniform", dtype);
    Real mean = 0, least = 1, largest = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      mean += at(uniform, i) / n;
      least = std::min(least, at(uniform, i));
      largest = std::max(largest, at(uniform, i));
    }
    CHECK(std::fabs(mean - 0.5L) < 0.002);
    CHECK(least >= 0);
    CHECK(largest < 1);
    CHECK(largest > 0.9999);
  }
}

TEST_CASE("Random: empty shapes, and what is refused") {
  CHECK(draw({0, 5}, 1, "normal", "f64").elements() == 0);
  CHECK(draw({}, 1, "normal", "f64").elements() == 1);
  CHECK_THROWS_AS(draw({2}, 1, "cauchy", "f64"), Error);
  CHECK_THROWS_AS(draw({2}, 1, "normal", "i64"), Error);
  CHECK_THROWS_AS(draw({-1}, 1, "normal", "f64"), Error);
}
