#include "protocol/graph_text.h"

#include <charconv>

#include "protocol/list_text.h"
#include "protocol/op_table.h"

namespace curia {
namespace {

std::string value_text(std::size_t id) { return "%" + std::to_string(id); }

// In quotes; control characters, quotes and backslashes as \xNN.
std::string string_text(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      text += c;
    } else {
      text += std::string("\\x") + "0123456789abcdef"[byte >> 4] + "0123456789abcdef"[byte & 15];
    }
  }
  return text + "\"";
}

// A name as it is, or in quotes where it is not plain.
std::string name_text(const std::string& name) {
  const std::string quoted = string_text(name);
  const bool plain = quoted.size() == name.size() + 2 && name.find(' ') == std::string::npos;
  return plain && !name.empty() ? name : quoted;
}

std::string double_text(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr};
}

// Constants of up to four f64 or i64 elements are printed, of others the type.
std::string tensor_text(const Tensor& tensor) {
  std::string type = type_text(tensor.type());
  if (tensor.data.size > 32 || tensor.data.size % 8 != 0) return type;
  if (tensor.dtype == DType::kF64) {
    return type + " [" + list_text(tensor.as<double>(), double_text) + "]";
  }
  if (tensor.dtype == DType::kI64) {
    return type + " [" +
           list_text(tensor.as<std::int64_t>(), [](std::int64_t x) { return std::to_string(x); }) +
           "]";
  }
  return type;
}

struct AttrText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return double_text(value); }
  std::string operator()(const std::string& value) const { return string_text(value); }
  std::string operator()(const Tensor& value) const { return tensor_text(value); }
  std::string operator()(const Type& value) const { return value.str(); }
  std::string operator()(const Ranges& value) const { return ranges_text(value); }
  template <class T>
  std::string operator()(const std::vector<T>& list) const {
    return "[" + list_text(list, *this) + "]";
  }
};

class Printer {
 public:
  explicit Printer(const Graph& graph) : graph_(graph) {}

  std::string print(const Verified* verified) {
    line(0, "graph " + name_text(graph_.name));
    for (const SecureDevice& device : graph_.devices) {
      line(1, "device " + name_text(device.name) + " = " + name_text(device.protocol) + "(" +
                  list_text(device.members, name_text) + ")");
    }
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
      const GraphInput& input = graph_.inputs[i];
      line(1, "input " + name_text(input.name) + " = " + value_text(i) + " : " + input.type.str() +
                  (input.ranges.empty() ? "" : " in " + ranges_text(input.ranges)));
    }
    ops(graph_.ops, graph_.inputs.size(), 1, verified == nullptr ? nullptr : &verified->body);
    for (const GraphOutput& output : graph_.outputs) {
      line(1, "output " + name_text(output.name) + " = " + value_text(output.value));
    }
    return std::move(out_);
  }

 private:
  void line(int indent, const std::string& text) {
    out_.append(static_cast<std::size_t>(indent) * 2, ' ');
    for (const char c : text) out_ += c >= 0x20 && c < 0x7f ? c : '?';
    out_ += '\n';
  }

  void ops(const std::vector<Op>& ops, std::size_t next, int indent, const TypedRegion* typed) {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const Op& op = ops[i];
      const auto results = static_cast<std::size_t>(result_count(op));
      line(indent, op_text(op, next, results, typed));
      const auto names = region_names(op.name);
      for (std::size_t r = 0; r < op.regions.size(); ++r) {
        const TypedRegion* inner = typed == nullptr ? nullptr : &typed->ops[i].regions[r];
        region(op.regions[r], r < names.size() ? std::string(names[r]) : "region", indent + 1,
               inner);
      }
      next += results;
    }
  }

  std::string op_text(const Op& op, std::size_t next, std::size_t results,
                      const TypedRegion* typed) {
    std::string text;
    std::string types;
    for (std::size_t k = 0; k < results; ++k) {
      text += (k == 0 ? "" : ", ") + value_text(next + k);
      if (typed != nullptr) types += (k == 0 ? " : " : ", ") + typed->types[next + k].str();
    }
    if (results > 0) text += " = ";
    text += name_text(op.name) + "(" + list_text(op.operands, value_text) + ") @" +
            name_text(op.device);
    if (!op.attrs.empty()) {
      text += " {" +
              list_text(op.attrs,
                        [](const auto& attr) {
                          return name_text(attr.first) + "=" + std::visit(AttrText(), attr.second);
                        }) +
              "}";
    }
    text += types;
    const std::string site = graph_.site_of(op).str();
    return site.empty() ? text : text + "   # " + site;
  }

  void region(const Region& region, const std::string& name, int indent, const TypedRegion* typed) {
    std::string params;
    for (std::size_t p = 0; p < region.params.size(); ++p) {
      params += (p == 0 ? "" : ", ") + value_text(p) + " : " + region.params[p].str();
    }
    line(indent, name + "(" + params + ")");
    ops(region.ops, region.params.size(), indent + 1, typed);
    line(indent + 1, "give " + list_text(region.results, value_text));
  }

  const Graph& graph_;
  std::string out_;
};

}  // namespace

std::string graph_to_text(const Graph& graph, const Verified* verified) {
  return Printer(graph).print(verified);
}

}  // namespace curia
