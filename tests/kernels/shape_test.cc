#include "tests/kernels/support.h"

using namespace curia;
using namespace curia::test;

using Ints = std::vector<std::int64_t>;

TEST_CASE("Shape: constant and iota") {
  const Tensor x = vec(DType::kF32, {1, 2, kNan});
  CHECK(identical(run("constant", {}, {{"value", x}}), x));
  check_vec(run("iota", {}, {{"count", std::int64_t{4}}}), DType::kI64, {0, 1, 2, 3});
  check_vec(run("iota", {}, {{"count", std::int64_t{0}}}), DType::kI64, {});
  CHECK_THROWS_AS(run("iota", {}, {{"count", std::int64_t{-1}}}), Error);
  CHECK_THROWS_AS(run("iota", {}), Error);
}

TEST_CASE("Shape: transpose agrees with a scalar loop for every permutation") {
  unsigned seed = 0;
  for (const DType dtype : {DType::kBool, DType::kI16, DType::kF32, DType::kF64}) {
    for (const Shape& shape :
         {Shape{}, Shape{5}, Shape{3, 4}, Shape{70, 130}, Shape{1, 5}, Shape{0, 4}, Shape{2, 3, 4},
          Shape{33, 1, 65}, Shape{4, 40, 50}, Shape{2, 3, 4, 5}}) {
      Ints perm(shape.size());
      for (std::size_t i = 0; i < perm.size(); ++i) perm[i] = static_cast<std::int64_t>(i);
      const Tensor x = sample(dtype, shape, ++seed);
      do {
        Shape result;
        for (const std::int64_t axis : perm)
          result.push_back(shape[static_cast<std::size_t>(axis)]);
        std::vector<Real> wanted;
        for (std::int64_t i = 0; i < x.elements(); ++i) {
          Ints coordinate(shape.size());
          std::int64_t rest = i;
          for (std::size_t k = shape.size(); k-- > 0;) {
            coordinate[static_cast<std::size_t>(perm[k])] = rest % result[k];
            rest /= result[k];
          }
          std::int64_t place = 0;
          for (std::size_t k = 0; k < shape.size(); ++k) place = place * shape[k] + coordinate[k];
          wanted.push_back(at(x, place));
        }
        check_equal(run("transpose", {x}, {{"perm", perm}}), dtype, result, wanted);
      } while (std::next_permutation(perm.begin(), perm.end()));
    }
  }
  check_equal(run("transpose", {make(DType::kI8, {2, 3}, {1, 2, 3, 4, 5, 6})}), DType::kI8, {3, 2},
              {1, 4, 2, 5, 3, 6});
  for (const Ints& bad : {Ints{0}, Ints{0, 0}, Ints{0, 2}, Ints{-1, 0}, Ints{0, 1, 2}}) {
    CHECK_THROWS_AS(run("transpose", {sample(DType::kI8, {2, 3}, 1)}, {{"perm", bad}}), Error);
  }
}

TEST_CASE("Shape: reshape shares the memory and keeps the number of elements") {
  const Tensor x = sample(DType::kF64, {6, 4}, 1);
  const Tensor y = run("reshape", {x}, {{"shape", Ints{2, 12}}});
  CHECK(y.shape == Shape{2, 12});
  CHECK(y.data.data == x.data.data);
  CHECK_THROWS_AS(run("reshape", {x}, {{"shape", Ints{5, 5}}}), Error);
  CHECK_THROWS_AS(run("reshape", {x}, {{"shape", Ints{-1, 24}}}), Error);
  CHECK_THROWS_AS(
      run("reshape", {x}, {{"shape", Ints{std::int64_t{1} << 40, std::int64_t{1} << 40}}}), Error);
}

TEST_CASE("Shape: broadcast repeats and refuses what does not fit") {
  const Tensor x = sample(DType::kI32, {3, 1}, 2);
  std::vector<Real> wanted;
  for (std::int64_t i = 0; i < 2 * 3 * 700; ++i) wanted.push_back(at(x, i / 700 % 3));
  check_equal(run("broadcast", {x}, {{"shape", Ints{2, 3, 700}}}), DType::kI32, {2, 3, 700},
              wanted);
  check_equal(run("broadcast", {x}, {{"shape", Ints{3, 0}}}), DType::kI32, {3, 0}, {});
  CHECK_THROWS_AS(run("broadcast", {x}, {{"shape", Ints{3}}}), Error);
  CHECK_THROWS_AS(run("broadcast", {x}, {{"shape", Ints{4, 2}}}), Error);
  CHECK_THROWS_AS(run("broadcast", {x}, {{"shape", Ints{-1, 3, 2}}}), Error);
}

TEST_CASE("Shape: concat joins along an axis") {
  const Tensor a = make(DType::kI8, {2, 2}, {1, 2, 3, 4}), b = make(DType::kI8, {2, 1}, {5, 6});
  const Tensor none = make(DType::kI8, {2, 0}, {});
  check_equal(run("concat", {a, none, b}, {{"axis", std::int64_t{1}}}), DType::kI8, {2, 3},
              {1, 2, 5, 3, 4, 6});
  check_equal(run("concat", {a, a}, {{"axis", std::int64_t{0}}}), DType::kI8, {4, 2},
              {1, 2, 3, 4, 1, 2, 3, 4});
  check_equal(run("concat", {none, none}, {{"axis", std::int64_t{1}}}), DType::kI8, {2, 0}, {});
  CHECK_THROWS_AS(run("concat", {a, b}, {{"axis", std::int64_t{0}}}), Error);
  CHECK_THROWS_AS(run("concat", {a, vec(DType::kI8, {1})}, {{"axis", std::int64_t{0}}}), Error);
  CHECK_THROWS_AS(run("concat", {a, sample(DType::kI16, {2, 2}, 1)}, {{"axis", std::int64_t{0}}}),
                  Error);
  CHECK_THROWS_AS(run("concat", {a, a}, {{"axis", std::int64_t{2}}}), Error);
}

TEST_CASE("Shape: slice follows numpy's rules for bounds") {
  const Tensor x = vec(DType::kI16, {0, 1, 2, 3, 4, 5, 6});
  const auto cut = [&](std::int64_t start, std::int64_t end, std::int64_t step) {
    return run("slice", {x}, {{"starts", Ints{start}}, {"ends", Ints{end}}, {"steps", Ints{step}}});
  };
  check_vec(cut(1, 4, 1), DType::kI16, {1, 2, 3});
  check_vec(cut(0, 7, 3), DType::kI16, {0, 3, 6});
  check_vec(cut(1, 7, INT64_MAX), DType::kI16, {1});
  check_vec(cut(-3, -1, 1), DType::kI16, {4, 5});
  check_vec(cut(5, 2, 1), DType::kI16, {});
  check_vec(cut(-100, 100, 2), DType::kI16, {0, 2, 4, 6});
  check_vec(cut(INT64_MIN, INT64_MAX, 1), DType::kI16, {0, 1, 2, 3, 4, 5, 6});
  CHECK_THROWS_AS(cut(0, 1, 0), Error);
  CHECK_THROWS_AS(cut(0, 1, -1), Error);
  CHECK_THROWS_AS(run("slice", {x}, {{"starts", Ints{0, 0}}, {"ends", Ints{1, 1}}}), Error);
  check_equal(run("slice", {make(DType::kF64, {3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9})},
                  {{"starts", Ints{0, 1}}, {"ends", Ints{3, 3}}, {"steps", Ints{2, 1}}}),
              DType::kF64, {2, 2}, {2, 3, 8, 9});
}

TEST_CASE("Shape: a slice of whole rows is the same memory where it starts on a cache line") {
  const Tensor x = sample(DType::kF64, {100, 8}, 1);
  const Tensor y = run("slice", {x}, {{"starts", Ints{10, 0}}, {"ends", Ints{90, 8}}});
  CHECK(y.data.data == x.data.data + 10 * 64);
  const Tensor small = run("slice", {x}, {{"starts", Ints{10, 0}}, {"ends", Ints{11, 8}}});
  CHECK(small.data.data != x.data.data + 10 * 64);
  for (std::int64_t i = 0; i < 8; ++i) CHECK(same(at(small, i), at(x, 80 + i)));
}

TEST_CASE("Shape: gather clamps its indices") {
  const Tensor x = make(DType::kF32, {2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor index = vec(DType::kI64, {2, -1, 0, 99, lowest(DType::kI64), highest(DType::kI64)});
  check_equal(run("gather", {x, index}, {{"axis", std::int64_t{1}}}), DType::kF32, {2, 6},
              {3, 1, 1, 3, 1, 3, 6, 4, 4, 6, 4, 6});
  check_equal(run("gather", {x, index}, {{"axis", std::int64_t{0}}}), DType::kF32, {6, 3},
              {4, 5, 6, 1, 2, 3, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6});
  check_vec(run("gather", {vec(DType::kI8, {7, 8}), index}, {{"axis", std::int64_t{0}}}),
            DType::kI8, {8, 7, 7, 8, 7, 8});
  check_equal(run("gather", {make(DType::kI8, {0, 2}, {}), vec(DType::kI64, {0, 5})},
                  {{"axis", std::int64_t{0}}}),
              DType::kI8, {2, 2}, {0, 0, 0, 0});
  check_equal(run("gather", {x, vec(DType::kI64, {})}, {{"axis", std::int64_t{0}}}), DType::kF32,
              {0, 3}, {});
  CHECK_THROWS_AS(run("gather", {x, vec(DType::kI32, {0})}, {{"axis", std::int64_t{0}}}), Error);
  CHECK_THROWS_AS(run("gather", {Tensor::scalar(1.0), index}, {{"axis", std::int64_t{0}}}), Error);
}
