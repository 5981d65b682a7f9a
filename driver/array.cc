// Arrays and the functions on them: each is one op of the table, or a few.
#include <cmath>
#include <limits>
#include <utility>

#include "driver/builder.h"

namespace curia {
namespace {

// Runs `make`; an error of its own gets the op and the line.
template <class F>
auto at_line(std::string_view op, const Here& here, F make) {
  try {
    return make();
  } catch (const Error& error) {
    throw error.at_op(op, {here.file_name(), static_cast<std::int32_t>(here.line())});
  }
}

Error does_not_fit(DType dtype, std::string_view what) {
  return Error(Code::kInvalid, std::string(what) + " beside an array of " +
                                   std::string(dtype_name(dtype)) + "; cast the array first");
}

template <class T>
Tensor whole_number(std::int64_t number) {
  if (!std::in_range<T>(number)) {
    throw does_not_fit(dtype_of<T>(), "a number out of range");
  }
  return Tensor::scalar(static_cast<T>(number));
}

Tensor number_of(DType dtype, const Scalar& number) {
  if (dtype == DType::kF64) return Tensor::scalar(number.real);
  if (dtype == DType::kF32) return Tensor::scalar(static_cast<float>(number.real));
  if (!number.whole) throw does_not_fit(dtype, "a number with a fraction, or a very large one,");
  const std::int64_t whole = *number.whole;
  switch (dtype) {
    case DType::kBool:
      if (whole != 0 && whole != 1) throw does_not_fit(dtype, "a number other than 0 and 1");
      return Tensor::scalar(whole == 1);
    case DType::kI8:
      return whole_number<std::int8_t>(whole);
    case DType::kI16:
      return whole_number<std::int16_t>(whole);
    case DType::kI32:
      return whole_number<std::int32_t>(whole);
    case DType::kI64:
      return whole_number<std::int64_t>(whole);
    case DType::kU8:
      return whole_number<std::uint8_t>(whole);
    case DType::kU16:
      return whole_number<std::uint16_t>(whole);
    case DType::kU32:
      return whole_number<std::uint32_t>(whole);
    case DType::kU64:
      return whole_number<std::uint64_t>(whole);
    default:
      throw Error(Code::kInvalid, "arithmetic on strings");
  }
}

// The position that a negative one stands for, where that is known; verify() judges the result.
std::int64_t from_front(std::int64_t axis, std::size_t rank) {
  return axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
}

const Shape& shape_of(const Array& a) {
  return a.type().is_secret() ? a.type().secret().shape : a.type().tensor().shape;
}

// Of a number that stands beside the array.
DType dtype_beside(const Type& type) {
  return type.is_secret() ? clear_type(type.secret()).dtype : type.tensor().dtype;
}

std::int64_t axis_of(std::string_view op, const Array& a, std::int64_t axis, const Here& here) {
  return at_line(op, here, [&] { return from_front(axis, shape_of(a).size()); });
}

Array one(std::string_view op, const Array& a, std::map<std::string, Attr> attrs,
          const Here& here) {
  return a.program().op(op, a.device(), {a}, std::move(attrs), here)[0];
}

Array two(std::string_view op, const Array& a, const Array& b, const Here& here) {
  return a.program().op(op, a.device(), {a, b}, {}, here)[0];
}

Array as_array(std::string_view op, const Array& beside, const Operand& operand) {
  if (operand.array.node() != nullptr) return operand.array;
  return at_line(op, operand.here, [&] {
    return beside.program().constant(
        beside.device(), number_of(dtype_beside(beside.type()), operand.number), operand.here);
  });
}

Array reduce(std::string_view op, const Array& a, Axes axes, bool keep_dims, const Here& here) {
  std::map<std::string, Attr> attrs;
  for (std::int64_t& axis : axes) axis = axis_of(op, a, axis, here);
  if (!axes.empty()) attrs["axes"] = std::move(axes);
  if (keep_dims) attrs["keep_dims"] = true;
  return one(op, a, std::move(attrs), here);
}

}  // namespace

const Type& Array::type() const {
  expect(node_ != nullptr, "this Array is empty: it came from no program");
  return node_->type;
}

Program& Array::program() const {
  expect(program_ != nullptr, "this Array is empty: it came from no program");
  return *program_;
}

Array Array::to(std::string_view party, std::string_view label, Here here) const {
  if (party == device()) return *this;
  std::map<std::string, Attr> attrs;
  if (!label.empty()) attrs["label"] = std::string(label);
  return program().op("transfer", party, {*this}, std::move(attrs), here)[0];
}

Array Array::to(const Device& device, const ShareOptions& options, Here here) const {
  if (device.name() == this->device()) return *this;
  std::map<std::string, Attr> attrs;
  if (!options.label.empty()) attrs["label"] = options.label;
  if (type().is_tensor() && is_float(type().tensor().dtype)) {
    attrs["fraction_bits"] = std::int64_t{options.fraction_bits};
  }
  return program().op("share", device, {*this}, std::move(attrs), here)[0];
}

Array Array::reveal(std::string_view party, std::string_view label, Here here) const {
  std::map<std::string, Attr> attrs;
  if (!label.empty()) attrs["label"] = std::string(label);
  return program().op("reveal", party, {*this}, std::move(attrs), here)[0];
}

Array Array::cast(DType dtype, Here here) const {
  return one("cast", *this, {{"dtype", std::string(dtype_name(dtype))}}, here);
}
Array Array::reshape(Shape shape, Here here) const {
  return one("reshape", *this, {{"shape", std::move(shape)}}, here);
}
Array Array::broadcast(Shape shape, Here here) const {
  return one("broadcast", *this, {{"shape", std::move(shape)}}, here);
}
Array Array::transpose(std::vector<std::int64_t> perm, Here here) const {
  std::map<std::string, Attr> attrs;
  for (std::int64_t& axis : perm) axis = axis_of("transpose", *this, axis, here);
  if (!perm.empty()) attrs["perm"] = std::move(perm);
  return one("transpose", *this, std::move(attrs), here);
}
Array Array::slice(std::vector<std::int64_t> starts, std::vector<std::int64_t> ends,
                   Here here) const {
  const Shape shape = at_line("slice", here, [this] { return shape_of(*this); });
  for (std::size_t i = 0; i < ends.size() && i < shape.size(); ++i) {
    if (ends[i] != -1) continue;
    ends[i] = shape[i] == kUnknown ? std::numeric_limits<std::int64_t>::max() : shape[i];
  }
  return one("slice", *this, {{"starts", std::move(starts)}, {"ends", std::move(ends)}}, here);
}
Array Array::column(std::string_view name, Here here) const {
  return one("column", *this, {{"name", std::string(name)}}, here);
}
Array Array::select(std::vector<std::string> columns, Here here) const {
  return one("table_select", *this, {{"columns", std::move(columns)}}, here);
}
Array Array::filter(const Array& mask, Here here) const { return two("filter", *this, mask, here); }
Array Array::with_column(std::string_view name, const Array& values, Here here) const {
  return program().op("with_column", device(), {*this, values}, {{"name", std::string(name)}},
                      here)[0];
}
Array Array::tensor(std::vector<std::string> columns, DType dtype, Here here) const {
  return one("to_tensor", *this,
             {{"columns", std::move(columns)}, {"dtype", std::string(dtype_name(dtype))}}, here);
}

Scalar::Scalar(double number) : real(number) {
  if (std::nearbyint(number) == number && std::fabs(number) < 0x1p63) {
    whole = static_cast<std::int64_t>(number);
  }
}

Array binary(std::string_view op, const Array& a, const Operand& b) {
  return two(op, a, as_array(op, a, b), b.here);
}
Array binary(std::string_view op, const Number& a, const Array& b) {
  return two(op, as_array(op, b, Operand(a.number, a.here)), b, a.here);
}
Array operator-(const Placed& a) { return one("neg", a.array, {}, a.here); }
Array operator!(const Placed& a) { return one("not", a.array, {}, a.here); }
Array minimum(const Array& a, const Operand& b) { return binary("minimum", a, b); }
Array maximum(const Array& a, const Operand& b) { return binary("maximum", a, b); }
Array pow(const Array& a, const Operand& b) { return binary("pow", a, b); }
Array abs(const Array& a, Here here) { return one("abs", a, {}, here); }
Array exp(const Array& a, Here here) { return one("exp", a, {}, here); }
Array log(const Array& a, Here here) { return one("log", a, {}, here); }
Array sqrt(const Array& a, Here here) { return one("sqrt", a, {}, here); }
Array sigmoid(const Array& a, Here here) { return one("sigmoid", a, {}, here); }
Array tanh(const Array& a, Here here) { return one("tanh", a, {}, here); }
Array floor(const Array& a, Here here) { return one("floor", a, {}, here); }
Array relu(const Array& a, Here here) { return one("relu", a, {}, here); }
Array reciprocal(const Array& a, Here here) { return one("reciprocal", a, {}, here); }
Array shuffle(const Array& a, Here here) { return one("shuffle", a, {}, here); }
Array sort(const Array& a, std::int64_t key, bool descending, Here here) {
  std::map<std::string, Attr> attrs;
  if (key != 0) attrs["key"] = key;
  if (descending) attrs["descending"] = true;
  return one("sort", a, std::move(attrs), here);
}

Array select(const Array& condition, const Array& yes, const Operand& no) {
  return yes.program().op("select", yes.device(), {condition, yes, as_array("select", yes, no)}, {},
                          no.here)[0];
}
Array matmul(const Array& a, const Array& b, Here here) { return two("matmul", a, b, here); }
Array concat(const std::vector<Array>& parts, std::int64_t axis, Here here) {
  at_line("concat", here, [&] {
    expect(!parts.empty(), "concat of nothing");
    return 0;
  });
  return parts[0].program().op("concat", parts[0].device(), parts,
                               {{"axis", axis_of("concat", parts[0], axis, here)}}, here)[0];
}
Array gather(const Array& a, const Array& indices, std::int64_t axis, Here here) {
  return a.program().op("gather", a.device(), {a, indices},
                        {{"axis", axis_of("gather", a, axis, here)}}, here)[0];
}

Array sum(const Array& a, Axes axes, bool keep_dims, Here here) {
  return reduce("sum", a, std::move(axes), keep_dims, here);
}
Array mean(const Array& a, Axes axes, bool keep_dims, Here here) {
  return reduce("mean", a, std::move(axes), keep_dims, here);
}
Array variance(const Array& a, Axes axes, bool keep_dims, Here here) {
  return reduce("variance", a, std::move(axes), keep_dims, here);
}
Array min(const Array& a, Axes axes, bool keep_dims, Here here) {
  return reduce("min", a, std::move(axes), keep_dims, here);
}
Array max(const Array& a, Axes axes, bool keep_dims, Here here) {
  return reduce("max", a, std::move(axes), keep_dims, here);
}
Array argmax(const Array& a, std::int64_t axis, Here here) {
  return one("argmax", a, {{"axis", axis_of("argmax", a, axis, here)}}, here);
}
Array argmin(const Array& a, std::int64_t axis, Here here) {
  return one("argmin", a, {{"axis", axis_of("argmin", a, axis, here)}}, here);
}
Array argsort(const Array& a, std::int64_t axis, bool descending, Here here) {
  std::map<std::string, Attr> attrs{{"axis", axis_of("argsort", a, axis, here)}};
  if (descending) attrs["descending"] = true;
  return one("argsort", a, std::move(attrs), here);
}

namespace {

Array dp(std::string_view op, const Array& rows, std::map<std::string, Attr> attrs,
         const Privacy& privacy, Here here) {
  attrs["epsilon"] = privacy.epsilon;
  if (privacy.delta != 0) attrs["delta"] = privacy.delta;
  return one(op, rows, std::move(attrs), here);
}

}  // namespace

Array dp_sum(const Array& rows, double low, double high, Privacy privacy, Here here) {
  return dp("dp_sum", rows, {{"low", low}, {"high", high}}, privacy, here);
}
Array dp_mean(const Array& rows, double low, double high, Privacy privacy, Here here) {
  return dp("dp_mean", rows, {{"low", low}, {"high", high}}, privacy, here);
}
Array dp_count(const Array& rows, Privacy privacy, Here here) {
  return dp("dp_count", rows, {}, privacy, here);
}
Array dp_histogram(const Array& rows, const std::vector<double>& edges, Privacy privacy,
                   Here here) {
  return dp("dp_histogram", rows, {{"edges", Tensor::of(Shape{std::ssize(edges)}, edges)}}, privacy,
            here);
}

Array join(const Array& left, const Array& right, std::vector<std::string> on, Here here) {
  return left.program().op("join", left.device(), {left, right}, {{"on", std::move(on)}}, here)[0];
}
Array group_by(const Array& table, std::vector<std::string> keys,
               std::vector<std::string> aggregates, Here here) {
  return one("group_by", table, {{"keys", std::move(keys)}, {"aggs", std::move(aggregates)}}, here);
}

}  // namespace curia
