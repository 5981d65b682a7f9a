// Writes programs like array code.
//
//   curia::Program program("means");
//   curia::Array rows = program.dataset(alice_iris);          // at alice
//   curia::Array total = sum(rows, {0}).to("bob");            // moved explicitly
//   program.output("total", total);
//   curia::Graph graph = program.graph();
//
// Every op is checked as it is written (dtype, shape, placement) and remembers the line that wrote
// it. Placement is inferred: an op runs where its operands are, and operands at different parties
// are an error that says to move one with to(). Thread: a Program and its Arrays belong to one
// thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/ref.h"
#include "protocol/graph.h"

namespace curia {

class Program;
struct ValueNode;
using Here = std::source_location;

// A secure device of a program: three parties that compute together on secret shares. It stands
// wherever the name of a place is wanted. Made by Program::device(). Thread: immutable.
class Device {
 public:
  explicit Device(SecureDevice device) : device_(std::move(device)) {}
  const std::string& name() const { return device_.name; }
  const std::vector<std::string>& members() const { return device_.members; }
  operator std::string_view() const { return device_.name; }  // NOLINT

 private:
  SecureDevice device_;
};

// How a value is shared. Floats are kept as multiples of 2^-fraction_bits.
struct ShareOptions {
  int fraction_bits = kDefaultFractionBits;
  std::string label;  // names the move in grants
};

// A value that will exist when the program runs. Cheap to copy; valid as long as its Program.
class Array {
 public:
  Array() = default;
  Array(Program* program, std::shared_ptr<ValueNode> node)
      : program_(program), node_(std::move(node)) {}

  const Type& type() const;
  const std::string& device() const { return type().device; }
  Program& program() const;
  const std::shared_ptr<ValueNode>& node() const { return node_; }

  // Moves the value to another party (a release to it, see Grants). `label` names the move in
  // grants. At the same party: the value itself.
  Array to(std::string_view party, std::string_view label = "", Here here = Here::current()) const;
  // Shares the value among the members of a secure device: none of them, nor anybody else, learns
  // it. Every owner of the data has to accept the members. On the device already: the value itself.
  Array to(const Device& device, const ShareOptions& options = {},
           Here here = Here::current()) const;
  // Of a secret: the party learns it, if every owner agrees.
  Array reveal(std::string_view party, std::string_view label = "",
               Here here = Here::current()) const;
  Array cast(DType dtype, Here here = Here::current()) const;
  Array reshape(Shape shape, Here here = Here::current()) const;
  Array broadcast(Shape shape, Here here = Here::current()) const;
  Array transpose(std::vector<std::int64_t> perm = {}, Here here = Here::current()) const;
  // Rows and columns [starts, ends); an end of -1 means the extent.
  Array slice(std::vector<std::int64_t> starts, std::vector<std::int64_t> ends,
              Here here = Here::current()) const;

  // Tables.
  Array column(std::string_view name, Here here = Here::current()) const;
  Array select(std::vector<std::string> columns, Here here = Here::current()) const;
  Array filter(const Array& mask, Here here = Here::current()) const;
  Array with_column(std::string_view name, const Array& values, Here here = Here::current()) const;
  // [rows, columns]
  Array tensor(std::vector<std::string> columns, DType dtype = DType::kF64,
               Here here = Here::current()) const;

 private:
  Program* program_ = nullptr;
  std::shared_ptr<ValueNode> node_;
};

// A number in the driver program, exactly as it was written.
struct Scalar {
  Scalar() = default;
  explicit Scalar(double number);
  explicit Scalar(std::int64_t number) : real(static_cast<double>(number)), whole(number) {}
  double real = 0;
  std::optional<std::int64_t> whole;  // empty: it has a fraction, or is beyond i64
};
template <std::integral T>
Scalar scalar(T number) {
  return std::in_range<std::int64_t>(number) ? Scalar(static_cast<std::int64_t>(number))
                                             : Scalar(static_cast<double>(number));
}
inline Scalar scalar(bool number) { return Scalar(std::int64_t{number}); }
inline Scalar scalar(double number) { return Scalar(number); }

// Operands of operators: an Array, or a number that becomes a constant of the other side's dtype.
// Their implicit constructors are what remembers the caller's line.
struct Operand {
  Operand(const Array& a, Here h = Here::current()) : array(a), here(h) {}  // NOLINT
  Operand(double n, Here h = Here::current()) : number(n), here(h) {}       // NOLINT
  template <std::integral T>
  Operand(T n, Here h = Here::current()) : number(scalar(n)), here(h) {}  // NOLINT
  Operand(const Scalar& n, Here h) : number(n), here(h) {}
  Array array;
  Scalar number;
  Here here;
};
struct Number {
  Number(double n, Here h = Here::current()) : number(n), here(h) {}  // NOLINT
  template <std::integral T>
  Number(T n, Here h = Here::current()) : number(scalar(n)), here(h) {}  // NOLINT
  Scalar number;
  Here here;
};
struct Placed {
  Placed(const Array& a, Here h = Here::current()) : array(a), here(h) {}  // NOLINT
  Array array;
  Here here;
};

Array binary(std::string_view op, const Array& a, const Operand& b);
Array binary(std::string_view op, const Number& a, const Array& b);

#define CURIA_BINARY(symbol, op)                                                              \
  inline Array operator symbol(const Array& a, const Operand& b) { return binary(op, a, b); } \
  inline Array operator symbol(const Number& a, const Array& b) { return binary(op, a, b); }
CURIA_BINARY(+, "add")
CURIA_BINARY(-, "sub")
CURIA_BINARY(*, "mul")
CURIA_BINARY(/, "div")
CURIA_BINARY(%, "mod")
CURIA_BINARY(==, "eq")
CURIA_BINARY(!=, "ne")
CURIA_BINARY(<, "lt")
CURIA_BINARY(<=, "le")
CURIA_BINARY(>, "gt")
CURIA_BINARY(>=, "ge")
CURIA_BINARY(&, "and")
CURIA_BINARY(|, "or")
CURIA_BINARY(^, "xor")
#undef CURIA_BINARY

Array operator-(const Placed& a);
Array operator!(const Placed& a);

Array minimum(const Array& a, const Operand& b);
Array maximum(const Array& a, const Operand& b);
Array pow(const Array& a, const Operand& b);
Array abs(const Array& a, Here here = Here::current());
Array exp(const Array& a, Here here = Here::current());
Array log(const Array& a, Here here = Here::current());
Array sqrt(const Array& a, Here here = Here::current());
Array sigmoid(const Array& a, Here here = Here::current());
Array tanh(const Array& a, Here here = Here::current());
Array floor(const Array& a, Here here = Here::current());
// On secrets only.
Array relu(const Array& a, Here here = Here::current());
Array reciprocal(const Array& a, Here here = Here::current());
// Rows of [n] or [n, columns] in the order of column `key`; rows in an order that nobody knows.
Array sort(const Array& a, std::int64_t key = 0, bool descending = false,
           Here here = Here::current());
Array shuffle(const Array& a, Here here = Here::current());
Array select(const Array& condition, const Array& yes, const Operand& no);
Array matmul(const Array& a, const Array& b, Here here = Here::current());
Array concat(const std::vector<Array>& parts, std::int64_t axis, Here here = Here::current());
Array gather(const Array& a, const Array& indices, std::int64_t axis = 0,
             Here here = Here::current());

// Reductions over `axes` (all when empty). Negative axes count from the end, here and above.
using Axes = std::vector<std::int64_t>;
Array sum(const Array& a, Axes axes = {}, bool keep_dims = false, Here here = Here::current());
Array mean(const Array& a, Axes axes = {}, bool keep_dims = false, Here here = Here::current());
// Mean square distance from the mean; of secrets only.
Array variance(const Array& a, Axes axes = {}, bool keep_dims = false, Here here = Here::current());
Array min(const Array& a, Axes axes = {}, bool keep_dims = false, Here here = Here::current());
Array max(const Array& a, Axes axes = {}, bool keep_dims = false, Here here = Here::current());
Array argmax(const Array& a, std::int64_t axis, Here here = Here::current());
Array argmin(const Array& a, std::int64_t axis, Here here = Here::current());
Array argsort(const Array& a, std::int64_t axis, bool descending = false,
              Here here = Here::current());

// Tables. aggregates: "function:column:result", functions sum mean min max count.
Array join(const Array& left, const Array& right, std::vector<std::string> on,
           Here here = Here::current());
Array group_by(const Array& table, std::vector<std::string> keys,
               std::vector<std::string> aggregates, Here here = Here::current());

// What leaves an owner with differential privacy, which its rules may allow (worker/README.md): of
// rows that each come from one row of a dataset in this program, such as its columns, what is
// computed of them element by element, and what a filter left. `delta` 0 is Laplace noise, else
// Gaussian. One row of the dataset replaced by any other changes the odds of any result by at most
// a factor exp(epsilon), but for delta. Cells are clipped to [low, high]; NaN counts as what is
// nearest to 0. All at the party of the rows; each run, of the same program too, draws new noise
// and costs anew.
struct Privacy {
  double epsilon = 1;
  double delta = 0;
};
// f64[]
Array dp_sum(const Array& rows, double low, double high, Privacy privacy,
             Here here = Here::current());
Array dp_mean(const Array& rows, double low, double high, Privacy privacy,
              Here here = Here::current());
// i64[]: of rows that a filter left; may be negative.
Array dp_count(const Array& rows, Privacy privacy, Here here = Here::current());
// i64[bins]: how many rows lie from an edge up to the next; the last bin holds both its edges. Rows
// beyond, and NaN, are in no bin.
Array dp_histogram(const Array& rows, const std::vector<double>& edges, Privacy privacy,
                   Here here = Here::current());

// Control. The predicate's holder tells the other parties inside which way it goes, so the
// predicate must be released to them and to the driver. Values of the surrounding code may be used
// inside.
using Arrays = std::vector<Array>;
Arrays cond(const Array& predicate, const std::function<Arrays()>& then,
            const std::function<Arrays()>& otherwise, Here here = Here::current());
// body(state, index maker): `index("alice")` is the number of the round as i64[] at that party.
using Index = std::function<Array(std::string_view party)>;
Arrays for_loop(std::int64_t count, const Arrays& state,
                const std::function<Arrays(const Arrays&, const Index&)>& body,
                Here here = Here::current());
// At most `limit` rounds, then it stops with the state it has.
Arrays while_loop(std::int64_t limit, const Arrays& state,
                  const std::function<Array(const Arrays&)>& condition,
                  const std::function<Arrays(const Arrays&)>& body, Here here = Here::current());

// The name and type of a dataset at a party, as Session::dataset() finds them.
struct DatasetInfo {
  std::string name;
  Type type;
  Ranges ranges = {};  // that its owner declares for it
};

class Program {
 public:
  explicit Program(std::string name);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Declares a secure device, before values are shared on it. `members`: three parties. Naming it
  // again with the same members is fine. Errors: kInvalid.
  Device device(std::string_view name, std::vector<std::string> members,
                std::string_view protocol = kReplicated3);

  Array dataset(const DatasetInfo& info, Here here = Here::current());
  // An input bound to a reference of this session; run() needs no more than the program then.
  Array input(const Ref& ref, Here here = Here::current());
  // An input bound at each run, by name. `ranges` hold for it: what was put and is beyond is
  // refused when it runs, and so are secrets of programs that allow more; what derives from an
  // owner's data saturates.
  Array input(std::string_view name, const Type& type, Here here = Here::current());
  Array input(std::string_view name, const Type& type, Ranges ranges, Here here = Here::current());
  Array constant(std::string_view party, const Tensor& value, Here here = Here::current());
  Array iota(std::string_view party, std::int64_t count, Here here = Here::current());
  // distribution: "uniform" in [0, 1) or "normal".
  Array random(std::string_view party, Shape shape, std::int64_t seed,
               std::string_view distribution = "uniform", Here here = Here::current());
  Array load(const Uri& uri, const Type& type, Here here = Here::current());
  Array load(const Uri& uri, const Type& type, Ranges ranges, Here here = Here::current());
  void save(const Array& value, const Uri& uri, Here here = Here::current());

  // A part that runs when all else has, calls one after the other; `party` takes part. What the
  // program gives without it can be fetched before it begins, and stays when it fails. Values of
  // the surrounding code may be used inside. The results may be outputs, and used in other calls.
  Arrays call(std::string_view party, const std::function<Arrays()>& body,
              Here here = Here::current());

  // From here on (or no longer): ops on secrets whose ranges allow an overflow are warned of
  // (Prepared::verified.range_notes) instead of refused. Their results may be wrong.
  void accept_overflow(bool accept = true);

  // Names a result that stays where it is and can be referred to after the run.
  void output(std::string_view name, const Array& value);

  // The program written so far, without ops whose results nobody uses.
  Graph graph() const;
  // References given to input(ref), by input name.
  const std::map<std::string, Ref>& bound() const;

  // One op of the table: for ops that have no function above. Results in order.
  Arrays op(std::string_view name, std::string_view device, const Arrays& operands,
            std::map<std::string, Attr> attrs, Here here = Here::current());

 private:
  struct Builder;
  friend Arrays cond(const Array&, const std::function<Arrays()>&, const std::function<Arrays()>&,
                     Here);
  friend Arrays for_loop(std::int64_t, const Arrays&,
                         const std::function<Arrays(const Arrays&, const Index&)>&, Here);
  friend Arrays while_loop(std::int64_t, const Arrays&, const std::function<Array(const Arrays&)>&,
                           const std::function<Arrays(const Arrays&)>&, Here);
  std::unique_ptr<Builder> builder_;
};

}  // namespace curia
