#include "driver/lineage.h"

namespace curia {
namespace {

// Names and lines come from programs and workers, and are not to write over a terminal.
std::string plain(const std::string& text) {
  std::string printable;
  for (const char c : text) printable += c >= 0x20 && c < 0x7F ? c : '?';
  return printable;
}

class Printer {
 public:
  Printer(const LineageTree& tree, int depth)
      : tree_(tree), depth_(depth), printed_(tree.nodes.size()) {}

  void print(std::size_t number, const std::string& name, int depth) {
    const LineageNode& node = tree_.nodes[number];
    std::string head = name.empty() ? "" : name + ": ";
    if (node.what == "dataset") {
      head += "dataset " + node.party + "/" + node.name;
      if (node.state == "changed") {
        head += ", which has changed since";
      } else if (!node.lineage.empty()) {
        head += ", snapshot " + node.lineage.hex().substr(0, 16);
      }
      if (const std::string line = node.site.str(); !line.empty()) head += " (" + line + ")";
      return line_of(depth, head);
    }
    head += node.name + " " + node.type.str();
    if (!node.state.empty()) head += ", " + node.state;
    if (printed_[number]) return line_of(depth, head + " (above)");
    printed_[number] = true;
    line_of(depth, head);
    std::string made = node.op == "put" ? "put" : node.op.empty() ? "" : "by " + node.op;
    if (const std::string line = node.site.str(); !line.empty()) made += " (" + line + ")";
    if (!node.digest.empty()) {
      made += std::string(made.empty() ? "" : ", ") + "output " + node.output + " of program " +
              (node.program.empty() ? "" : "\"" + node.program + "\" ") +
              node.digest.substr(0, 16) + ", task " + std::to_string(node.task);
    }
    if (!made.empty()) line_of(depth + 1, made);
    if (depth >= depth_ && !node.inputs.empty()) return line_of(depth + 1, "...");
    for (const LineageNode::Input& input : node.inputs) print(input.node, input.name, depth + 1);
    if (node.more) line_of(depth + 1, "...");
  }

  std::string text() && { return std::move(text_); }

 private:
  void line_of(int depth, const std::string& line) {
    text_ += std::string(2 * static_cast<std::size_t>(depth), ' ') + plain(line) + "\n";
  }

  const LineageTree& tree_;
  const int depth_;
  std::vector<bool> printed_;
  std::string text_;
};

}  // namespace

std::string lineage_text(const LineageTree& tree, int depth) {
  if (tree.nodes.empty()) return "";
  Printer printer(tree, depth);
  printer.print(0, "", 0);
  return std::move(printer).text();
}

}  // namespace curia
