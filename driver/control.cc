// Loops and branches: the bodies are recorded as regions when the program is written.
#include <utility>

#include "driver/builder.h"

namespace curia {
namespace {

// Runs `record`; an error that knows no line gets that of the loop or branch.
template <class F>
Arrays at_control(std::string_view op, const Here& here, F record) {
  try {
    return record();
  } catch (const Error& error) {
    throw error.at_op(op, {here.file_name(), static_cast<std::int32_t>(here.line())});
  }
}

void check_same(const Arrays& found, const Arrays& expected, std::string_view found_name,
                std::string_view expected_name) {
  if (found.size() != expected.size()) {
    throw Error(Code::kInvalid, "expected as many values from " + std::string(found_name) +
                                    " as from " + std::string(expected_name) + ", " +
                                    std::to_string(expected.size()) + ", found " +
                                    std::to_string(found.size()));
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].type() == expected[i].type()) continue;
    throw Error(Code::kInvalid, "value " + std::to_string(i) + " is " + found[i].type().str() +
                                    " from " + std::string(found_name) + " and " +
                                    expected[i].type().str() + " from " +
                                    std::string(expected_name));
  }
}

Program& program_of(const Arrays& state) {
  expect(!state.empty(), "a loop carries at least one value");
  return state[0].program();
}

// The values that stand for the state inside of a body.
Arrays inner_state(Program& program, Scope& scope, const Arrays& state) {
  Arrays inner;
  for (const Array& value : state) inner.emplace_back(&program, scope.add_param(value.type()));
  return inner;
}

}  // namespace

Arrays cond(const Array& predicate, const std::function<Arrays()>& then,
            const std::function<Arrays()>& otherwise, Here here) {
  return at_control("cond", here, [&] {
    Program& program = predicate.program();
    Program::Builder& builder = *program.builder_;
    Captures captures;
    std::vector<std::unique_ptr<Scope>> scopes;
    std::vector<Arrays> results;
    for (const auto* branch : {&then, &otherwise}) {
      scopes.push_back(std::make_unique<Scope>(builder.current, &captures));
      results.push_back(builder.record_region(program, *scopes.back(), *branch));
    }
    check_same(results[1], results[0], "the other branch", "the first branch");
    Op op{.name = "cond", .device = predicate.device()};
    return builder.control(program, std::move(op), {predicate}, captures, scopes, results,
                           results[0].size(), here);
  });
}

Arrays Program::call(std::string_view party, const std::function<Arrays()>& body, Here here) {
  return at_control("call", here, [&] {
    check_name(party, "party");
    expect(builder_->current == &builder_->root,
           "a call stands outside of branches, loops and other calls");
    Captures captures;
    std::vector<std::unique_ptr<Scope>> scopes;
    scopes.push_back(std::make_unique<Scope>(builder_->current, &captures));
    const std::vector<Arrays> results = {builder_->record_region(*this, *scopes[0], body)};
    Op op{.name = "call", .device = std::string(party)};
    return builder_->control(*this, std::move(op), {}, captures, scopes, results, results[0].size(),
                             here);
  });
}

Arrays for_loop(std::int64_t count, const Arrays& state,
                const std::function<Arrays(const Arrays&, const Index&)>& body, Here here) {
  return at_control("for", here, [&] {
    Program& program = program_of(state);
    Program::Builder& builder = *program.builder_;
    Captures captures;
    std::vector<std::unique_ptr<Scope>> scopes;
    scopes.push_back(std::make_unique<Scope>(builder.current, &captures));
    const Arrays inner = inner_state(program, *scopes[0], state);
    const Index index = [&program, here](std::string_view party) {
      return program.op("loop_index", party, {}, {}, here)[0];
    };
    const std::vector<Arrays> results = {
        builder.record_region(program, *scopes[0], [&] { return body(inner, index); })};
    check_same(results[0], state, "the body", "the state before");
    Op op{.name = "for", .device = state[0].device()};
    op.attrs = {{"carried", static_cast<std::int64_t>(state.size())}, {"count", count}};
    return builder.control(program, std::move(op), state, captures, scopes, results, state.size(),
                           here);
  });
}

Arrays while_loop(std::int64_t limit, const Arrays& state,
                  const std::function<Array(const Arrays&)>& condition,
                  const std::function<Arrays(const Arrays&)>& body, Here here) {
  return at_control("while", here, [&] {
    Program& program = program_of(state);
    Program::Builder& builder = *program.builder_;
    Captures captures;
    std::vector<std::unique_ptr<Scope>> scopes;
    std::vector<Arrays> results;
    for (int part = 0; part < 2; ++part) {
      scopes.push_back(std::make_unique<Scope>(builder.current, &captures));
      const Arrays inner = inner_state(program, *scopes.back(), state);
      results.push_back(builder.record_region(program, *scopes.back(), [&]() -> Arrays {
        return part == 0 ? Arrays{condition(inner)} : body(inner);
      }));
    }
    check_same(results[1], state, "the body", "the state before");
    Op op{.name = "while", .device = results[0][0].device()};
    op.attrs = {{"carried", static_cast<std::int64_t>(state.size())}, {"limit", limit}};
    return builder.control(program, std::move(op), state, captures, scopes, results, state.size(),
                           here);
  });
}

}  // namespace curia
