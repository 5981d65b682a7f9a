// A member of a secure device that sends what it should not: the task ends at every party with the
// member's name, the op and its line, and nothing of it is taken for a later one.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <optional>

#include "driver/connection.h"
#include "tests/driver/session_world.h"
#include "tests/support/faulty_link.h"
#include "worker/simulation/simulation.h"

using namespace curia;

namespace {

const std::vector<std::string> kMembers = {"alice", "bob", "carol"};
constexpr std::chrono::milliseconds kLimit{3000};

enum class Fault { kShort, kLong, kEmpty, kStep, kTask };

struct Spoiled {
  std::atomic<bool> on = false;
  std::uint32_t op = 0;
  Fault fault = Fault::kShort;
  std::atomic<int> done = 0;
};

// bob changes what he sends for one op.
std::unique_ptr<Simulation> with_false_bob(const std::shared_ptr<Spoiled>& spoiled) {
  std::map<std::string, SimulatedParty> parties;
  for (const std::string& member : kMembers) parties[member] = {};
  parties["bob"].wrap_link = [spoiled](std::shared_ptr<Link> link) {
    const Spoil spoil = [spoiled](const std::string&, Tag& tag, Slice& body) {
      if (!spoiled->on || tag.op != spoiled->op) return;
      ++spoiled->done;
      switch (spoiled->fault) {
        case Fault::kShort:
          body = body.part(0, body.size - 1);
          break;
        case Fault::kLong:
          body = Slice::copy_of(std::string(static_cast<std::size_t>(body.size) + 8, 'x'));
          break;
        case Fault::kEmpty:
          body = body.part(0, 0);
          break;
        case Fault::kStep:
          tag.step += 1000;
          break;
        case Fault::kTask:
          tag.task -= 1;
          break;
      }
    };
    return std::make_shared<FaultyLink>(std::move(link), spoil);
  };
  return std::make_unique<Simulation>(std::move(parties), std::vector<std::string>{"dora"});
}

struct Product {
  std::uint32_t op = 0;  // of the product
  int line = 0;
  Refs refs;
};

// What the driver puts needs nobody's grant. A result goes to each member.
Product run_product(Session& session, const Tensor& x, const Tensor& y) {
  Program program("product");
  const Device abc = program.device("abc", kMembers);
  const Array a = program.input(session.put("alice", x)).to(abc);
  const Array b = program.input(session.put("carol", y)).to(abc);
  Product product;
  const Array c = a * b;
  product.line = __LINE__ - 1;
  for (const std::string& member : kMembers) program.output(member, c.reveal(member));
  const PreparedPtr prepared = prepare(program);
  for (std::size_t i = 0; i < prepared->graph.ops.size(); ++i) {
    if (prepared->graph.ops[i].name == "mul") product.op = static_cast<std::uint32_t>(i);
  }
  product.refs = session.run(prepared, {}, {.timeout = kLimit});
  return product;
}

void check_right(Session& session) {
  const Product good = run_product(session, vector_of({1, 2, 3}), vector_of({4, 5, -6}));
  for (const auto& [name, ref] : good.refs) {
    const Value value = session.fetch(ref);
    CHECK(value.tensor().as<double>()[0] == doctest::Approx(4));
    CHECK(value.tensor().as<double>()[1] == doctest::Approx(10));
    CHECK(value.tensor().as<double>()[2] == doctest::Approx(-18));
  }
}

}  // namespace

TEST_CASE("Secret fault: a message of the wrong size or tag ends the task at every party") {
  const auto spoiled = std::make_shared<Spoiled>();
  const auto cluster = with_false_bob(spoiled);
  {
    Session session(cluster->wiring("dora"), {});
    spoiled->op = run_product(session, vector_of({1}), vector_of({1})).op;
    session.wait();
  }
  for (const Fault fault :
       {Fault::kShort, Fault::kLong, Fault::kEmpty, Fault::kStep, Fault::kTask}) {
    CAPTURE(static_cast<int>(fault));
    Session session(cluster->wiring("dora"), {});
    check_right(session);
    spoiled->fault = fault;
    spoiled->done = 0;
    spoiled->on = true;
    const Product bad = run_product(session, vector_of({7, 8, 9}), vector_of({-7, 11, 0.5}));
    for (const auto& [party, ref] : bad.refs) {
      const Error error = error_of([&] { session.fetch(ref); });
      INFO(party << ": " << std::string(error.what()));
      const bool size = fault != Fault::kStep && fault != Fault::kTask;
      CHECK(error.code() == (size ? Code::kCorrupt : Code::kTimeout));
      CHECK(std::string(error.what()).find("bob") != std::string::npos);
      CHECK(std::string(error.what()).find("mul") != std::string::npos);
      CHECK(error.site().line == bad.line);
    }
    CHECK(spoiled->done > 0);
    spoiled->on = false;
    CHECK_THROWS_AS(session.wait(), Error);
    // In the numbers of the next task nothing of this one is left.
    check_right(session);
  }
}
