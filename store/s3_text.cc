#include "store/s3_text.h"

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>
#include <utility>

namespace curia {
namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";
constexpr std::size_t kLongestName = 48;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Empty where it is no XML.
class Parsed {
 public:
  explicit Parsed(std::string_view xml) {
    // What was read before an error would be there otherwise.
    if (!document_.load_buffer(xml.data(), xml.size())) document_.reset();
  }
  pugi::xml_node root() const { return document_.document_element(); }

 private:
  pugi::xml_document document_;
};

}  // namespace

std::string s3_encoded(std::string_view text, bool slash) {
  std::string out;
  for (const char c : text) {
    if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
        (c == '/' && !slash)) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

std::string xml_text(std::string_view xml, std::string_view name) {
  return Parsed(xml).root().child_value(std::string(name).c_str());
}

S3Page parse_s3_page(std::string_view xml) {
  const Parsed parsed(xml);
  const pugi::xml_node root = parsed.root();
  if (std::string_view(root.name()) != "ListBucketResult") {
    throw Error(Code::kFailed, "the answer is no list of objects");
  }
  S3Page page;
  for (const pugi::xml_node contents : root.children("Contents")) {
    S3Object object;
    object.key = contents.child_value("Key");
    const std::string_view size = contents.child_value("Size");
    const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.bytes);
    if (object.key.empty() || error != std::errc() || end != size.data() + size.size() ||
        object.bytes < 0) {
      throw Error(Code::kFailed, "the list has an object without a key or size");
    }
    page.objects.push_back(std::move(object));
  }
  if (std::string_view(root.child_value("IsTruncated")) == "true") {
    page.next = root.child_value("NextContinuationToken");
    if (page.next.empty()) {
      throw Error(Code::kFailed, "the list ends without saying how it goes on");
    }
  }
  return page;
}

std::vector<std::pair<std::string, std::string>> parse_s3_uploads(std::string_view xml,
                                                                  std::string_view prefix) {
  const Parsed parsed(xml);
  std::vector<std::pair<std::string, std::string>> uploads;
  for (const pugi::xml_node upload : parsed.root().children("Upload")) {
    std::string key = upload.child_value("Key");
    std::string id = upload.child_value("UploadId");
    if (key.starts_with(prefix) && !id.empty()) uploads.emplace_back(std::move(key), std::move(id));
  }
  return uploads;
}

std::string s3_error_name(std::string_view xml) {
  std::string name = xml_text(xml, "Code");
  const bool word =
      name.size() <= kLongestName && std::all_of(name.begin(), name.end(), is_alphanumeric);
  return word ? name : "";
}

std::string s3_parts_xml(const std::vector<std::string>& tags) {
  std::string xml = "<CompleteMultipartUpload>";
  for (std::size_t i = 0; i < tags.size(); ++i) {
    xml += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>";
    for (const char c : tags[i]) xml += c == '"' ? "&quot;" : std::string(1, c);
    xml += "</ETag></Part>";
  }
  return xml + "</CompleteMultipartUpload>";
}

}  // namespace curia
