#include "driver/ref.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "driver/recipes.h"

using namespace curia;

namespace {

RefFacts facts() {
  return {.uri = Uri::parse("mem://00112233445566778899aabbccddeeff"),
          .type = parse_type("table[?]{id:string,age:i64} @alice"),
          .session = "ffeeddccbbaa99887766554433221100",
          .task = 3,
          .program = std::string(64, 'a'),
          .output = "means",
          .site = {"dir/iris_means.cc", 31}};
}

}  // namespace

TEST_CASE("Ref: prints what it refers to") {
  CHECK(Ref(facts(), nullptr).str() ==
        "mem://00112233445566778899aabbccddeeff table[?]{id:string,age:i64} @alice, output means "
        "of task 3 (iris_means.cc:31)");
  RefFacts put = facts();
  put.output.clear();
  CHECK(Ref(put, nullptr).str().find(", put (") != std::string::npos);
}

TEST_CASE("Ref: save and parse give the same facts, on one line") {
  const std::string saved = Ref(facts(), nullptr).json();
  CHECK(saved.find('\n') == std::string::npos);
  const Ref back = Ref::parse(saved);
  CHECK(back.uri() == facts().uri);
  CHECK(back.type() == facts().type);
  CHECK(back.party() == "alice");
  CHECK(back.facts().session == facts().session);
  CHECK(back.facts().task == 3);
  CHECK(back.facts().program == facts().program);
  CHECK(back.facts().output == "means");
  CHECK(back.facts().site == facts().site);
  CHECK(back.json() == saved);
}

TEST_CASE("Ref: a saved ref with a field that is missing, of another kind or wrong is refused") {
  const auto good = nlohmann::json::parse(Ref(facts(), nullptr).json());
  for (const auto& [name, value] : good.items()) {
    auto without = good;
    without.erase(name);
    CHECK_THROWS_WITH_AS(Ref::parse(without.dump()),
                         doctest::Contains(("\"" + name + "\"").c_str()), Error);
    for (const nlohmann::json& strange :
         {nlohmann::json(nullptr), nlohmann::json(1.5), nlohmann::json::array()}) {
      auto other = good;
      other[name] = strange;
      CHECK_THROWS_WITH_AS(Ref::parse(other.dump()),
                           doctest::Contains(("\"" + name + "\"").c_str()), Error);
    }
  }
  const std::vector<std::pair<std::string, nlohmann::json>> bad = {
      {"uri", "mem://short"}, {"uri", "fs:///../x"},           {"type", "f65[2] @alice"},
      {"type", "f64[2]"},     {"type", "f64[2] @al ice"},      {"task", -1},
      {"line", -1},           {"line", std::int64_t{1} << 40}, {"session", "xyz"},
      {"program", "abc"},     {"output", "no space"},          {"file", std::string(70'000, 'f')}};
  for (const auto& [name, value] : bad) {
    INFO(name << " " << value.dump().substr(0, 80));
    auto other = good;
    other[name] = value;
    CHECK_THROWS_AS(Ref::parse(other.dump()), Error);
  }
}

TEST_CASE("Ref: text that is no saved ref is refused") {
  for (const std::string text : {"", "{", "[]", "null", "7", "\"mem://\"", "{}", "{\"uri\": 3}"}) {
    CHECK_THROWS_AS(Ref::parse(text), Error);
  }
  CHECK_THROWS_AS(Ref::parse(std::string(60'000, '[')), Error);
  CHECK_THROWS_AS(Ref::parse(std::string(60'000, '[') + std::string(60'000, ']')), Error);
}

TEST_CASE("Ref: an empty one says so") {
  CHECK(Ref().empty());
  CHECK_THROWS_WITH_AS(Ref().uri(), doctest::Contains("refers to nothing"), Error);
}

TEST_CASE("Ref: the last copy lets go, a copy of it does not") {
  std::weak_ptr<const ValueHandle> object;
  {
    Ref last;
    {
      auto handle = std::make_shared<const ValueHandle>(std::weak_ptr<DriverConnection>(),
                                                        std::shared_ptr<Recipe>(), 0);
      object = handle;
      const Ref first(facts(), std::move(handle));
      last = first;
    }
    const Ref weak = last.weak();
    CHECK_FALSE(object.expired());
    last = Ref();
    CHECK(object.expired());
    CHECK(weak.uri() == facts().uri);
  }
}
